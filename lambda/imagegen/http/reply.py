"""What the API sends: a reply, the headers that follow from an error's facts, and those that every reply has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from imagegen.errors import ImagegenError
from imagegen.generations.generation import Generation
from imagegen.http import serialize
from imagegen.http.problems import should_retry
from imagegen.http.request import Request
from imagegen.http.surface import FIXED_HEADERS, HEADERS_ON_EVERY_REPLY, generation_path

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
REPLAYED: Final = {"Idempotent-Replayed": "true"}
"""Says that an earlier request made this: one with the same idempotency key, or one that this request repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a route returns; `content_type` is None if there is no body.

    `varies` names the headers of requests that the reply depends on, besides `Origin`.
    """

    status: int
    body: str | bytes = ""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    varies: tuple[str, ...] = ()


def json_reply(
    status: int, content: Any, *, content_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Reply:
    """Return a reply whose body is `content` as JSON."""
    body = json.dumps(content, separators=(",", ":"))
    return Reply(status=status, body=body, content_type=content_type, headers=headers or {})


def error_headers(error: ImagegenError) -> dict[str, str]:
    """Return the headers that follow from an error's facts.

    By themselves OpenAI's clients repeat every 409, 429 and 5xx. `X-Should-Retry` overrules that.
    """
    headers = {
        "X-Should-Retry": "true" if should_retry(error) else "false",
        "X-Imagegen-Charged": error.paid,
    }
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.generation_id is not None:
        headers["Location"] = generation_path(error.generation_id)
    if error.replayed:
        headers |= REPLAYED
    if error.allow:
        headers["Allow"] = ", ".join(error.allow)
    return headers


def cost_header(*made: Generation) -> dict[str, str]:
    """Return the header that says what the generations cost, for a shape whose body has no member for it."""
    usd = serialize.usd(sum(generation.cost for generation in made))
    # Never in scientific notation, and without a tail of zeros.
    return {"X-Imagegen-Cost-Usd": f"{usd:.6f}".rstrip("0").rstrip(".")}


def response(outgoing: Reply, request: Request, *, varies: bool) -> Response[Any]:
    """Return a reply in Powertools' form, with the headers that every reply has.

    Args:
        outgoing: The reply of a route; its own headers win over the common ones.
        request: The request that it replies to.
        varies: Whether the CORS headers depend on the origin of the page that asks.
    """
    values = {"X-Request-Id": request.request_id}
    # Most replies hold a presigned URL or a caller's own data, so no cache may keep them.
    common = {name: values[name] for name in HEADERS_ON_EVERY_REPLY} | {"Cache-Control": "no-store"}
    # A cache must not hand the CORS headers for one page to another.
    depends_on = [*(["Origin"] if varies else []), *outgoing.varies]
    if depends_on:
        common["Vary"] = ", ".join(depends_on)
    # API Gateway decodes a body of bytes for a client whose `Accept` names their type.
    return Response(
        status_code=outgoing.status,
        content_type=outgoing.content_type,
        # The reply to HEAD has no body, and otherwise equals the reply to GET (RFC 9110 §9.3.2).
        body="" if request.method == "HEAD" else outgoing.body,
        headers={**FIXED_HEADERS, **common, **outgoing.headers},
    )
