"""What a caller may ask, and how a request that breaks the contract is refused."""
