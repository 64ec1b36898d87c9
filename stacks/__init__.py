"""The infrastructure: one construct for each module, and a stack that introduces them to each other."""

import sys
from pathlib import Path

# `lambda/` is an import root; the stacks share settings, models and errors with the functions.
_LAMBDA = str(Path(__file__).resolve().parent.parent / "lambda")
if _LAMBDA not in sys.path:
    sys.path.insert(0, _LAMBDA)
