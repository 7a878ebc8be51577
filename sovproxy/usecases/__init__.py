"""What the doors (proxy, CLI, API) ask for, put together from policy, atlas, events and store."""
