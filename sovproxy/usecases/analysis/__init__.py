"""What analysts ask of recorded traffic, and what they make of it."""
