"""Reads OpenAI's request for images with a pydantic model; the first such request loads this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from imagegen.contracts.fields import Words, field_errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.refusals import refusal
from imagegen.contracts.text_to_image import parameters, prompt_text, schema
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import FieldError, UnsupportedParameter, invalid
from imagegen.http.compat import MAX_INLINE_BYTES
from imagegen.http.compat.openai.images import (
    ANY_MODEL,
    LIKELY_BYTES_PER_PIXEL,
    MAX_IMAGES,
    MAX_PROMPT_LENGTH,
    ImagesRequest,
    OutputFormat,
    Quality,
    ResponseFormat,
    ShownQuality,
    Style,
)

_SHOWN_QUALITY: Final[Mapping[str | None, ShownQuality]] = {
    "low": "low",
    "medium": "medium",
    "standard": "medium",
}
# What each of these fields may say, because the service does it anyway; and how a refusal names anything else.
_ONLY: Final[Mapping[str, tuple[tuple[Any, ...], str]]] = {
    "background": (("auto", "opaque"), "transparent"),
    "output_compression": ((100,), "below 100"),
    "partial_images": ((0,), "above 0"),
    "stream": ((False,), "true"),
}
_NO_EFFECT: Final = "Accepted; has no effect."
_SIZE: Final = r"^(?:auto|[1-9][0-9]{0,3}x[1-9][0-9]{0,3})$"
_TEXT_RULE: Final = (
    "in which something is visible, without bidirectional overrides or control characters other than tab, newline "
    "and return"
)


def _published(schema_: dict[str, Any]) -> None:
    """Say in the JSON Schema what the code checks by hand, and give an example."""
    schema_["examples"] = [{"prompt": "Sri lanka tea plantation.", "n": 1, "size": "1344x768"}]
    for name, field in schema_["properties"].items():
        if name in _ONLY:
            allowed, _ = _ONLY[name]
            # Values of one type: generators of clients leave a route out whose field has an enum of several types.
            field["anyOf"][0] = {"type": field["anyOf"][0]["type"], "enum": list(allowed)}
        if name != "prompt":
            field["anyOf"].append({"const": ""})
    schema_["properties"]["negative_prompt"]["anyOf"][0]["pattern"] = prompt_text.SAFE_AND_VISIBLE


class ImagesBody(BaseModel):
    """Images to make, as OpenAI's clients ask for them. A field that is null or empty counts as absent."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        # pydantic's own message would otherwise quote the prompt.
        hide_input_in_errors=True,
        title="OpenAIImagesRequest",
        json_schema_extra=_published,
    )

    prompt: Annotated[
        str,
        AfterValidator(schema.visible),
        Words(f"a string of 1 to {MAX_PROMPT_LENGTH} characters {_TEXT_RULE}"),
    ] = Field(
        min_length=1,
        max_length=MAX_PROMPT_LENGTH,
        pattern=prompt_text.SAFE,
        description="What to draw, in code points; SDXL takes at most "
        f"{parameters.MAX_PROMPT_LENGTH} of them. The same characters are refused as on our own route.",
        examples=["Sri lanka tea plantation."],
        json_schema_extra={"pattern": prompt_text.SAFE_AND_VISIBLE},
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=parameters.MAX_MODEL_LENGTH,
        description="`auto`, the only model that may serve the request (one of `GET /models`), or an alias of the "
        "deployment, such as `gpt-image-1`.",
        examples=[ANY_MODEL],
    )
    n: int | None = Field(
        default=None,
        ge=1,
        le=MAX_IMAGES,
        description="How many images, each a generation of its own; at most "
        f"{MAX_INLINE_BYTES // (LIKELY_BYTES_PER_PIXEL * 1024 * 1024)} in base64. The reply has those that succeeded.",
        examples=[1],
    )
    size: Annotated[
        str | None, Words("auto, or width and height in pixels like 1536x1024, each 1 to 9999")
    ] = Field(
        default=None,
        pattern=_SIZE,
        description="Width and height; the nearest of the contract's nine sizes by ratio is drawn. `auto` is square.",
        examples=["1344x768"],
    )
    quality: Quality | None = Field(default=None, description=_NO_EFFECT)
    style: Style | None = Field(
        default=None, description="`vivid` is the style preset `enhance`, `natural` is no preset."
    )
    response_format: ResponseFormat | None = Field(
        default=None,
        description="A presigned URL, or the image itself in base64. If absent: base64 for `gpt-image-*`, a URL for "
        "`dall-e-*`, otherwise both.",
    )
    user: str | None = Field(default=None, description="Accepted; has no effect and is not kept.")
    safety_identifier: str | None = Field(
        default=None, description="Accepted; has no effect and is not kept."
    )
    background: Annotated[Literal["auto", "opaque", "transparent"] | None, Words("one of auto, opaque")] = (
        Field(default=None, description="Images are always opaque.")
    )
    output_format: OutputFormat | None = Field(
        default=None,
        description="The format of the file; `png` if it is absent. Only a model that draws it serves the request: see "
        "`output_formats` in `GET /models`.",
    )
    output_compression: Annotated[int | None, Words("the integer 100")] = Field(
        default=None,
        ge=0,
        le=100,
        description="Only 100 is possible: files are stored as the model makes them.",
    )
    partial_images: Annotated[int | None, Words("the integer 0")] = Field(
        default=None, ge=0, le=3, description="Only whole images are sent."
    )
    stream: Annotated[bool | None, Words("false")] = Field(
        default=None, description="Replies are not streamed."
    )
    moderation: Literal["auto", "low"] | None = Field(default=None, description=_NO_EFFECT)
    negative_prompt: Annotated[
        str | None,
        AfterValidator(schema.visible),
        Words(f"a string of at most {MAX_PROMPT_LENGTH} characters {_TEXT_RULE}"),
    ] = Field(
        default=None,
        max_length=MAX_PROMPT_LENGTH,
        pattern=prompt_text.SAFE,
        description="What to avoid; a prompt of weight -1.",
        examples=["people"],
    )
    seed: int | None = Field(
        default=None,
        ge=-1,
        le=parameters.MAX_SEED,
        description="The seed of the first image; each further image has the next one. If it is 0, -1 or absent, the "
        "service chooses.",
        examples=[3407],
    )
    steps: int | None = Field(
        default=None,
        ge=parameters.MIN_STEPS,
        le=parameters.MAX_STEPS,
        description="Steps of the diffusion.",
        examples=[30],
    )
    width: int | None = Field(
        default=None,
        ge=1,
        le=9999,
        description="Together with `height`, in place of `size`.",
        examples=[1344],
    )
    height: int | None = Field(
        default=None, ge=1, le=9999, description="Together with `width`, in place of `size`.", examples=[768]
    )

    @model_validator(mode="before")
    @classmethod
    def _without_absent(cls, members: dict[str, Any]) -> dict[str, Any]:
        # Tools send null or an empty text for what their user left open. An unknown name stays, and is refused.
        optional = cls.model_fields.keys() - {"prompt"}
        return {
            name: value
            for name, value in members.items()
            if name not in optional or (value is not None and value != "")
        }


