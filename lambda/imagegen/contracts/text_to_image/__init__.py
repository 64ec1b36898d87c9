"""The Diffusion 1.0 (SDXL 1.0) text-to-image contract of Amazon Bedrock."""
