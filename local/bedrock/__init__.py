"""A stand-in for the Bedrock runtime: InvokeModel for the two Stability dialects, on loopback."""
