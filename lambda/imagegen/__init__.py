"""imagegen serves the Diffusion 1.0 text-to-image contract with the models that are still alive."""

from __future__ import annotations

from typing import Final

# `pyproject.toml` is not in the functions' zip; a test compares the two.
VERSION: Final = "0.1.0"
"""The number of the release."""
