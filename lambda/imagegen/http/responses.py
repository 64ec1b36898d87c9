"""The shapes of our own contract's answers, for the OpenAPI document; no request imports this module.

A member that does not apply is absent, never null, but where null is a value of its own (`next_cursor`, lifecycle).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagegen.contracts.text_to_image import parameters
from imagegen.errors import MAX_FIELD_ERRORS

ABSENT: Final[Any] = None
"""The default of a member that may be left out and is never null."""

_EXAMPLE_ID: Final = "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a"
_EXAMPLE_MODEL: Final = "stability.stable-image-core-v1:1"
_EXAMPLE_TIME: Final = "2026-11-03T09:21:07Z"

GenerationId = Annotated[
    str,
    Field(
        pattern="^gen_[a-z2-7]{26}$",
        description="The generation's id, its owner's alone.",
        examples=[_EXAMPLE_ID],
    ),
]
CreatedAt = Annotated[
    datetime, Field(description="When the request was taken, in UTC.", examples=[_EXAMPLE_TIME])
]
ModelId = Annotated[str, Field(description="The model that drew the image.", examples=[_EXAMPLE_MODEL])]
Result = Annotated[
    Literal["success"], Field(description="The contract's own word for an image that was made.")
]
IgnoredParameters = Annotated[
    list[str],
    Field(
        description="Parameters that were sent, beyond their defaults, and have no effect on this model.",
        examples=[["sampler"]],
    ),
]


def without_default(schema: dict[str, Any]) -> None:
    """Leave a default out of a schema: the member may be absent, and is never null."""
    schema.pop("default", None)


class AnswerBody(BaseModel):
    """What every shape of an answer is: closed, and built only when the document asks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ArtifactBody(AnswerBody):
    """One image: where it can be downloaded, and what made it."""

    model_config = ConfigDict(title="Artifact")

    seed: Annotated[
        int,
        Field(
            ge=parameters.MIN_SEED,
            le=parameters.MAX_SEED,
            description="The seed that made the image; sent again, it makes it again.",
            examples=[3407],
        ),
    ]
    finish_reason: Annotated[
        Literal["SUCCESS"], Field(alias="finishReason", description="Why the model stopped; a success, here.")
    ]
    url: Annotated[
        str,
        Field(
            description="A presigned URL of the image, which needs no key and expires.",
            examples=["https://images.s3.us-east-1.amazonaws.com/images/…?X-Amz-Signature=…"],
        ),
    ]
    expires_at: Annotated[
        datetime,
        Field(description="When `url` stops working, in UTC.", examples=["2026-11-03T10:21:07Z"]),
    ]
    content_type: Annotated[Literal["image/png"], Field(description="The image's media type.")]
    width: Annotated[int, Field(ge=1, description="Pixels of the image itself.", examples=[1024])]
    height: Annotated[int, Field(ge=1, description="Pixels of the image itself.", examples=[1024])]
    bytes: Annotated[int, Field(ge=1, description="Length of the image.", examples=[1_812_345])]
    sha256: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{64}$",
            description="SHA-256 of the image, in hex.",
            examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        ),
    ]


class GenerationBody(AnswerBody):
    """A generation that succeeded."""

    model_config = ConfigDict(title="Generation")

    id: GenerationId
    status: Annotated[Literal["succeeded"], Field(description="Final: the image is there.")]
    result: Result
    model: ModelId
    created_at: CreatedAt
    ignored_parameters: IgnoredParameters
    artifacts: Annotated[list[ArtifactBody], Field(min_length=1, max_length=1, description="The image.")]


class AcceptedBody(AnswerBody):
    """A generation that will be made; `Location` tells where to look."""

    model_config = ConfigDict(title="Accepted")

    id: GenerationId
    status: Annotated[
        Literal["queued", "running", "succeeded", "failed"],
        Field(description="Where the generation stands; the last two are final."),
    ]
    created_at: CreatedAt


class FieldErrorBody(AnswerBody):
    """One thing wrong with one field."""

    model_config = ConfigDict(title="FieldError")

    field: Annotated[
        str, Field(description="The field's path, or a header's name.", examples=["text_prompts[0].text"])
    ]
    message: Annotated[
        str, Field(description="What is allowed.", examples=["must be an integer from 10 to 150"])
    ]


