"""What the service promises about a generation: made once, paid at most once, kept, and found again."""
