"""Calls Amazon Bedrock's runtime: one request for one call, and each failure sorted by whether it may be paid.

The table follows the API reference's errors of InvokeModel and InvokeModelWithResponseStream. Whatever is not certainly
unbilled counts as paid: a time-out, a lost connection, a 5xx. No message of Bedrock's is passed on or logged, because a
validation message can quote the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import urllib3
from botocore import exceptions as botocore

from imagegen import errors
from imagegen.adapters.bedrock.refusals import reason_of, refusal_of
from imagegen.adapters.direct.connection import TooLongError
from imagegen.errors import ImagegenError, VendorRefusal
from imagegen.generations.model_caller import RETRY_AFTER

if TYPE_CHECKING:
    from imagegen.adapters.direct.runtime_client import DirectRuntime
    from imagegen.generations.ports import Clock
    from imagegen.models.registry import ModelRef

MAX_ANSWER: Final = 30_000_000
"""In bytes: ten times the largest image that these models draw."""

ERRORS: Final[Mapping[str, type[ImagegenError]]] = {
    "ThrottlingException": errors.ModelThrottled,
    "ServiceQuotaExceededException": errors.ModelThrottled,
    "ModelNotReadyException": errors.ModelUnavailable,
    "ValidationException": errors.InvalidParameter,
    "AccessDeniedException": errors.Misconfigured,
    # What Bedrock says of a model that has ended: "This model version has reached the end of its life."
    "ResourceNotFoundException": errors.ModelRetired,
    "ModelTimeoutException": errors.ModelTimeout,
    "ModelErrorException": errors.BadModelResponse,
    "ModelStreamErrorException": errors.BadModelResponse,
    "InternalServerException": errors.OutcomeUnknown,
    "ServiceUnavailableException": errors.OutcomeUnknown,
}
"""Every error of botocore's service model; a test compares this table with that list."""

_SENTENCES: Final[Mapping[type[ImagegenError], str]] = {
    errors.ModelThrottled: "The model takes no more requests at the moment.",
    errors.ModelUnavailable: "The model cannot be reached at the moment.",
    errors.InvalidParameter: "The model refused the request as not valid.",
    errors.Misconfigured: "The deployment may not call the model.",
    errors.ModelRetired: "The model is retired or not available to this account.",
    errors.ModelTimeout: "The model did not answer in time.",
    errors.BadModelResponse: "The model failed while it worked on the request.",
    errors.OutcomeUnknown: "The call to the model ended without an answer.",
}

# No byte of the request was sent, so these are certainly unbilled.
_UNREACHED: Final = (
    botocore.EndpointConnectionError,
    botocore.ConnectTimeoutError,
    botocore.ProxyConnectionError,
)
_UNSENT: Final = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
    botocore.TokenRetrievalError,
    botocore.NoAuthTokenError,
    botocore.ParamValidationError,
)
_TIMED_OUT: Final = (botocore.ReadTimeoutError, urllib3.exceptions.ReadTimeoutError, TimeoutError)

# AWS's front end refuses some requests itself (signature, credentials, unknown operation). botocore's service model
# does not list those codes, so go by the status.
_REFUSED_BY_THE_FRONT_END: Final = frozenset({400, 401, 403, 404, 405, 413, 415})
_TOO_MANY_REQUESTS: Final = 429
_REQUEST_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")

# A body that arrives at the last moment is paid, so it gets two seconds more.
_BODY_GRACE: Final = timedelta(seconds=2)


