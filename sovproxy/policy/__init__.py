"""Policy text -> frozen policy: strict schema, profiles, phases."""
