"""The models that may serve a request, and how each of them is spoken to."""
