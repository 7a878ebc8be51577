"""Who people, nodes and workers are, what they may do, and the record of what they did."""