def parse(members: dict[str, Any]) -> ImagesRequest:
    """Return the request that OpenAI's members describe; its model may still be an alias.

    Raises:
        UnknownParameter: at least one name is neither OpenAI's nor one that other gateways take.
        InvalidParameter: a value is missing, of another type or outside its range.
        UnsupportedParameter: a value is OpenAI's, and this service cannot do it.
    """
    try:
        body = ImagesBody.model_validate(members)
    except ValidationError as exc:
        unknown, wrong = field_errors(exc, ImagesBody)
        raise refusal(unknown=unknown, invalid=wrong) from exc
    _refuse_unsupported(body)
    width, height = _sides(body)
    images, form = body.n or 1, _form(body)
    fit = MAX_INLINE_BYTES // (LIKELY_BYTES_PER_PIXEL * width * height)
    if form == "b64_json" and images > fit:
        raise invalid(
            "n",
            f"must be at most {fit} in base64, because more images may not fit into one reply of 6 MB; with "
            f"response_format url it may be up to {MAX_IMAGES}",
        )
    prompts = [Prompt(text=body.prompt)]
    if body.negative_prompt is not None:
        prompts.append(Prompt(text=body.negative_prompt, weight=-1.0))
    task = TextToImage(
        text_prompts=tuple(prompts),
        width=width,
        height=height,
        seed=max(body.seed or 0, 0),
        # `cinematic` or `photographic` would turn a line drawing into a film or a photograph: decision 50.
        style_preset="enhance" if body.style == "vivid" else None,
        output_format=body.output_format or "png",
    )
    if body.steps is not None:
        task = replace(task, steps=body.steps)
    return ImagesRequest(
        request=GenerationRequest(task=task, model=None if body.model == ANY_MODEL else body.model),
        images=images,
        form=form,
        quality=_SHOWN_QUALITY.get(body.quality, "high"),
    )


def _refuse_unsupported(body: ImagesBody) -> None:
    given = ((name, getattr(body, name), allowed, other) for name, (allowed, other) in _ONLY.items())
    found = tuple(
        FieldError(field=name, message=f"{other} is not supported here")
        for name, value, allowed, other in given
        if value is not None and value not in allowed
    )
    if found:
        one = f"{found[0].field} {found[0].message}."
        raise UnsupportedParameter(
            one if len(found) == 1 else f"{len(found)} parameters are not supported here.", errors=found
        )


def _sides(body: ImagesBody) -> tuple[int, int]:
    size = None if body.size in {None, ANY_MODEL} else body.size
    if body.width is None and body.height is None:
        if size is None:
            return parameters.SIZES[0]
        width, _, height = size.partition("x")
        return parameters.nearest_size(int(width), int(height))
    if body.width is None or body.height is None:
        raise invalid(
            "height" if body.height is None else "width", "is required as well, or size in place of both"
        )
    if size is not None and size != f"{body.width}x{body.height}":
        raise invalid("size", "must agree with width and height, or be absent")
    return parameters.nearest_size(body.width, body.height)


def _form(body: ImagesBody) -> ResponseFormat | None:
    # Clients of the one kind of model send no format and read only base64, those of the other only the URL.
    model = body.model or ""
    if body.response_format is not None or not model.startswith(("gpt-image-", "dall-e-")):
        return body.response_format
    return "b64_json" if model.startswith("gpt-image-") else "url"
