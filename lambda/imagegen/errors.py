"""Every failure that a client can see, sorted by who can do something about it.

    ImagegenError
    ├── CallerError       the request has to change
    │   ├── InvalidJson, UnsupportedMediaType, PayloadTooLarge
    │   ├── InvalidParameter, UnknownParameter, UnsupportedParameter, UnknownModel
    │   ├── Unauthorized, Forbidden
    │   ├── NotFound, MethodNotAllowed, Gone
    │   ├── IdempotencyConflict
    │   └── ContentFiltered
    ├── WaitError         the same request will work later
    │   ├── InProgress, RateLimited, QuotaExceeded
    │   └── ModelThrottled, ModelUnavailable
    ├── OperatorError     the deployment has to change
    │   └── ModelRetired, Misconfigured
    └── ServiceError      ours, or the model's
        ├── OutcomeUnknown, ModelTimeout, BadModelResponse, StoreFailed
        └── InternalError

`docs/errors.md` tells clients the same, code by code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

Paid = Literal["no", "yes", "maybe"]

MAX_FIELD_ERRORS = 10
"""At most this many `errors` are reported in one problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing wrong with one field: its name as the client wrote it, and what is allowed."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorRefusal:
    """Why the model's vendor refused a call, as logs and metrics name it, and the vendor's id of the request.

    `lasting` says that what the vendor said of the model will not change within minutes.
    """

    reason: str
    request_id: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """What is true of an error code wherever it appears; one row of `docs/errors.md`."""

    code: str
    status: int
    title: str
    retryable: bool
    paid: Paid


# Not frozen, because Python writes traceback and cause into an exception. Compared by identity, so that it stays
# hashable.
@dataclass(eq=False)
class ImagegenError(Exception):
    """A failure with a stable code, and the facts that a caller can act on; `http/` turns them into headers.

    `detail` is one sentence that never quotes a prompt. `retry_after` is in seconds. `generation_id` names the
    generation that the failure is about. `replayed` says that an earlier request recorded it. `allow` lists the
    methods that the path has. `model` is the one whose call failed. `charged` says what the failure means for the bill,
    and `retryable` whether the same request will work later, if that is not what its kind says. `refusal` is the
    vendor's.
    """

    kind: ClassVar[ErrorKind]

    detail: str
    errors: Sequence[FieldError] = ()
    retry_after: int | None = None
    generation_id: str | None = None
    replayed: bool = False
    allow: tuple[str, ...] = ()
    model: str | None = None
    charged: Paid | None = None
    retryable: bool | None = None
    refusal: VendorRefusal | None = None

    @property
    def may_be_repeated(self) -> bool:
        """Whether the same request may work later."""
        return self.kind.retryable if self.retryable is None else self.retryable

    @property
    def paid(self) -> Paid:
        """Whether anything was paid for the request."""
        return self.charged or self.kind.paid

    def __str__(self) -> str:
        """Return the code and the sentence, as they are logged."""
        return f"{self.kind.code}: {self.detail}"


class CallerError(ImagegenError):
    """The request has to change before it can work."""


class WaitError(ImagegenError):
    """The same request will work later; nothing was paid."""


class OperatorError(ImagegenError):
    """The deployment's configuration or its account has to change."""


class ServiceError(ImagegenError):
    """The service or the model failed; the caller did nothing wrong."""


# `retryable` is False unless a class says otherwise: a client that repeats by itself must not pay twice.
def _kind(code: str, status: int, title: str, *, retryable: bool = False, paid: Paid = "no") -> ErrorKind:
    return ErrorKind(code=code, status=status, title=title, retryable=retryable, paid=paid)


class InvalidJson(CallerError):
    """The body is not one well-formed JSON object."""

    kind = _kind("invalid_json", 400, "The body is not valid JSON")


class UnsupportedMediaType(CallerError):
    """The body's type, charset or encoding is not supported."""

    kind = _kind("unsupported_media_type", 415, "The media type is not supported")


class PayloadTooLarge(CallerError):
    """The body is longer than this route accepts."""

    kind = _kind("payload_too_large", 413, "The body is too large")


class InvalidParameter(CallerError):
    """A field has a value outside its range or of another type."""

    kind = _kind("invalid_parameter", 400, "A parameter is not valid")


class UnknownParameter(CallerError):
    """A field is not part of the contract."""

    kind = _kind("unknown_parameter", 400, "A parameter is not known")


class UnsupportedParameter(CallerError):
    """A value is valid, but no enabled model can honour it, or not as exactly as a strict request demands."""

    kind = _kind("unsupported_parameter", 400, "A parameter cannot be honoured")


