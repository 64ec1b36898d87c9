"""Every failure that the client reports, sorted by who can do something about it.

    ImagegenError
    ├── CallerError       the request has to change
    │   ├── InvalidJson, UnsupportedMediaType, PayloadTooLarge
    │   ├── InvalidParameter, UnknownParameter, UnsupportedParameter, UnknownModel
    │   ├── Unauthorized, Forbidden
    │   ├── NotFound, MethodNotAllowed, Gone
    │   ├── IdempotencyConflict
    │   ├── ContentFiltered
    │   └── InvalidConfiguration    *
    ├── WaitError         the same request will work later
    │   ├── InProgress, RateLimited, QuotaExceeded
    │   ├── ModelThrottled, ModelUnavailable
    │   └── Unreachable             *
    ├── OperatorError     the deployment has to change
    │   └── ModelRetired, Misconfigured
    └── ServiceError      the service, the model or the network failed
        ├── OutcomeUnknown, ModelTimeout, BadModelResponse, StoreFailed
        ├── InternalError
        ├── ConnectionLost, UnexpectedReply   *
        └── DownloadFailed, DamagedImage      *

Those with a star are the client's own. Each other class has a code of docs/errors.md, which says what it means. A code
that this version does not know becomes a plain `CallerError`, `WaitError` or `ServiceError`, by its status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

Charged = Literal["no", "yes", "maybe"]
"""Whether a failed request was paid for; `maybe` means that nobody can know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One field at fault: its name as it was sent, and what is allowed."""

    field: str
    message: str


class ImagegenError(Exception):
    """A failure with a stable code, and what a program needs to act on it.

    Attributes:
        code: The code of docs/errors.md, which never changes, or one of the client's own.
        detail: One or two sentences for people. They never quote a prompt.
        status: The HTTP status; None if there was no reply.
        fields: The fields at fault.
        request_id: The operator finds the request in the logs by it; None if there was no reply.
        retryable: Whether the same request can succeed later.
        charged: Whether the request was paid for.
        retry_after: After how many seconds the service wants the next request.
        generation_id: The generation that the failure is about.
        replayed: Whether the service recorded the failure earlier, and a repeat brought it again.
        idempotency_key: The key of the request. A repeat with the same key is never paid twice.
    """

    code: str = "unknown"
    may_be_repeated: ClassVar[bool] = False
    may_be_paid: ClassVar[Charged] = "no"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        fields: Sequence[FieldError] = (),
        request_id: str | None = None,
        retryable: bool | None = None,
        charged: Charged | None = None,
        retry_after: float | None = None,
        generation_id: str | None = None,
        replayed: bool = False,
        idempotency_key: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail: Final = detail
        # An unknown code has no class of its own, so the instance names it.
        self.code = code or type(self).code
        self.status: Final = status
        self.fields: Final = tuple(fields)
        self.request_id: Final = request_id
        self.retryable: Final = self.may_be_repeated if retryable is None else retryable
        self.charged: Final[Charged] = self.may_be_paid if charged is None else charged
        self.retry_after: Final = retry_after
        self.generation_id: Final = generation_id
        self.replayed: Final = replayed
        self.idempotency_key: Final = idempotency_key

    def about(self, **facts: Any) -> Self:
        """Return the same error with some of its facts changed."""
        kept = {**self.facts(), "code": self.code, "fields": self.fields}
        return type(self)(self.detail, **{**kept, **facts})

    def facts(self) -> Mapping[str, Any]:
        """Return everything but the sentence and the code, by name; those that are absent are left out."""
        named = {
            "status": self.status,
            "request_id": self.request_id,
            "retryable": self.retryable,
            "charged": self.charged,
            "retry_after": self.retry_after,
            "generation_id": self.generation_id,
            "replayed": self.replayed or None,
            "idempotency_key": self.idempotency_key,
        }
        return {name: value for name, value in named.items() if value is not None}

    def __reduce__(self) -> tuple[object, ...]:
        """Let the error travel to another process, with all its facts."""
        return (_again, (type(self), self.detail, {**self.facts(), "code": self.code, "fields": self.fields}))


def _again(kind: type[ImagegenError], detail: str, facts: Mapping[str, Any]) -> ImagegenError:
    return kind(detail, **facts)


class CallerError(ImagegenError):
    """The request has to change before it can work."""


class WaitError(ImagegenError):
    """The same request will work later; nothing was paid."""

    may_be_repeated = True


class OperatorError(ImagegenError):
    """The deployment's configuration or its account has to change."""


class ServiceError(ImagegenError):
    """The service, the model or the network failed; the caller did nothing wrong."""


