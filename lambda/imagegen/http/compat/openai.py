"""OpenAI's `POST /images/generations`, translated into our contract and back; pure.

See the OpenAI API reference, "Create image". `model`, `size` and `n` are honoured or refused, never changed.
`style` vivid is the contract's style preset `enhance`, natural is none. `quality` and `user` are accepted and have
no effect. Every member but `prompt` may be null, which means that it is absent.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.refusals import explained, refusal, unknown_field
from imagegen.contracts.text_to_image import parameters, schema
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import (
    CallerError,
    FieldError,
    Forbidden,
    ImagegenError,
    QuotaExceeded,
    RateLimited,
    Unauthorized,
    invalid,
)

PREFIX: Final = "/images/"
"""Every path below it answers errors in OpenAI's shape."""

MAX_IMAGES: Final = 10
ANY_MODEL: Final = "auto"

Size = Literal[
    "auto",
    "1024x1024",
    "1152x896",
    "1216x832",
    "1344x768",
    "1536x640",
    "640x1536",
    "768x1344",
    "832x1216",
    "896x1152",
]
Quality = Literal["auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"]
Style = Literal["vivid", "natural"]
ResponseFormat = Literal["url", "b64_json"]

_ONE_IN_BASE64: Final[dict[str, Any]] = {
    "anyOf": [
        {"properties": {"response_format": {"enum": ["url", None]}}},
        {"properties": {"n": {"enum": [1, None]}}},
    ]
}


class ImagesBody(BaseModel):
    """Images to make, as OpenAI's clients ask for them."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,
        title="OpenAIImagesRequest",
        json_schema_extra={
            **_ONE_IN_BASE64,
            "examples": [{"prompt": "Sri lanka tea plantation.", "n": 1, "size": "1344x768"}],
        },
    )

    prompt: schema.PromptText
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=schema.MAX_MODEL_LENGTH,
        description="`auto`, or the only model that may serve the request, one of `/v1/models`.",
        examples=[ANY_MODEL],
    )
    n: int | None = Field(
        default=None,
        ge=1,
        le=MAX_IMAGES,
        description="How many images, each a generation of its own; 1 with `b64_json`. The answer has those that "
        "succeeded.",
        examples=[1],
    )
    size: Size | None = Field(default=None, description="`auto` is 1024x1024.", examples=["1344x768"])
    quality: Quality | None = Field(default=None, description="Accepted; has no effect.")
    style: Style | None = Field(
        default=None, description="`vivid` is the style preset `enhance`, `natural` is none."
    )
    response_format: ResponseFormat | None = Field(
        default=None, description="A presigned URL, or the image itself in base64."
    )
    user: str | None = Field(default=None, description="Accepted; has no effect and is not kept.")


def _one_of(values: Sequence[str]) -> str:
    return f"must be one of {', '.join(values)}"


_SIZES: Final = (ANY_MODEL, *(f"{width}x{height}" for width, height in parameters.SIZES))
_RULES: Final[Mapping[str, str]] = {
    "prompt": f"must be {schema.PROMPT_TEXT_RULE}",
    "model": f"must be a string of 1 to {schema.MAX_MODEL_LENGTH} characters",
    "n": f"must be an integer from 1 to {MAX_IMAGES}",
    "size": _one_of(_SIZES),
    "quality": _one_of(("auto", "standard", "hd", "low", "medium", "high", "xhigh", "max")),
    "style": _one_of(("vivid", "natural")),
    "response_format": _one_of(("url", "b64_json")),
    "user": "must be a string",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesRequest:
    """What OpenAI's body asks for: one request of ours, made so many times, and how images are answered."""

    request: GenerationRequest
    images: int
    in_base64: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image of an answer: its presigned URL, or its bytes."""

    url: str = ""
    png: bytes | None = None


def parse(members: dict[str, Any]) -> ImagesRequest:
    """Return the request that OpenAI's members describe.

    Raises:
        UnknownParameter: at least one name is not in this version of OpenAI's contract.
        InvalidParameter: a value is missing, of another type or outside its range.
    """
    try:
        body = ImagesBody.model_validate(members)
    except ValidationError as exc:
        raise _refused(exc) from exc
    images = body.n or 1
    in_base64 = body.response_format == "b64_json"
    if in_base64 and images > 1:
        raise invalid("n", "must be 1 with response_format b64_json: more images may not fit one answer")
    width, height = _sides(body.size)
    task = TextToImage(
        text_prompts=(Prompt(text=body.prompt),),
        width=width,
        height=height,
        style_preset="enhance" if body.style == "vivid" else None,
    )
    model = None if body.model == ANY_MODEL else body.model
    return ImagesRequest(
        request=GenerationRequest(task=task, model=model), images=images, in_base64=in_base64
    )


def answer(pictures: Sequence[Picture], *, created_at: datetime) -> dict[str, Any]:
    """Return the body of a 200."""
    return {
        "created": int(created_at.timestamp()),
        "data": [
            {"url": picture.url} if picture.png is None else {"b64_json": b64encode(picture.png).decode()}
            for picture in pictures
        ],
    }


def problem(error: ImagegenError) -> dict[str, Any]:
    """Return an error with all four members that OpenAI's clients read; `code` is ours."""
    return {
        "error": {
            "message": explained(error),
            "type": _type(error),
            "param": error.errors[0].field if error.errors else None,
            "code": error.kind.code,
        }
    }


def problem_headers(error: ImagegenError) -> dict[str, str]:
    """Return what keeps OpenAI's clients from repeating a request that may have been paid.

    By themselves they repeat every 409, 429 and 5xx; `x-should-retry` overrules that.
    """
    return {"X-Should-Retry": "true" if error.kind.retryable else "false"}


def _sides(size: str | None) -> tuple[int, int]:
    if size is None or size == "auto":
        return parameters.SIZES[0]
    width, _, height = size.partition("x")
    return int(width), int(height)


def _refused(exc: ValidationError) -> ImagegenError:
    unknown: list[FieldError] = []
    wrong: dict[str, str] = {}
    for error in exc.errors(include_url=False, include_context=False, include_input=False):
        name = str(error["loc"][0]) if error["loc"] else ""
        if error["type"] == "extra_forbidden":
            unknown.append(unknown_field((name,), known=ImagesBody.model_fields))
        elif error["type"] == "missing":
            wrong[name] = f"is required and {_RULES[name]}"
        else:
            wrong[name] = _RULES.get(name, "must be an object whose names are Unicode text")
    fields = [FieldError(field=name or "body", message=message) for name, message in wrong.items()]
    return refusal(unknown=unknown, invalid=fields)


_TYPES: Final[Mapping[type[ImagegenError], str]] = {
    Unauthorized: "authentication_error",
    Forbidden: "permission_error",
    RateLimited: "rate_limit_error",
    QuotaExceeded: "insufficient_quota",
}


def _type(error: ImagegenError) -> str:
    fallback = "invalid_request_error" if isinstance(error, CallerError) else "server_error"
    return _TYPES.get(type(error), fallback)
