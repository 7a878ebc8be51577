"""What is known: services, operators and their parents, powers, GeoIP and ASN databases."""
