"""What runs beside the work: processes, health, numbers, retention, forwarding."""
