"""One file per group of routes; a route translates, the use case decides."""