class InvalidJson(CallerError):
    """The body is not one well-formed JSON object."""

    code = "invalid_json"


class UnsupportedMediaType(CallerError):
    """The body's type, charset or encoding is not supported."""

    code = "unsupported_media_type"


class PayloadTooLarge(CallerError):
    """The body is longer than the route accepts."""

    code = "payload_too_large"


class InvalidParameter(CallerError):
    """A field is missing, of another type or out of range, or the model itself refused the request."""

    code = "invalid_parameter"


class UnknownParameter(CallerError):
    """A field is not part of the contract."""

    code = "unknown_parameter"


class UnsupportedParameter(CallerError):
    """No enabled model can honour a value, or not as exactly as a strict request demands."""

    code = "unsupported_parameter"


class UnknownModel(CallerError):
    """The request names a model that is not enabled in this deployment."""

    code = "unknown_model"


class Unauthorized(CallerError):
    """The API key is missing, unknown, expired or revoked."""

    code = "unauthorized"


class Forbidden(CallerError):
    """The gateway or a firewall refused the request."""

    code = "forbidden"


class NotFound(CallerError):
    """There is no such path, or the caller has no such generation."""

    code = "not_found"


class MethodNotAllowed(CallerError):
    """The path exists, but does not have this method."""

    code = "method_not_allowed"


class Gone(CallerError):
    """The image has been removed, by its retention or by the caller."""

    code = "gone"


class IdempotencyConflict(CallerError):
    """The idempotency key belongs to another request."""

    code = "idempotency_conflict"


class ContentFiltered(CallerError):
    """The model's filter stopped the prompt or the image."""

    code = "content_filtered"
    may_be_paid = "yes"


class InvalidConfiguration(CallerError):
    """The base URL or the API key cannot be used: also an unknown host, or a certificate that is not trusted."""

    code = "invalid_configuration"


class InProgress(WaitError):
    """The generation is not done. It may be paid for; only the request that asked for it again was not."""

    code = "in_progress"


class RateLimited(WaitError):
    """Requests come faster than the caller's limits allow."""

    code = "rate_limited"


class QuotaExceeded(WaitError):
    """The images or dollars of the day are used up."""

    code = "quota_exceeded"


class ModelThrottled(WaitError):
    """Bedrock accepts no further requests at the moment."""

    code = "model_throttled"


class ModelUnavailable(WaitError):
    """The model cannot be reached or is not ready."""

    code = "model_unavailable"


class Unreachable(WaitError):
    """No connection could be made, so nothing was sent."""

    code = "unreachable"


class ModelRetired(OperatorError):
    """Every model that may serve the request has reached the end of its life."""

    code = "model_retired"


class Misconfigured(OperatorError):
    """The deployment lacks a right, a setting or a resource."""

    code = "misconfigured"


class OutcomeUnknown(ServiceError):
    """The call to the model ended without an answer, so it may have been paid."""

    code = "outcome_unknown"
    may_be_paid = "maybe"


class ModelTimeout(ServiceError):
    """The model did not answer in time; the call may have been paid."""

    code = "model_timeout"
    may_be_paid = "maybe"


class BadModelResponse(ServiceError):
    """The model's answer does not hold a usable image."""

    code = "bad_model_response"
    may_be_paid = "maybe"


class StoreFailed(ServiceError):
    """The image was made but could not be stored in time."""

    code = "store_failed"
    may_be_paid = "yes"


class InternalError(ServiceError):
    """The service has a defect, or one of its stores did not respond."""

    code = "internal_error"


class ConnectionLost(ServiceError):
    """The connection ended before the reply came, so the request may have been carried out."""

    code = "connection_lost"
    may_be_repeated = True
    may_be_paid = "maybe"


class UnexpectedReply(ServiceError):
    """The reply is not one of this API: a proxy or another program may have sent it."""

    code = "unexpected_reply"


class DownloadFailed(ServiceError):
    """The image is made and kept, but its bytes did not come; `generation_id` gets them later at no cost."""

    code = "download_failed"
    may_be_repeated = True
    may_be_paid = "yes"


class DamagedImage(ServiceError):
    """The downloaded bytes are not those that the service stored; `generation_id` gets those at no cost."""

    code = "damaged_image"
    may_be_repeated = True
    may_be_paid = "yes"


FAMILIES: Final = (CallerError, WaitError, OperatorError, ServiceError)
"""Who can do something: the caller, time, the operator, the service."""

ERROR_TYPES: Final[Mapping[str, type[ImagegenError]]] = {
    leaf.code: leaf for family in FAMILIES for leaf in family.__subclasses__()
}
"""Each class by its code."""
