"""Reads `tests/data/hostile.json`: chosen inputs that the service must refuse, each with its error code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

AT_ONCE: Final = 2.0
"""Seconds of CPU. A scan that is not linear takes 3 or more for ten kilobytes; a busy machine doubles any time."""

_DATA: Final = Path(__file__).parents[1] / "data" / "hostile.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileInput:
    """One input, as an API Gateway proxy event has it, and the error that it must end with.

    `field`, if any, is among the fields that the error names.
    """

    name: str
    headers: dict[str, list[str]]
    body: str | None
    is_base64_encoded: bool
    code: str
    field: str | None


def hostile_inputs() -> list[HostileInput]:
    """Return every chosen input; each body is put together from its pieces."""
    return [
        HostileInput(
            name=entry["name"],
            headers=entry.get("headers", {}),
            body=_joined(entry["body"]),
            is_base64_encoded=entry.get("base64", False),
            code=entry["code"],
            field=entry.get("field"),
        )
        for entry in json.loads(_DATA.read_text(encoding="utf-8"))["inputs"]
    ]


def _joined(body: str | list[Any] | None) -> str | None:
    if not isinstance(body, list):
        return body
    return "".join(piece if isinstance(piece, str) else piece["repeat"] * piece["times"] for piece in body)
