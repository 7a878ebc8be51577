"""The pages workers see, in French, English, German and Danish."""
