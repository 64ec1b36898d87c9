"""How long an invocation may still take, by Lambda's own clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationDeadline:
    """What Lambda's context says is left of this invocation."""

    remaining_milliseconds: Callable[[], int]

    def remaining(self) -> float:
        """Return the seconds left."""
        return self.remaining_milliseconds() / 1000
