"""Storms of duplicates: many requests with each idempotency key, and how often the model billed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

DUPLICATES: Final = 20
ALLOWED: Final = {200, 202, 409}
"""The reply has the image, or the place where it will be, or says that another request is making it."""


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """One of the requests with a key; half of them are asynchronous."""

    key: str
    prompt: str
    asynchronous: bool

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the request."""
        return {"Idempotency-Key": self.key, **({"Prefer": "respond-async"} if self.asynchronous else {})}

    @property
    def body(self) -> dict[str, Any]:
        """The body, which every duplicate of a key has."""
        return {"text_prompts": [{"text": self.prompt}]}


def storm(keys: int, *, name: str) -> Sequence[Duplicate]:
    """Return the duplicates of every key; those of one key are neighbours, so that they are sent at the same time."""
    return [
        Duplicate(key=f"{name}-{number:016d}", prompt=f"({name} {number})", asynchronous=duplicate % 2 == 0)
        for number in range(keys)
        for duplicate in range(DUPLICATES)
    ]


def billed(report: dict[str, Any], *, name: str) -> Counter[str]:
    """Return how often each prompt of a storm was billed, according to the stand-in's call log."""
    return Counter(
        {prompt: sums["billed"] for prompt, sums in report["prompts"].items() if f"({name} " in prompt}
    )
