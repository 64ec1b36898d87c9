"""The keys of callers: how a key looks, what is kept of it, and whether one that was sent is accepted."""
