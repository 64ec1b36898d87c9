"""The HTTP API: reads requests and writes replies."""
