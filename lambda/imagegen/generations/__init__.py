"""Keeps the promises about a generation: it is made once, paid at most once, stored, and found again."""
