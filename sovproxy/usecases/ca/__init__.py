"""The life of the CA: made, renewed, replaced, and what it may not answer for."""
