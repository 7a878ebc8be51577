"""What workers are asked and may ask for: going on, exceptions, their own data."""