class UnknownModel(CallerError):
    """The request names a model that is not enabled in this deployment."""

    kind = _kind("unknown_model", 400, "The model is not enabled here")


class Unauthorized(CallerError):
    """The gateway verified neither an API key nor a signature."""

    kind = _kind("unauthorized", 401, "Authentication is required")


class Forbidden(CallerError):
    """The gateway refused the API key or the signature."""

    kind = _kind("forbidden", 403, "Access is denied")


class NotFound(CallerError):
    """There is no such path, or the caller has no such generation."""

    kind = _kind("not_found", 404, "Not found")


class MethodNotAllowed(CallerError):
    """The path exists, but does not have this method."""

    kind = _kind("method_not_allowed", 405, "The method is not allowed")


class Gone(CallerError):
    """The image existed and has been removed, by its lifecycle or its owner."""

    kind = _kind("gone", 410, "The image has been removed")


class IdempotencyConflict(CallerError):
    """The idempotency key was used before with another body."""

    kind = _kind("idempotency_conflict", 422, "The idempotency key belongs to another request")


class ContentFiltered(CallerError):
    """The model's content filter refused the prompt or its image; the image is discarded."""

    kind = _kind("content_filtered", 422, "The content filter stopped the image", paid="yes")


class InProgress(WaitError):
    """The generation is still running."""

    kind = _kind("in_progress", 409, "The generation is still running", retryable=True)


class RateLimited(WaitError):
    """The caller sends requests faster than its limit allows."""

    kind = _kind("rate_limited", 429, "Too many requests", retryable=True)


class QuotaExceeded(WaitError):
    """The day's images or dollars are used up, for this caller or for the deployment."""

    kind = _kind("quota_exceeded", 429, "The quota is used up", retryable=True)


class ModelThrottled(WaitError):
    """Bedrock takes no more calls at the moment; certainly unbilled."""

    kind = _kind("model_throttled", 503, "The model is busy", retryable=True)


class ModelUnavailable(WaitError):
    """The model could not be reached or is not ready; certainly unbilled."""

    kind = _kind("model_unavailable", 503, "The model is not available", retryable=True)


class ModelRetired(OperatorError):
    """Every model that may serve the request has reached the end of its life."""

    kind = _kind("model_retired", 503, "The model has been retired")


class Misconfigured(OperatorError):
    """The deployment lacks a right, a setting or a resource."""

    kind = _kind("misconfigured", 500, "The service is misconfigured")


class OutcomeUnknown(ServiceError):
    """The call to the model ended without an answer, so it may have been paid."""

    kind = _kind("outcome_unknown", 502, "The outcome is unknown", paid="maybe")


class ModelTimeout(ServiceError):
    """The model did not answer in time; the call may have been paid."""

    kind = _kind("model_timeout", 504, "The model did not answer in time", paid="maybe")


class BadModelResponse(ServiceError):
    """The model's answer does not hold a usable image."""

    kind = _kind("bad_model_response", 502, "The model's answer cannot be used", paid="maybe")


class StoreFailed(ServiceError):
    """The image was made but could not be stored in time."""

    kind = _kind("store_failed", 502, "The image could not be stored", paid="yes")


class InternalError(ServiceError):
    """The service has a defect, or a store did not respond; the logs say more under the request id."""

    # Unbilled: a defect that strikes after the call was granted becomes an OutcomeUnknown (`generations/attempts.py`),
    # and one that keeps an image from its reply has `charged` (`generations/submit.py`).
    kind = _kind("internal_error", 500, "Something went wrong on our side")


def invalid(name: str, message: str) -> InvalidParameter:
    """Return the error for one field; `message` says what is allowed."""
    return InvalidParameter(f"{name} {message}.", errors=(FieldError(field=name, message=message),))


def no_such_generation() -> NotFound:
    """Return the error for an id that is unknown, another caller's, deleted or malformed; all of them look the same."""
    # One sentence for all of them, or a caller could find out which ids other callers have.
    return NotFound("There is no such generation.")


def in_progress(id_: str, *, retry_after: int) -> InProgress:
    """Return the error for a generation that is not done; `retry_after` is in seconds."""
    return InProgress("The generation is still running.", generation_id=id_, retry_after=retry_after)


def error_types() -> tuple[type[ImagegenError], ...]:
    """Return every concrete error class, in the order of the tree."""
    # Python lists subclasses in the order of their definition, which is the order of the tree.
    families = (CallerError, WaitError, OperatorError, ServiceError)
    return tuple(leaf for family in families for leaf in family.__subclasses__())
