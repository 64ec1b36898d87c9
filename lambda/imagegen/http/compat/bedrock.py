"""Bedrock's shape: `InvokeModel` of Diffusion 1.0 (SDXL 1.0), translated into our contract and back.

See the Amazon Bedrock user guide, "Diffusion 1.0 text to image", and the API reference, "InvokeModel" and
"InvokeModelWithResponseStream". The body is our contract without our own fields. The path names the model.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal
from urllib.parse import unquote

from typing_extensions import TypedDict

from imagegen import errors
from imagegen.contracts.generation_request import fingerprint
from imagegen.contracts.text_to_image import parameters
from imagegen.errors import FieldError, ImagegenError
from imagegen.generations.history import History
from imagegen.generations.submit import Submitter
from imagegen.http import event_stream, reply, request
from imagegen.http.compat import MAX_INLINE_BYTES, RouteFunction, contract_request, read_inline
from imagegen.http.described import Described
from imagegen.http.problems import sentence
from imagegen.http.reply import Reply, error_headers
from imagegen.http.request import Request
from imagegen.models.registry import ModelRef

SDXL: Final = "stability.stable-diffusion-xl-v1"
SDXL_IDS: Final = (SDXL, f"{SDXL}:0")
"""The ids whose contract this is; any model of the deployment may serve them."""

MAX_STREAMED_BYTES: Final = 3_300_000
"""The longest image in a stream: twice in base64 it has to fit the 6 MB of a Lambda function's response."""

FinishReason = Literal["SUCCESS", "CONTENT_FILTERED"]


class BedrockArtifactBody(TypedDict):
    """One image."""

    seed: Annotated[
        int,
        Described(
            minimum=parameters.MIN_SEED,
            maximum=parameters.MAX_SEED,
            description="The seed that was sent to the model.",
            examples=[3407],
        ),
    ]
    base64: Annotated[str, Described(description="The PNG in base64; empty if the image was filtered.")]
    finishReason: Annotated[
        FinishReason, Described(description="CONTENT_FILTERED if the model's filter stopped the image.")
    ]


class BedrockBody(TypedDict):
    """The response of the Diffusion 1.0 contract."""

    result: Annotated[Literal["success"], Described(description="Also for a filtered image.")]
    artifacts: Annotated[list[BedrockArtifactBody], Described(minItems=1, maxItems=1)]


