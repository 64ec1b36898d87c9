"""Describes every route: what it takes, how it replies, and which errors it can end with.

Method, path, shape and key are in the route table, `imagegen.http.surface`. A test compares the names of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field
from typing_extensions import TypedDict

from apidoc import parameters, tags
from imagegen import errors
from imagegen.contracts.text_to_image import schema
from imagegen.errors import ImagegenError
from imagegen.http import event_stream, serialize, surface
from imagegen.http.compat import OURS_ONLY, bedrock, openai, stability
from imagegen.http.compat.openai import images_request
from imagegen.http.surface import Route

if TYPE_CHECKING:
    from pydantic import BaseModel

Errors = tuple[type[ImagegenError], ...]


class OpenApiBody(TypedDict):
    """An OpenAPI document."""

    openapi: Annotated[str, Field(description="The version of the format.", examples=["3.1.0"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """One reply that is not an error.

    `body` is its TypedDict, or None if no JSON is sent. `png` says that the body may be the bytes of an image instead,
    `from_bucket` that the bucket sends this reply, so that it has none of the service's headers.
    """

    status: int
    description: str
    body: type | None = None
    is_list: bool = False
    png: bool = False
    from_bucket: bool = False
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The description of one route of the table.

    `request` is the body that it takes. `without` names the fields of that body that this route does not take; a body
    that is narrowed so has a `request_title` of its own. `takes_null` says that null stands for an absent field.
    """

    name: str
    summary: str
    successes: Sequence[Success]
    errors: Errors
    tag: str
    description: str
    request: type[BaseModel] | None = None
    request_title: str = ""
    without: tuple[str, ...] = ()
    takes_null: bool = False
    parameters: Sequence[Mapping[str, Any]] = ()

    @property
    def route(self) -> Route:
        """The row of the route table."""
        return surface.route_named(self.name)


# The gateway itself can reply with these, in front of any route that needs a key.
_GATEWAY: Final[Errors] = (
    errors.Unauthorized,
    errors.Forbidden,
    errors.MethodNotAllowed,
    errors.RateLimited,
    errors.QuotaExceeded,
    errors.InternalError,
    errors.Misconfigured,
    # Whatever the route: the gateway sends the one if the function crashed, the other if it takes too long.
    errors.OutcomeUnknown,
    errors.ModelTimeout,
)
_OWN: Final[Errors] = (errors.UnknownParameter, *_GATEWAY)
_OPEN: Final[Errors] = (
    errors.UnknownParameter,
    errors.MethodNotAllowed,
    errors.RateLimited,
    errors.InternalError,
    errors.OutcomeUnknown,
    errors.ModelTimeout,
)
"""No key is needed, so the gateway refuses nobody for a missing one."""

