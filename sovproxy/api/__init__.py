"""The FastAPI app: routes translate, use cases decide, the store persists."""
