"""The contracts: what a caller may ask for, and how a request that breaks a contract is refused."""