class BedrockRuntime:
    """The model runtime of one deployment: one client for each region that its models are called in.

    A call takes at most `model_timeout` seconds, and a few more to connect and to read a body that has begun.
    """

    def __init__(self, clients: Mapping[str, DirectRuntime], *, model_timeout: float, clock: Clock) -> None:
        self._clients = clients
        self._model_timeout = timedelta(seconds=model_timeout)
        self._clock = clock

    def invoke(self, ref: ModelRef, body: bytes) -> bytes:
        """Send one InvokeModel request (streamed if the registry says so) and return the whole answer.

        Raises:
            ImagegenError: one of the table above; the class says whether the call was certainly unbilled.
        """
        try:
            client = self._clients[ref.region]
        except ImagegenError:
            raise
        except Exception as exc:
            # Nothing was sent.
            raise _error(errors.ModelUnavailable) from exc
        send = self._streamed if ref.model.streams else self._whole
        try:
            return send(client, ref.target, body)
        except ImagegenError:
            raise
        except Exception as exc:
            # While a body is read, the errors of sockets, of urllib3, of parsers and of the event stream come through.
            raise _translated(exc) from exc

    def _whole(self, client: DirectRuntime, target: str, body: bytes) -> bytes:
        ends_at = self._clock.now() + self._model_timeout
        answer = client.invoke_model(
            modelId=target, body=body, contentType="application/json", accept="application/json"
        )
        left = max(ends_at - self._clock.now(), _BODY_GRACE)
        try:
            return answer.read(seconds=left.total_seconds(), longest=MAX_ANSWER)
        except TooLongError as exc:
            raise _too_long() from exc

    def _streamed(self, client: DirectRuntime, target: str, body: bytes) -> bytes:
        ends_at = self._clock.now() + self._model_timeout
        stream = client.invoke_model_with_response_stream(
            modelId=target, body=body, contentType="application/json", accept="application/json"
        )["body"]
        try:
            return b"".join(self._chunks(stream, ends_at=ends_at))
        finally:
            stream.close()

    def _chunks(self, stream: Any, *, ends_at: datetime) -> Iterator[bytes]:
        """Yield the bytes of an event stream; an error event arrives as an EventStreamError, a ClientError."""
        length = 0
        try:
            for event in stream:
                chunk: bytes = event.get("chunk", {}).get("bytes", b"")
                length += len(chunk)
                _check_length(length)
                if self._clock.now() > ends_at + _BODY_GRACE:
                    raise _error(errors.ModelTimeout)
                yield chunk
        except botocore.EventStreamError as exc:
            error = _of_client_error(exc)
            # A model that has begun to answer has done work, so the call counts as paid whatever it says afterwards.
            raise _error(errors.OutcomeUnknown) if length and error.kind.paid == "no" else error from exc


def _check_length(length: int) -> None:
    if length > MAX_ANSWER:
        raise _too_long()


def _too_long() -> ImagegenError:
    return errors.BadModelResponse("The model's answer is too long.")


def _translated(exc: Exception) -> ImagegenError:
    if isinstance(exc, botocore.ClientError):
        return _of_client_error(exc)
    if isinstance(exc, _UNREACHED):
        return _error(errors.ModelUnavailable)
    if isinstance(exc, _TIMED_OUT):
        return _error(errors.ModelTimeout)
    if isinstance(exc, _UNSENT):
        return _error(errors.Misconfigured)
    return _error(errors.OutcomeUnknown)


def _of_client_error(exc: botocore.ClientError) -> ImagegenError:
    details, metadata = exc.response.get("Error", {}), exc.response.get("ResponseMetadata", {})
    code, message = _text(details.get("Code")), _text(details.get("Message"))
    # Event streams name the same errors in camelCase.
    name = code[:1].upper() + code[1:]
    status = metadata.get("HTTPStatusCode", 0)
    # The message itself is dropped. It says nothing if the exception does not say that nothing was paid.
    unbilled = name in ERRORS or status in _REFUSED_BY_THE_FRONT_END
    cause = refusal_of(name, message) if unbilled else None
    if cause is not None:
        error = cause.error(cause.sentence, retry_after=cause.retry_after or _retry_after(cause.error))
    else:
        error = _error(ERRORS.get(name) or _by_status(status))
    refusal = VendorRefusal(
        reason=reason_of(name, cause),
        request_id=_request_id(metadata),
        lasting=cause is not None and cause.lasting,
    )
    return replace(error, refusal=refusal)


def _text(value: object) -> str:
    """Return a member of an error that should be text; botocore passes on whatever the far side has sent."""
    return value if isinstance(value, str) else ""


def _request_id(metadata: Mapping[str, Any]) -> str:
    """Return Bedrock's id of the request, if it looks like one."""
    id_ = metadata.get("RequestId", "")
    return id_ if isinstance(id_, str) and _REQUEST_ID.fullmatch(id_) else ""


def _by_status(status: int) -> type[ImagegenError]:
    if status == _TOO_MANY_REQUESTS:
        return errors.ModelThrottled
    # An unknown 5xx may come after the model has worked, so it counts as paid.
    return errors.Misconfigured if status in _REFUSED_BY_THE_FRONT_END else errors.OutcomeUnknown


def _error(kind: type[ImagegenError]) -> ImagegenError:
    return kind(_SENTENCES[kind], retry_after=_retry_after(kind))


def _retry_after(kind: type[ImagegenError]) -> int | None:
    return RETRY_AFTER if issubclass(kind, errors.WaitError) else None
