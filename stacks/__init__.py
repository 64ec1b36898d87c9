"""The infrastructure: `*_stack.py` composes, every other module is one construct of one logical unit."""
