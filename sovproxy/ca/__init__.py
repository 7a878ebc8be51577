"""Certificates: a root, issuing CAs that may speak for few names only, and short-lived leaves."""
