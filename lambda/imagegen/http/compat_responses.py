"""The shapes of OpenAI's and Stability's answers, for the OpenAPI document; no request imports this module."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from imagegen.contracts.text_to_image import parameters
from imagegen.http.compat import openai
from imagegen.http.responses import ABSENT, AnswerBody, without_default


class OpenAIImageBody(AnswerBody):
    """One image: `url` or, with `response_format` `b64_json`, itself."""

    model_config = ConfigDict(title="OpenAIImage")

    url: Annotated[
        str,
        Field(description="A presigned URL; needs no key, expires.", json_schema_extra=without_default),
    ] = ABSENT
    b64_json: Annotated[str, Field(description="The PNG in base64.", json_schema_extra=without_default)] = (
        ABSENT
    )


class OpenAIImagesBody(AnswerBody):
    """The images that were made, at least one and at most `n`."""

    model_config = ConfigDict(title="OpenAIImages")

    created: Annotated[int, Field(description="Unix time of the first.", examples=[1793697667])]
    data: Annotated[
        list[OpenAIImageBody],
        Field(min_length=1, max_length=openai.MAX_IMAGES, description="Those that succeeded."),
    ]


class OpenAIErrorMembers(AnswerBody):
    """What went wrong, in OpenAI's members."""

    model_config = ConfigDict(title="OpenAIErrorMembers")

    message: Annotated[str, Field(description="One sentence for people.")]
    type: Annotated[
        Literal[
            "invalid_request_error",
            "authentication_error",
            "permission_error",
            "rate_limit_error",
            "insufficient_quota",
            "server_error",
        ],
        Field(description="OpenAI's kind of error."),
    ]
    param: Annotated[str | None, Field(description="The first field at fault.", examples=["size"])]
    code: Annotated[str, Field(description="The code of this service.", examples=["invalid_parameter"])]


class OpenAIErrorBody(AnswerBody):
    """Any failure, in OpenAI's shape."""

    model_config = ConfigDict(title="OpenAIError")

    error: OpenAIErrorMembers


class StabilityArtifactBody(AnswerBody):
    """One image."""

    model_config = ConfigDict(title="StabilityArtifact")

    base64: Annotated[str, Field(description="The PNG in base64.")]
    finish_reason: Annotated[
        Literal["SUCCESS"], Field(alias="finishReason", description="A filtered image is an error here.")
    ]
    seed: Annotated[
        int,
        Field(
            ge=parameters.MIN_SEED,
            le=parameters.MAX_SEED,
            description="The seed that made it.",
            examples=[3407],
        ),
    ]


class StabilityArtifactsBody(AnswerBody):
    """The image that was made."""

    model_config = ConfigDict(title="StabilityArtifacts")

    artifacts: Annotated[list[StabilityArtifactBody], Field(min_length=1, max_length=1)]


class StabilityEngineBody(AnswerBody):
    """One engine that the path may name."""

    model_config = ConfigDict(title="StabilityEngine")

    id: Annotated[str, Field(description="What `engine_id` takes.")]
    name: str
    description: str
    type: Literal["PICTURE"]


class StabilityErrorBody(AnswerBody):
    """Any failure, in Stability's shape."""

    model_config = ConfigDict(title="StabilityError")

    id: Annotated[str, Field(description="The request's id, which finds it in the service's logs.")]
    name: Annotated[str, Field(description="Stability's name of the error.", examples=["bad_request"])]
    message: Annotated[str, Field(description="One sentence for people, and the service's code.")]
