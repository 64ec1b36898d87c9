"""Reads one line of a log: Lambda's report, a line of our functions, or a line of the gateway's access log.

The functions log as text, so Lambda writes its report as text as well: AWS Lambda developer guide, "Log formats" and
"Monitoring for Lambda SnapStart". For any other line, and for one that lacks a member, the result is None.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from estimates.prices import each

REPORT: Final = "REPORT RequestId"
IMAGE: Final = "image generated"
CHARGE: Final = "charged"
MILLISECONDS: Final = 1_000
MB_OF_A_GB: Final = 1_024
_NUMBER: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) (?:ms|MB)")


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """What Lambda reports of one invocation: milliseconds and megabytes.

    `init_ms` is set if it began in a new environment, and `restore_ms` if that came out of a snapshot.
    """

    request_id: str
    run_ms: float
    billed_ms: float
    memory_mb: float
    used_mb: float
    init_ms: float | None = None
    restore_ms: float | None = None

    @property
    def gb_seconds(self) -> float:
        """The GB-seconds that Lambda charges for."""
        return self.billed_ms / MILLISECONDS * self.memory_mb / MB_OF_A_GB

    @property
    def usd(self) -> float:
        """What Lambda charges for it."""
        return self.gb_seconds * each("gb_second") + each("invocation")


@dataclass(frozen=True, kw_only=True)
class Image:
    """One finished generation; `request_id` names the invocation that made it, and is empty if the line does not.

    `logged_at` is a time in UTC as Powertools writes it, which sorts as text.
    """

    generation: str
    model: str
    seconds: float
    model_seconds: float
    request_id: str
    logged_at: str = ""


@dataclass(frozen=True, kw_only=True)
class Charge:
    """What the service counted as the cost of a generation."""

    generation: str
    micro_usd: float


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request in milliseconds, as the gateway saw it. A part for which it did not wait is None."""

    latency_ms: float
    integration_ms: float | None
    authorizer_ms: float | None


def invocation(line: str) -> Invocation | None:
    """Read a report of Lambda's."""
    members = dict(part.split(": ", 1) for part in re.split(r"[\t\n]", line) if ": " in part)
    numbers = {name: found for name, text in members.items() if (found := _with_unit(text)) is not None}
    try:
        return Invocation(
            request_id=members[REPORT],
            run_ms=numbers["Duration"],
            # With a snapshot, Lambda bills the restore in addition to the run.
            billed_ms=numbers["Billed Duration"] + numbers.get("Billed Restore Duration", 0),
            memory_mb=numbers["Memory Size"],
            used_mb=numbers["Max Memory Used"],
            init_ms=numbers.get("Init Duration"),
            restore_ms=numbers.get("Restore Duration"),
        )
    except KeyError:
        return None


def image(line: str) -> Image | None:
    """Read a function's line about a finished image."""
    members = _members(line, message=IMAGE)
    seconds, model_seconds = _number(members.get("seconds")), _number(members.get("model_seconds"))
    generation, model = members.get("generation"), members.get("model")
    if seconds is None or model_seconds is None or not isinstance(generation, str):
        return None
    return Image(
        generation=generation,
        model=str(model),
        seconds=seconds,
        model_seconds=model_seconds,
        request_id=str(members.get("function_request_id", "")),
        logged_at=str(members.get("timestamp", "")),
    )


def charge(line: str) -> Charge | None:
    """Read a function's line about what a generation cost."""
    members = _members(line, message=CHARGE)
    micro_usd, generation = _number(members.get("micro_usd")), members.get("generation")
    if micro_usd is None or not isinstance(generation, str):
        return None
    return Charge(generation=generation, micro_usd=micro_usd)


def request(line: str) -> Request | None:
    """Read a line of the access log, in which a dash stands for a missing value."""
    members = _members(line)
    latency = _number(members.get("latency_ms"))
    if latency is None:
        return None
    return Request(
        latency_ms=latency,
        integration_ms=_number(members.get("integration_ms")),
        authorizer_ms=_number(members.get("authorizer_ms")),
    )


def _members(line: str, **needed: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(found, dict) or any(found.get(name) != value for name, value in needed.items()):
        return {}
    return found


def _with_unit(text: str) -> float | None:
    found = _NUMBER.match(text)
    return float(found[1]) if found else None


def _number(value: object) -> float | None:
    # The gateway writes its numbers as texts.
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
