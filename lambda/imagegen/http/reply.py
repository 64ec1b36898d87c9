"""Answers, and every header that one carries: what it is about, what an error's facts say, what all have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from imagegen.errors import ImagegenError
from imagegen.http.request import Request
from imagegen.http.surface import HEADERS_ON_EVERY_ANSWER, generation_path

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
REPLAYED: Final = {"Idempotent-Replayed": "true"}
"""Tells that an earlier request of the same idempotency key made this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a route answers; `content_type` is None where there is no body."""

    status: int
    body: str | bytes = ""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(
    status: int, content: Any, *, content_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an answer whose body is this content as JSON."""
    body = json.dumps(content, separators=(",", ":"))
    return Answer(status=status, body=body, content_type=content_type, headers=headers or {})


def error_headers(error: ImagegenError) -> dict[str, str]:
    """Return the headers that an error's facts make."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.generation_id is not None:
        headers["Location"] = generation_path(error.generation_id)
    if error.replayed:
        headers |= REPLAYED
    if error.allow:
        headers["Allow"] = ", ".join(error.allow)
    return headers


def response(answer: Answer, request: Request, *, varies: bool) -> Response[Any]:
    """Return an answer for the resolver, with the headers that all answers have.

    Args:
        answer: What a route answered; its own headers win.
        request: What it answers.
        varies: Whether an answer depends on the origin of the page that asks.
    """
    values = {"X-Request-Id": request.request_id}
    common = {name: values[name] for name in HEADERS_ON_EVERY_ANSWER} | {"Cache-Control": "no-store"}
    if varies:
        common["Vary"] = "Origin"
    # API Gateway decodes a body of bytes for a client whose `Accept` names their type.
    return Response(
        status_code=answer.status,
        content_type=answer.content_type,
        body=answer.body,
        headers={**common, **answer.headers},
    )
