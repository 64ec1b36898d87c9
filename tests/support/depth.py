"""How much the longest tests try: `make check` tries all of it, `make test` a part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, TypeVar

T = TypeVar("T")

ENVIRON: Final[Mapping[str, str]] = os.environ  # noqa: TID251 - whoever starts the suite says it
THOROUGH: Final = ENVIRON.get("THOROUGH") == "1"


def at_depth(*, thorough: T, usual: T) -> T:
    """Return the number, or whatever it is, for this run of the suite."""
    return thorough if THOROUGH else usual
