"""The infrastructure: `*_stack.py` composes, every other module is one construct of one logical unit."""

import sys
from pathlib import Path

# `lambda/` is an import root; the stacks share settings, models and errors with the functions.
_LAMBDA = str(Path(__file__).resolve().parent.parent / "lambda")
if _LAMBDA not in sys.path:
    sys.path.insert(0, _LAMBDA)
