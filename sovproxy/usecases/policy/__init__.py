"""One decision for every door, and the life of the policy it follows."""
