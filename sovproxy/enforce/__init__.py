"""The same policy, compiled for other engines."""
