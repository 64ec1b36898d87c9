"""What a reply that is no success means: the exception for it, and the facts that its headers and body carry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from imagegen_client.errors import (
    ERROR_TYPES,
    CallerError,
    Charged,
    ConnectionLost,
    FieldError,
    ImagegenError,
    InvalidConfiguration,
    PayloadTooLarge,
    ServiceError,
    UnexpectedReply,
    Unreachable,
    WaitError,
)

TOO_LARGE: Final = 413
SERVER_FAULT: Final = 500
OK: Final = range(200, 300)
LONGEST_WAIT: Final = 365 * 86400.0
"""Seconds: the longest `Retry-After` that is believed."""

_ID: Final = re.compile(r"gen_[a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP response; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> object:
        """Return the body as JSON.

        Raises:
            UnexpectedReply: It is not JSON.
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as exc:
            raise UnexpectedReply(_FOREIGN, status=self.status) from exc

    @property
    def replayed(self) -> bool:
        """Whether an earlier request made this."""
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def retry_after(self) -> float | None:
        """After how many seconds the next request may come; a date instead of a number is ignored."""
        text = self.headers.get("retry-after", "").strip()
        return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReply:
    """An attempt that brought no response: `sent` says whether the request may have reached the service.

    `lasting` says that another attempt would end in the same way.
    """

    sent: bool
    why: str
    lasting: bool = False


Outcome = Reply | NoReply

_FOREIGN: Final = (
    "The reply is not one of this API. "
    "Check that the base URL is the service's and ends in its stage, such as /v1."
)


def failure_of(outcome: Outcome, *, idempotency_key: str | None = None) -> ImagegenError | None:
    """Return the error that an outcome is; None for a success."""
    if isinstance(outcome, NoReply):
        return _without_reply(outcome, idempotency_key)
    if outcome.status in OK:
        return None
    try:
        problem = json.loads(outcome.content)
    except (ValueError, RecursionError):
        problem = None
    if isinstance(problem, dict) and isinstance(problem.get("code"), str):
        return problem_error(problem, reply=outcome, idempotency_key=idempotency_key)
    return _foreign(outcome, idempotency_key)


def problem_error(
    problem: Mapping[str, Any], *, reply: Reply | None = None, idempotency_key: str | None = None
) -> ImagegenError:
    """Return the error that a problem describes: the body of a reply, or a member of a failed generation."""
    code = str(problem.get("code", "unknown"))
    status = problem.get("status")
    status = status if isinstance(status, int) else (reply.status if reply else None)
    kind = ERROR_TYPES.get(code) or _family_of(status)
    retryable = problem.get("retryable")
    located = _ID.search(reply.headers.get("location", "")) if reply else None
    return kind(
        str(problem.get("detail") or problem.get("title") or "The service gave no reason."),
        code=code,
        status=status,
        fields=_fields(problem.get("errors")),
        request_id=_request_id(problem, reply),
        retryable=retryable if isinstance(retryable, bool) else None,
        charged=_charged(problem.get("charged")),
        retry_after=reply.retry_after if reply else None,
        generation_id=located[0] if located else None,
        replayed=reply.replayed if reply else False,
        idempotency_key=idempotency_key,
    )


def _without_reply(outcome: NoReply, idempotency_key: str | None) -> ImagegenError:
    if outcome.sent:
        return ConnectionLost(outcome.why, idempotency_key=idempotency_key)
    kind = InvalidConfiguration if outcome.lasting else Unreachable
    return kind(outcome.why, idempotency_key=idempotency_key)


def _foreign(reply: Reply, idempotency_key: str | None) -> ImagegenError:
    request_id = reply.headers.get("x-request-id")
    if reply.status == TOO_LARGE:  # API Gateway's own, which has no problem as body (docs/errors.md)
        return PayloadTooLarge("The body is too large.", status=reply.status, request_id=request_id)
    # A fault of a server in between may hide that the service has made the image.
    at_fault = reply.status >= SERVER_FAULT
    charged: Charged = "maybe" if at_fault and idempotency_key else "no"
    return UnexpectedReply(
        f"The server replied with the status {reply.status}. {_FOREIGN}",
        status=reply.status,
        request_id=request_id,
        retryable=at_fault,
        charged=charged,
        retry_after=reply.retry_after,
        idempotency_key=idempotency_key,
    )


def _family_of(status: int | None) -> type[ImagegenError]:
    if status is None or status >= SERVER_FAULT:
        return ServiceError
    return WaitError if status == 429 else CallerError  # noqa: PLR2004 - Too Many Requests


def _fields(errors: object) -> tuple[FieldError, ...]:
    listed = errors if isinstance(errors, list) else []
    return tuple(
        FieldError(field=str(each.get("field", "")), message=str(each.get("message", "")))
        for each in listed
        if isinstance(each, dict)
    )


def _request_id(problem: Mapping[str, Any], reply: Reply | None) -> str | None:
    named = problem.get("request_id")
    return named if isinstance(named, str) else (reply.headers.get("x-request-id") if reply else None)


def _charged(value: object) -> Charged | None:
    known: dict[object, Literal["no", "yes", "maybe"]] = {"no": "no", "yes": "yes", "maybe": "maybe"}
    return known.get(value) if isinstance(value, str) else None
