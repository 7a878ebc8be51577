"""The event: what was decided and carried out, on disk before the answer leaves."""
