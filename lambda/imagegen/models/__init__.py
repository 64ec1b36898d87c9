"""The models that may serve a request, and the dialect of each."""
