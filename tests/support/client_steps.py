"""Steps of the tests of `client/`: a call of its core over prepared outcomes, and replies as the service sends them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from imagegen import errors
from imagegen_client import Retries
from imagegen_client.core import Core, Pause, Send, Steps
from imagegen_client.failures import NoReply, Outcome, Reply

T = TypeVar("T")

URL: Final = "https://api.example.com/v1"
API_KEY: Final = "ig_key"
KEY: Final = "0123456789abcdef"
ID: Final = "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a"
PNG: Final = b"\x89PNG the picture"
LOST: Final = NoReply(sent=True, why="The connection ended before the reply came.")
REFUSED: Final = NoReply(sent=False, why="The service cannot be reached.")


@dataclass
class Clock:
    """A clock that goes on only in pauses."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


@dataclass(kw_only=True)
class Ran(Generic[T]):
    """How a call ended, and what it did on the way."""

    result: T | None = None
    error: Exception | None = None
    sent: list[Send] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)


def core(clock: Clock | None = None, **bounds: Any) -> Core:
    """Return a core whose repeats have no random part."""
    return Core(
        base_url=URL, api_key=API_KEY, retries=Retries(**bounds), now=clock or Clock(), chance=lambda: 0.0
    )


def run(steps: Steps[T], outcomes: Sequence[Outcome], clock: Clock | None = None) -> Ran[T]:
    """Carry a call out over these outcomes, the last of which stays."""
    ran = Ran[T]()
    left = list(outcomes)
    outcome: Outcome | None = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration as end:
            ran.result = end.value
            return ran
        except Exception as error:  # noqa: BLE001 - the tests look at it
            ran.error = error
            return ran
        if isinstance(step, Pause):
            ran.pauses.append(step.seconds)
            outcome = None
            if clock is not None:
                clock.seconds += step.seconds
        else:
            ran.sent.append(step)
            outcome = left.pop(0) if len(left) > 1 else left[0]


def reply(status: int, body: object, **headers: str) -> Reply:
    """Return a reply; `retry_after="2"` becomes the header `retry-after`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        content=content,
    )


def problem(kind: type[errors.ImagegenError], **changes: Any) -> dict[str, Any]:
    """Return a problem as the service writes it."""
    return {
        "type": f"urn:imagegen:problem:{kind.kind.code}",
        "title": kind.kind.title,
        "status": kind.kind.status,
        "code": kind.kind.code,
        "detail": "Something is so.",
        "request_id": "8f5a2c1e",
        "retryable": kind.kind.retryable,
        "charged": kind.kind.paid,
        **changes,
    }


def failed(
    kind: type[errors.ImagegenError], *, body: Mapping[str, Any] | None = None, **headers: str
) -> Reply:
    """Return the reply to a request that failed."""
    return reply(kind.kind.status, problem(kind, **(body or {})), **headers)


def generation(**changes: Any) -> dict[str, Any]:
    """Return a generation that succeeded, as the service shows it."""
    return {
        "id": ID,
        "status": "succeeded",
        "result": "success",
        "model": "stability.stable-image-core-v1:1",
        "created_at": "2026-11-03T09:21:07.000Z",
        "cost_usd": 0.04,
        "ignored_parameters": ["steps"],
        "artifacts": [
            {
                "seed": 3407,
                "finishReason": "SUCCESS",
                "url": "https://bucket.example.com/images/a.png?X-Amz-Signature=1",
                "expires_at": "2026-11-03T10:21:07.000Z",
                "content_type": "image/png",
                "width": 1024,
                "height": 1024,
                "bytes": len(PNG),
                "sha256": hashlib.sha256(PNG).hexdigest(),
            }
        ],
        **changes,
    }


def unfinished(status: str = "queued") -> dict[str, Any]:
    """Return a generation whose image is not done."""
    return {"id": ID, "status": status, "created_at": "2026-11-03T09:21:07.000Z"}
