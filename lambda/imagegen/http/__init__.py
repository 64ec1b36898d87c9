"""The HTTP contract: requests in, answers out."""
