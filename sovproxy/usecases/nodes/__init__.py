"""A running node, the fleet it belongs to, and what it delivers."""