class ProblemBody(AnswerBody):
    """Any failure, as RFC 9457 describes problems; it never repeats a prompt."""

    model_config = ConfigDict(title="Problem")

    type: Annotated[str, Field(description="A URI that stands for the code.")]
    title: Annotated[str, Field(description="The code in words.", examples=["A parameter is not valid"])]
    status: Annotated[int, Field(ge=400, le=599, description="The HTTP status.", examples=[400])]
    code: Annotated[str, Field(description="A stable name for programs.", examples=["invalid_parameter"])]
    detail: Annotated[
        str,
        Field(description="One sentence for people.", examples=["steps must be an integer from 10 to 150."]),
    ]
    request_id: Annotated[str, Field(description="Finds this request in the service's logs.")]
    retryable: Annotated[bool, Field(description="Whether the same request can work later.")]
    errors: Annotated[
        list[FieldErrorBody],
        Field(
            max_length=MAX_FIELD_ERRORS,
            description="The fields at fault, the first ten.",
            json_schema_extra=without_default,
        ),
    ] = ABSENT


class GenerationDetailBody(AnswerBody):
    """A generation in any state; a failed one says why in `error`."""

    model_config = ConfigDict(title="GenerationDetail")

    id: GenerationId
    status: Annotated[
        Literal["queued", "running", "succeeded", "failed"],
        Field(description="Where the generation stands; the last two are final."),
    ]
    created_at: CreatedAt
    request: Annotated[
        dict[str, Any],
        Field(description="The contract's parameters as resolved, with defaults and the seed."),
    ]
    result: Annotated[Result, Field(json_schema_extra=without_default)] = ABSENT
    model: Annotated[ModelId, Field(json_schema_extra=without_default)] = ABSENT
    ignored_parameters: Annotated[IgnoredParameters, Field(json_schema_extra=without_default)] = ABSENT
    artifacts: Annotated[
        list[ArtifactBody],
        Field(description="The image, with a fresh URL; after success.", json_schema_extra=without_default),
    ] = ABSENT
    error: Annotated[
        ProblemBody,
        Field(description="Why it failed; after failure.", json_schema_extra=without_default),
    ] = ABSENT


class HistoryBody(AnswerBody):
    """One page of the caller's generations, newest first; failed ones too."""

    model_config = ConfigDict(title="History")

    generations: Annotated[list[GenerationDetailBody], Field(description="At most `limit` of them.")]
    next_cursor: Annotated[
        str | None, Field(description="Send it as `cursor` for the next page; null on the last.")
    ]


class LifecycleBody(AnswerBody):
    """When the vendor retires a model, as announced."""

    model_config = ConfigDict(title="Lifecycle")

    status: Annotated[Literal["active", "legacy", "end_of_life"], Field(description="Today's status.")]
    legacy_at: Annotated[date | None, Field(description="When it becomes legacy.", examples=["2024-10-16"])]
    end_of_life_at: Annotated[
        date | None, Field(description="When it stops answering.", examples=["2025-05-20"])
    ]
    successor: Annotated[str | None, Field(description="The model to go on with.", examples=[_EXAMPLE_MODEL])]


class ModelBody(AnswerBody):
    """One enabled model."""

    model_config = ConfigDict(title="Model")

    id: Annotated[str, Field(description="What `model` of a request takes.", examples=[_EXAMPLE_MODEL])]
    name: Annotated[str, Field(description="The vendor's name.", examples=["Stable Image Core 1.1"])]
    default: Annotated[
        bool, Field(description="Whether it is the first choice of a request without `model`.")
    ]
    lifecycle: LifecycleBody
    region: Annotated[str, Field(description="The AWS region that it is called in.", examples=["us-west-2"])]
    price_per_image: Annotated[
        float, Field(ge=0, description="US dollars for one image of up to 50 steps.", examples=[0.04])
    ]
    honours: Annotated[
        list[str],
        Field(description="The contract's parameters that have an effect on it.", examples=[["seed"]]),
    ]


class ModelsBody(AnswerBody):
    """The enabled models, in the order in which they are tried."""

    model_config = ConfigDict(title="Models")

    models: Annotated[list[ModelBody], Field(description="The first is asked first.")]


class HealthBody(AnswerBody):
    """That the service runs."""

    model_config = ConfigDict(title="Health")

    status: Annotated[Literal["ok"], Field(description="The function started and is configured.")]


class OpenApiBody(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(title="OpenApi", extra="allow", defer_build=True)

    openapi: Annotated[str, Field(description="The version of the format.", examples=["3.1.0"])]
