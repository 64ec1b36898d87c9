"""Measures on this machine how long the service takes: `make bench`."""
