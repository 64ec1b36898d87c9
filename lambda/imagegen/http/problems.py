"""The body of a reply to a failed request, and whether to repeat the request: the same for functions and gateway.

One body serves the clients of every API: see docs/decisions/0056-one-body-for-the-clients-of-every-api.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NotRequired, cast

from typing_extensions import TypedDict  # below Python 3.12, pydantic cannot read that of `typing`

from imagegen import errors
from imagegen.contracts.refusals import explained
from imagegen.errors import ImagegenError
from imagegen.http.described import Described
from imagegen.http.serialize import ProblemBody, problem

MAX_BYTES: Final = 4_096
"""The largest body of a failed request, in bytes."""

MAX_WAIT: Final = 60
"""In seconds: the longest `Retry-After` for which a client may wait by itself, while its caller waits for it."""

# In bytes of JSON: two sentences leave half of the body for the list of fields.
_MAX_SENTENCE: Final = 600
_MAX_PARAM: Final = 100
_MAX_DETAIL: Final = 400

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "insufficient_quota",
    "server_error",
]


class ErrorMembersBody(TypedDict):
    """What went wrong, in OpenAI's members."""

    message: Annotated[str, Described(description="One sentence for people, with the fields at fault.")]
    type: Annotated[ErrorType, Described(description="OpenAI's kind of error.")]
    param: Annotated[str | None, Described(description="The first field at fault.", examples=["size"])]
    code: Annotated[str, Described(description="The code of this service.", examples=["invalid_parameter"])]


class ProblemReplyBody(ProblemBody):
    """A problem as it is sent: with the members that clients of other APIs read."""

    message: Annotated[str, Described(description="`detail`, with the fields at fault.")]
    error: Annotated[ErrorMembersBody, Described(description="The same for OpenAI's clients.")]
    id: NotRequired[
        Annotated[str, Described(description="`request_id`, for Stability's clients; only from the gateway.")]
    ]
    name: NotRequired[
        Annotated[str, Described(description="Stability's name of the error; only from the gateway.")]
    ]


def problem_reply(error: ImagegenError, *, request_id: str) -> ProblemReplyBody:
    """Return the body of a reply of our own routes to a failed request; at most `MAX_BYTES`."""
    members = problem(error, request_id=request_id)
    more = {
        "detail": shortened(members["detail"], _MAX_DETAIL),
        "message": sentence(error),
        "error": error_members(error),
    }
    # mypy does not let a TypedDict grow into one that has further members.
    return _fitted(cast("ProblemReplyBody", {**members, **more}))


def gateway_reply(error: ImagegenError, *, request_id: str) -> ProblemReplyBody:
    """Return the body of a reply of the gateway, which has the members of every shape; at most `MAX_BYTES`."""
    body = problem_reply(error, request_id=request_id)
    return _fitted({**body, "id": request_id, "name": stability_name(error)})


def error_members(error: ImagegenError) -> ErrorMembersBody:
    """Return an error in the four members that OpenAI's clients read; `code` is our code."""
    return {
        "message": sentence(error),
        "type": _openai_type(error),
        "param": shortened(error.errors[0].field, _MAX_PARAM) if error.errors else None,
        "code": error.kind.code,
    }


def stability_name(error: ImagegenError) -> str:
    """Return Stability's name of an error."""
    if isinstance(error, errors.InvalidParameter):
        fields = {item.field for item in error.errors}
        if fields and fields <= {"width", "height"}:
            return "invalid_sdxl_v1_dimensions"
        if fields == {"samples"}:
            return "invalid_samples"
    fallback = "bad_request" if isinstance(error, errors.CallerError) else "server_error"
    return _STABILITY_NAMES.get(type(error), fallback)


def sentence(error: ImagegenError) -> str:
    """Return an error's sentence with its field errors, for members that have room for one text."""
    return shortened(explained(error), _MAX_SENTENCE)


def should_retry(error: ImagegenError) -> bool:
    """Say whether a client should repeat the request by itself: only if that is free, helps, and is soon."""
    # Of a batch that is in progress, whatever is paid is returned to the repeat.
    free = error.paid == "no" or isinstance(error, errors.InProgress)
    # A client that obeys `Retry-After` without a bound would sleep until the quota of the next day.
    return error.may_be_repeated and free and (error.retry_after or 0) <= MAX_WAIT


def shortened(text: str, limit: int) -> str:
    """Return the beginning of a text that takes at most `limit` bytes in JSON."""
    text = text[:limit]
    while len(json.dumps(text)) - 2 > limit:
        text = text[:-1]
    return text


def _fitted(body: ProblemReplyBody) -> ProblemReplyBody:
    """Return a body without the last of its field errors, if it would be larger than `MAX_BYTES` with them."""
    while len(json.dumps(body)) > MAX_BYTES and body.get("errors"):
        body = {**body, "errors": body["errors"][:-1]}
    return body


_OPENAI_TYPES: Final[Mapping[type[ImagegenError], ErrorType]] = {
    errors.Unauthorized: "authentication_error",
    errors.Forbidden: "permission_error",
    errors.RateLimited: "rate_limit_error",
    errors.QuotaExceeded: "insufficient_quota",
}

_STABILITY_NAMES: Final[Mapping[type[ImagegenError], str]] = {
    errors.Unauthorized: "unauthorized",
    errors.Forbidden: "permission_denied",
    errors.NotFound: "not_found",
    errors.ContentFiltered: "invalid_prompts",
    errors.RateLimited: "rate_limit_exceeded",
    errors.QuotaExceeded: "rate_limit_exceeded",
}


def _openai_type(error: ImagegenError) -> ErrorType:
    fallback: ErrorType = "invalid_request_error" if isinstance(error, errors.CallerError) else "server_error"
    return _OPENAI_TYPES.get(type(error), fallback)