class BedrockErrorBody(TypedDict):
    """Any failure, in the shape of Bedrock's runtime; the header `X-Amzn-Errortype` names the exception."""

    message: Annotated[str, Described(description="One sentence for people.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bedrock:
    """The routes of Bedrock's clients over the use case."""

    submitter: Submitter
    history: History
    models: Sequence[ModelRef]

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """The function of each route, by the route's name."""
        return {"invokeModel": self.invoke, "invokeModelWithResponseStream": self.invoke_with_stream}

    def invoke(self, request: Request, model_id: str) -> Reply:
        """Make one image and return it in JSON."""
        body, headers = self._made(request, model_id, max_bytes=MAX_INLINE_BYTES)
        return reply.json_reply(200, body, headers=headers)

    def invoke_with_stream(self, request: Request, model_id: str) -> Reply:
        """Make one image and return the same JSON as the only event of a stream."""
        body, headers = self._made(request, model_id, max_bytes=MAX_STREAMED_BYTES)
        encoded = b64encode(json.dumps(body, separators=(",", ":")).encode("ascii"))
        return Reply(
            status=200,
            body=event_stream.chunk(b'"bytes":"' + encoded + b'"'),
            content_type=event_stream.CONTENT_TYPE,
            headers={**headers, "X-Amzn-Bedrock-Content-Type": reply.JSON},
        )

    def problem(self, error: ImagegenError, _: Request) -> Reply:
        """Return an error as Bedrock's runtime writes it."""
        headers = {**error_headers(error), "X-Amzn-Errortype": exception_of(type(error))}
        return reply.json_reply(status_of(type(error)), problem(error), headers=headers)

    def _made(self, request: Request, model_id: str, *, max_bytes: int) -> tuple[BedrockBody, dict[str, str]]:
        owner, key = request.owner, idempotency_key(request)
        model = model_of(model_id, self.models)
        wanted = contract_request(request.members(request.route.max_body), model=model)
        try:
            submission = self.submitter.submit(
                wanted,
                owner=owner,
                fingerprint=fingerprint(wanted),
                key=key,
                asynchronous=False,
                own=request.own_limits,
                key_id=request.key_id,
                signs=request.repeat_signs,
                # An SDK repeats by itself, and takes a refusal for the end of its call.
                waits=not request.header("Idempotency-Key"),
                deadline=request.deadline,
            )
        except errors.ContentFiltered as exc:
            # The error names its generation, whose record has the seed that was sent to the model.
            try:
                record = self.history.look_up(str(exc.generation_id), owner=owner)
            except ImagegenError as lost:
                raise replace(lost, charged=exc.paid, generation_id=exc.generation_id) from exc
            body = body_of("", seed=record.request.task.seed, reason="CONTENT_FILTERED")
            return body, error_headers(exc) | reply.cost_header(record)
        with self.submitter.replying(submission):
            png, image = read_inline(self.history, submission.generation, max_bytes=max_bytes)
        headers = reply.cost_header(submission.generation)
        if submission.replayed:
            headers |= reply.REPLAYED
        return body_of(b64encode(png).decode("ascii"), seed=image.seed, reason="SUCCESS"), headers


def model_of(model_id: str, refs: Iterable[ModelRef]) -> str | None:
    """Return the model that an id pins, or None if any model may serve.

    Raises:
        UnknownModel: there is no such model here.
    """
    # The id of a model has a colon, which boto3 sends as %3A.
    id_ = unquote(model_id)
    if id_ in SDXL_IDS:
        return None
    enabled = [ref.id for ref in refs]
    if id_ in enabled:
        return id_
    message = f"must be one of: {', '.join(dict.fromkeys((*SDXL_IDS, *enabled)))}"
    raise errors.UnknownModel(
        "The provided model identifier is invalid.", errors=(FieldError(field="modelId", message=message),)
    )


def idempotency_key(request_: Request) -> str | None:
    """Return `Idempotency-Key`; if it is absent, the id that AWS's SDKs send with each attempt of one call.

    An id that cannot be an idempotency key is ignored, because the caller did not choose it.

    Raises:
        InvalidParameter: `Idempotency-Key` is malformed.
    """
    if request_.header("Idempotency-Key"):
        return request_.idempotency_key
    try:
        return request.idempotency_key(request_.header("Amz-Sdk-Invocation-Id"))
    except errors.InvalidParameter:
        return None


def body_of(base64: str, *, seed: int, reason: FinishReason) -> BedrockBody:
    """Return the body of a 200."""
    return {"result": "success", "artifacts": [{"seed": seed, "base64": base64, "finishReason": reason}]}


def problem(error: ImagegenError) -> BedrockErrorBody:
    """Return the body of an error."""
    return {"message": sentence(error)}


_VALIDATION: Final = ("ValidationException", 400)
_ACCESS: Final = ("AccessDeniedException", 403)
_NOT_FOUND: Final = ("ResourceNotFoundException", 404)
_THROTTLING: Final = ("ThrottlingException", 429)
_MODEL: Final = ("ModelErrorException", 424)
_INTERNAL: Final = ("InternalServerException", 500)

# AWS's SDKs repeat 429 and 5xx by themselves. Whatever may have been paid is 408 or 424, which they do not repeat.
EXCEPTIONS: Final[Mapping[type[ImagegenError], tuple[str, int]]] = {
    errors.InvalidJson: _VALIDATION,
    errors.UnsupportedMediaType: _VALIDATION,
    errors.PayloadTooLarge: _VALIDATION,
    errors.InvalidParameter: _VALIDATION,
    errors.UnknownParameter: _VALIDATION,
    errors.UnsupportedParameter: _VALIDATION,
    errors.UnknownModel: _VALIDATION,
    errors.Unauthorized: _ACCESS,
    errors.Forbidden: _ACCESS,
    errors.NotFound: _NOT_FOUND,
    errors.MethodNotAllowed: (_VALIDATION[0], errors.MethodNotAllowed.kind.status),
    errors.Gone: _NOT_FOUND,
    errors.IdempotencyConflict: _VALIDATION,
    # Only an error example has this: both routes reply to a filtered image with 200.
    errors.ContentFiltered: _VALIDATION,
    errors.InProgress: ("ModelNotReadyException", 429),
    errors.RateLimited: _THROTTLING,
    errors.QuotaExceeded: ("ServiceQuotaExceededException", 400),
    errors.ModelThrottled: _THROTTLING,
    errors.ModelUnavailable: ("ServiceUnavailableException", 503),
    errors.ModelRetired: _NOT_FOUND,
    errors.Misconfigured: _INTERNAL,
    errors.OutcomeUnknown: _MODEL,
    errors.ModelTimeout: ("ModelTimeoutException", 408),
    errors.BadModelResponse: _MODEL,
    errors.StoreFailed: _MODEL,
    errors.InternalError: _INTERNAL,
}
"""The exception of Bedrock's runtime for each error, with its status."""


def exception_of(kind: type[ImagegenError]) -> str:
    """Return the name of the exception that AWS's SDKs raise for an error."""
    return EXCEPTIONS[kind][0]


def status_of(kind: type[ImagegenError]) -> int:
    """Return the status that Bedrock's runtime gives an error."""
    return EXCEPTIONS[kind][1]
