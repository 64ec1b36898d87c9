"""Every route as the OpenAPI document describes it: what it takes, what it answers and which errors it can end with.

A test compares the table with the routes of `api.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from imagegen import errors
from imagegen.contracts.text_to_image import schema
from imagegen.errors import ImagegenError
from imagegen.http import compat_responses as theirs
from imagegen.http import request as parameters
from imagegen.http import responses
from imagegen.http.compat import openai
from imagegen.http.compat.stability import SDXL_ENGINE

if TYPE_CHECKING:
    from pydantic import BaseModel

Shape = Literal["problem", "openai", "stability"]
"""In whose words a route answers errors."""

Errors = tuple[type[ImagegenError], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """One answer that is not an error; `body` is None where there is none, `png` if it may be bytes too."""

    status: int
    description: str
    body: type[BaseModel] | None = None
    is_list: bool = False
    png: bool = False
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path, below the base path."""

    method: str
    path: str
    id: str
    summary: str
    successes: Sequence[Success]
    errors: Errors
    description: str = ""
    request: type[BaseModel] | None = None
    without: tuple[str, ...] = ()
    """Members of `request` that this route does not take."""
    parameters: Sequence[Mapping[str, Any]] = ()
    shape: Shape = "problem"
    needs_key: bool = True


_GATEWAY: Final[Errors] = (
    errors.Unauthorized,
    errors.Forbidden,
    errors.MethodNotAllowed,
    errors.RateLimited,
    errors.QuotaExceeded,
    errors.InternalError,
    errors.Misconfigured,
    errors.ModelTimeout,
)
_MAKING: Final[Errors] = (
    errors.InvalidJson,
    errors.InvalidParameter,
    errors.UnknownParameter,
    errors.UnsupportedParameter,
    errors.UnknownModel,
    errors.Unauthorized,
    errors.Forbidden,
    errors.MethodNotAllowed,
    errors.InProgress,
    errors.Gone,
    errors.PayloadTooLarge,
    errors.UnsupportedMediaType,
    errors.IdempotencyConflict,
    errors.ContentFiltered,
    errors.RateLimited,
    errors.QuotaExceeded,
    errors.InternalError,
    errors.Misconfigured,
    errors.OutcomeUnknown,
    errors.BadModelResponse,
    errors.StoreFailed,
    errors.ModelThrottled,
    errors.ModelUnavailable,
    errors.ModelRetired,
    errors.ModelTimeout,
)

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes the request safe to repeat: the same key and body give the same generation, paid at most "
    "once. It is the caller's own; another caller's key of the same name is another key.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"},
    "example": "order-2026-11-03-0001",
}
_PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` (RFC 7240) answers 202 at once; other preferences have no effect.",
    "schema": {"type": "string"},
    "examples": {"asynchronous": {"value": "respond-async"}},
}
_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The generation's id.",
    "schema": {"type": "string", "pattern": "^gen_[a-z2-7]{26}$"},
    "example": "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a",
}
_LIMIT: Final = {
    "name": "limit",
    "in": "query",
    "description": "How many generations the page has at most.",
    "schema": {
        "type": "integer",
        "minimum": 1,
        "maximum": parameters.MAX_LIMIT,
        "default": parameters.DEFAULT_LIMIT,
    },
}
_CURSOR: Final = {
    "name": "cursor",
    "in": "query",
    "description": "The `next_cursor` of the page before.",
    "schema": {"type": "string", "minLength": 1, "maxLength": parameters.MAX_CURSOR_LENGTH},
}
_ENGINE: Final = {
    "name": "engine_id",
    "in": "path",
    "required": True,
    "description": f"`{SDXL_ENGINE}` for any model of the deployment, or the id of an enabled model to pin it.",
    "schema": {"type": "string", "minLength": 1},
    "example": SDXL_ENGINE,
}
_REPLAYED: Final = ("Idempotent-Replayed",)

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path="/text-to-image",
        id="createGeneration",
        summary="Make an image",
        description="The request of the Diffusion 1.0 (SDXL 1.0) contract of Amazon Bedrock. The first available "
        "model of the deployment draws the image; the answer says which one, and what it could not honour.",
        request=schema.RequestBody,
        parameters=(_IDEMPOTENCY_KEY, _PREFER),
        successes=(
            Success(
                status=200,
                description="The image was made.",
                body=responses.GenerationBody,
                headers=_REPLAYED,
            ),
            Success(
                status=202,
                description="The image will be made; asked for with `Prefer: respond-async`.",
                body=responses.AcceptedBody,
                headers=("Location", "Retry-After", "Preference-Applied", "Idempotent-Replayed"),
            ),
        ),
        errors=_MAKING,
    ),
    Operation(
        method="GET",
        path="/generations",
        id="listGenerations",
        summary="List the caller's generations",
        description="Newest first, failed ones too.",
        parameters=(_LIMIT, _CURSOR),
        successes=(Success(status=200, description="One page.", body=responses.HistoryBody),),
        errors=(errors.InvalidParameter, *_GATEWAY),
    ),
    Operation(
        method="GET",
        path="/generations/{id}",
        id="showGeneration",
        summary="Look a generation up",
        description="A failed one, too, answers 200; its `error` says why.",
        parameters=(_ID,),
        successes=(
            Success(
                status=200,
                description="The generation, with a fresh URL if it succeeded.",
                body=responses.GenerationDetailBody,
            ),
        ),
        errors=(errors.NotFound, errors.Gone, *_GATEWAY),
    ),
    Operation(
        method="GET",
        path="/generations/{id}/image",
        id="redirectToImage",
        summary="Go to the image",
        parameters=(_ID,),
        successes=(
            Success(status=302, description="The way to a fresh presigned URL.", headers=("Location",)),
        ),
        errors=(errors.NotFound, errors.InProgress, errors.Gone, *_GATEWAY),
    ),
    Operation(
        method="DELETE",
        path="/generations/{id}",
        id="deleteGeneration",
        summary="Remove a generation",
        description="Removes the image and the record; the id is unknown afterwards.",
        parameters=(_ID,),
        successes=(Success(status=204, description="It is gone."),),
        errors=(errors.NotFound, errors.InProgress, *_GATEWAY),
    ),
    Operation(
        method="GET",
        path="/models",
        id="listModels",
        summary="List the enabled models",
        successes=(
            Success(
                status=200,
                description="The models, in the order in which they serve.",
                body=responses.ModelsBody,
            ),
        ),
        errors=_GATEWAY,
    ),
    Operation(
        method="GET",
        path="/health",
        id="showHealth",
        summary="Tell that the service runs",
        successes=(Success(status=200, description="It runs.", body=responses.HealthBody),),
        errors=(errors.MethodNotAllowed, errors.RateLimited, errors.InternalError, errors.ModelTimeout),
        needs_key=False,
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        id="showOpenApi",
        summary="Describe this API",
        successes=(Success(status=200, description="This document.", body=responses.OpenApiBody),),
        errors=(errors.MethodNotAllowed, errors.RateLimited, errors.InternalError, errors.ModelTimeout),
        needs_key=False,
    ),
    Operation(
        method="POST",
        path="/images/generations",
        id="createOpenAIImages",
        summary="Make images, as OpenAI's clients ask for them",
        description="OpenAI's request, answer and error shapes; the key goes into `x-api-key` (`default_headers`). "
        "Each of the `n` images is a generation of its own; the answer has those that succeeded, and is an error only "
        "if none did. What the gateway itself refuses is an `application/problem+json`.",
        request=openai.ImagesBody,
        parameters=(_IDEMPOTENCY_KEY,),
        successes=(
            Success(
                status=200,
                description="The images that were made.",
                body=theirs.OpenAIImagesBody,
                headers=_REPLAYED,
            ),
        ),
        errors=_MAKING,
        shape="openai",
    ),
    Operation(
        method="POST",
        path="/generation/{engine_id}/text-to-image",
        id="createStabilityImage",
        summary="Make an image, as Stability's clients ask for it",
        description="Stability's v1 REST shapes; the key goes into `x-api-key`. `Accept: image/png`, as the first "
        "media type, answers the bytes. What the gateway itself refuses is an `application/problem+json`.",
        request=schema.RequestBody,
        without=("model", "strict", "webhook_url"),
        parameters=(_ENGINE, _IDEMPOTENCY_KEY),
        successes=(
            Success(
                status=200,
                description="The image; as bytes, with the headers `Finish-Reason` and `Seed`.",
                body=theirs.StabilityArtifactsBody,
                png=True,
                headers=("Idempotent-Replayed", "Finish-Reason", "Seed"),
            ),
        ),
        errors=(errors.NotFound, *_MAKING),
        shape="stability",
    ),
    Operation(
        method="GET",
        path="/engines/list",
        id="listStabilityEngines",
        summary="List the engines that Stability's route takes",
        successes=(
            Success(status=200, description="The engines.", body=theirs.StabilityEngineBody, is_list=True),
        ),
        errors=_GATEWAY,
        shape="stability",
    ),
)