ENDINGS: Final[Errors] = (
    # The model itself may refuse what the contract allows.
    errors.InvalidParameter,
    errors.ContentFiltered,
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
"""The errors that a generation can end with. Its record keeps them."""

_MAKING: Final[Errors] = (
    *ENDINGS,
    errors.InvalidJson,
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
    errors.RateLimited,
    errors.QuotaExceeded,
)

_REPLAYED: Final = ("Idempotent-Replayed",)
# `Location` if the image was filtered: its generation failed.
_INVOKED: Final = (*_REPLAYED, "Location", "X-Imagegen-Cost-Usd")
# A filtered image is no error on these routes.
_INVOKING: Final = tuple(kind for kind in _MAKING if kind is not errors.ContentFiltered)

DESCRIBED: Final[tuple[Operation, ...]] = (
    Operation(
        name="createGeneration",
        summary="Make an image",
        tag=tags.GENERATIONS,
        description="The request of the Diffusion 1.0 (SDXL 1.0) contract of Amazon Bedrock. The first available "
        "model of the deployment draws the image; the reply says which one, and what it could not honour.",
        request=schema.RequestBody,
        parameters=(parameters.PREFER,),
        successes=(
            Success(
                status=200,
                description="The image was made.",
                body=serialize.GenerationBody,
                headers=_REPLAYED,
            ),
            Success(
                status=202,
                description="The image will be made; asked for with `Prefer: respond-async`.",
                body=serialize.AcceptedBody,
                headers=("Location", "Retry-After", "Preference-Applied", "Idempotent-Replayed"),
            ),
        ),
        errors=_MAKING,
    ),
    Operation(
        name="listGenerations",
        summary="List the caller's generations",
        tag=tags.GENERATIONS,
        description="Newest first; failed generations are listed as well.",
        parameters=(parameters.LIMIT, parameters.CURSOR),
        successes=(Success(status=200, description="One page.", body=serialize.HistoryBody),),
        errors=(errors.InvalidParameter, *_OWN),
    ),
    Operation(
        name="showGeneration",
        summary="Look a generation up",
        tag=tags.GENERATIONS,
        description="A failed generation also returns 200; its `error` says why it failed.",
        parameters=(parameters.ID,),
        successes=(
            Success(
                status=200,
                description="The generation, with a fresh URL if it succeeded.",
                body=serialize.GenerationDetailBody,
            ),
        ),
        errors=(errors.NotFound, errors.Gone, *_OWN),
    ),
    Operation(
        name="redirectToImage",
        summary="Go to the image",
        tag=tags.GENERATIONS,
        description="The URL in `Location` needs no key and works for at most an hour.",
        parameters=(parameters.ID, parameters.DOWNLOAD),
        successes=(
            Success(status=302, description="A redirect to a fresh presigned URL.", headers=("Location",)),
            # Most clients follow a redirect by themselves, so this is the reply that their callers see.
            Success(
                status=200,
                description="The image (`image/png`), from the bucket, if the client follows the redirect.",
                from_bucket=True,
            ),
        ),
        errors=(errors.InvalidParameter, errors.NotFound, errors.InProgress, errors.Gone, *_OWN),
    ),
    Operation(
        name="deleteGeneration",
        summary="Remove a generation",
        tag=tags.GENERATIONS,
        description="Removes the image and the record; the id is unknown afterwards.",
        parameters=(parameters.ID,),
        successes=(Success(status=204, description="The generation is removed."),),
        errors=(errors.NotFound, errors.InProgress, *_OWN),
    ),
    Operation(
        name="listModels",
        summary="List the enabled models",
        tag=tags.DEPLOYMENT,
        description="Each model with its lifecycle, its price, and the parameters that it honours.",
        successes=(
            Success(
                status=200,
                description="The models, in the order in which they serve.",
                body=openai.OpenAIModelsBody,
            ),
        ),
        errors=_OWN,
    ),
    Operation(
        name="showOpenAIModel",
        summary="Show a model, as OpenAI's clients read it",
        tag=tags.OPENAI,
        description="One value for `model`, in OpenAI's members. The colon of an id may be escaped.",
        parameters=(parameters.MODEL,),
        successes=(Success(status=200, description="The model.", body=openai.OpenAIModelBody),),
        errors=(errors.NotFound, *_GATEWAY),
    ),
    Operation(
        name="showUsage",
        summary="Show what the caller used",
        tag=tags.GENERATIONS,
        description="Images and US dollars by day, the limits that hold for the caller, and what is left of today.",
        parameters=(parameters.DAYS,),
        successes=(Success(status=200, description="The usage.", body=serialize.UsageBody),),
        errors=(errors.InvalidParameter, *_OWN),
    ),
    Operation(
        name="showHealth",
        summary="Say that the service runs",
        tag=tags.DEPLOYMENT,
        description="The function has started and could read its settings; nothing else is checked. No key is needed.",
        successes=(Success(status=200, description="The service runs.", body=serialize.HealthBody),),
        errors=_OPEN,
    ),
    Operation(
        name="showOpenApi",
        summary="Describe this API",
        tag=tags.DEPLOYMENT,
        description="The same document for every deployment. No key is needed. With the `ETag` of an earlier reply as "
        "`If-None-Match`, the reply is a 304 unless the document has changed.",
        successes=(
            Success(status=200, description="This document.", body=OpenApiBody, headers=("ETag",)),
            Success(status=304, description="The document has not changed.", headers=("ETag",)),
        ),
        errors=_OPEN,
    ),
    Operation(
        name="createOpenAIImages",
        summary="Make images, as OpenAI's clients ask for them",
        tag=tags.OPENAI,
        description="OpenAI's shapes of request, reply and error; the key goes into `x-api-key` (`default_headers`). "
        "Each of the `n` images is a generation of its own; the reply has those that succeeded, and is an error only "
        "if none did. If the gateway itself refuses a request, the reply is an `application/problem+json`.",
        request=images_request.ImagesBody,
        successes=(
            Success(
                status=200,
                description="The images that were made.",
                body=openai.OpenAIImagesBody,
                headers=("Idempotent-Replayed", "X-Imagegen-Model", "X-Imagegen-Cost-Usd"),
            ),
        ),
        errors=_MAKING,
    ),
    Operation(
        name="createStabilityImage",
        summary="Make an image, as Stability's clients ask for it",
        tag=tags.STABILITY,
        description="Stability's v1 REST shapes. If `Accept` prefers `image/png` to JSON, and begins with one of the "
        "two, the reply is the bytes. A field that is null counts as absent. If the gateway itself refuses a request, "
        "the reply is an `application/problem+json`.",
        request=schema.RequestBody,
        request_title="StabilityTextToImageRequest",
        takes_null=True,
        without=OURS_ONLY,
        parameters=(parameters.ENGINE,),
        successes=(
            Success(
                status=200,
                description="The image. If it is sent as bytes, the reply has the headers `Finish-Reason` and `Seed`.",
                body=stability.StabilityArtifactsBody,
                png=True,
                headers=("Idempotent-Replayed", "Finish-Reason", "Seed", "X-Imagegen-Cost-Usd"),
            ),
        ),
        errors=(errors.NotFound, *_MAKING),
    ),
    Operation(
        name="listStabilityEngines",
        summary="List the engines that Stability's route takes",
        tag=tags.STABILITY,
        description="Each `id` is an `engine_id` of the route that makes an image.",
        successes=(
            Success(status=200, description="The engines.", body=stability.StabilityEngineBody, is_list=True),
        ),
        errors=_GATEWAY,
    ),
    Operation(
        name="showStabilityBalance",
        summary="Say how many images are left today",
        tag=tags.STABILITY,
        description="One credit is one image.",
        successes=(Success(status=200, description="The balance.", body=stability.StabilityBalanceBody),),
        errors=_GATEWAY,
    ),
    Operation(
        name="invokeModel",
        summary="Make an image, as clients of Bedrock's runtime ask for it",
        tag=tags.BEDROCK,
        description="`InvokeModel` with the request and response of the Diffusion 1.0 contract. Errors have the "
        "statuses of Bedrock's runtime. If the gateway itself refuses a request, the reply is an "
        "`application/problem+json`.",
        request=schema.RequestBody,
        request_title="BedrockTextToImageRequest",
        without=OURS_ONLY,
        parameters=(parameters.MODEL_ID,),
        successes=(
            Success(
                status=200,
                description="The image was made, or the model's filter stopped it.",
                body=bedrock.BedrockBody,
                headers=_INVOKED,
            ),
        ),
        errors=_INVOKING,
    ),
    Operation(
        name="invokeModelWithResponseStream",
        summary="Make an image, as clients that read streams ask for it",
        tag=tags.BEDROCK,
        description="As `InvokeModel`; the response is in one `chunk` event of AWS's event-stream encoding "
        f"(`{event_stream.CONTENT_TYPE}`).",
        request=schema.RequestBody,
        request_title="BedrockTextToImageRequest",
        without=OURS_ONLY,
        parameters=(parameters.MODEL_ID,),
        successes=(
            Success(
                status=200,
                # Without `content`: generators of clients warn about a media type that they cannot read.
                description="The image was made, or the model's filter stopped it: an event stream.",
                headers=(*_INVOKED, "X-Amzn-Bedrock-Content-Type"),
            ),
        ),
        errors=_INVOKING,
    ),
)
