"""Nodes and the API that they belong to: what is in force, heartbeats, requests."""
