"""The model of a request for an image: returns a valid `GenerationRequest`, or an error that names each wrong field.

Only pydantic and the OpenAPI document use the models of this module; `parse` returns plain dataclasses. A request with
unknown *and* invalid fields is `unknown_parameter`; its `errors` list both, the unknown ones first. Messages say what
is allowed and never quote a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from imagegen.contracts import webhook_urls
from imagegen.contracts.fields import OneOf, Words, field_errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.refusals import refusal
from imagegen.contracts.text_to_image import parameters, prompt_text
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import FieldError

_PAIRS: Final = ", ".join(f"{width}x{height}" for width, height in parameters.SIZES)
# Says in JSON Schema what `_size_errors` checks by hand: both sides or none, and only the nine pairs. A top-level
# `anyOf` would say the same, but generators of clients make classes without fields out of it.
_SIZE_RULE: Final[dict[str, Any]] = {
    "dependentRequired": {"width": ["height"], "height": ["width"]},
    "dependentSchemas": {
        "width": {
            "anyOf": [
                {"properties": {"width": {"const": w}, "height": {"const": h}}} for w, h in parameters.SIZES
            ],
        },
    },
}


_ABSENT: Final[Any] = None
"""Stands for a field that was not sent. A field sent as null is refused, because its type has no null."""


def visible(text: str) -> str:
    """Return a text that is empty or shows something; raises ValueError for any other."""
    if not prompt_text.has_content(text):
        raise ValueError("nothing visible")
    return text


def _short(extras: dict[str, Any]) -> dict[str, Any]:
    written = json.dumps(extras, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair has no bytes; it has an error of its own.
    if len(written.encode("utf-8", "surrogatepass")) > parameters.MAX_EXTRAS_LENGTH:
        raise ValueError("too long")
    return extras


def _public(url: str) -> str:
    if not webhook_urls.has_public_host(url):
        raise ValueError("not public")
    return url


def _optional(**members: Any) -> Any:
    """Return a function that removes the default from a field's JSON Schema and adds these members."""

    def edit(schema: dict[str, Any]) -> None:
        schema.pop("default", None)
        schema.update(members)

    return edit


PROMPT_TEXT_RULE: Final = (
    f"a string of at most {parameters.MAX_PROMPT_LENGTH} characters, empty or visible, without bidirectional "
    "overrides or control characters other than tab, newline and return"
)

PromptText = Annotated[
    str,
    Field(
        max_length=parameters.MAX_PROMPT_LENGTH,
        pattern=prompt_text.SAFE,
        description="What to draw, in code points. Control characters other than tab, newline and return, and "
        "bidirectional overrides are refused, and so is a text in which nothing is visible.",
        examples=["Sri lanka tea plantation."],
        json_schema_extra={"pattern": prompt_text.SAFE_AND_VISIBLE},
    ),
    AfterValidator(visible),
    Words(PROMPT_TEXT_RULE),
]


class PromptBody(BaseModel):
    """One prompt: a text, and how much it counts."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, title="Prompt"
    )

    text: PromptText
    weight: Annotated[
        float,
        Field(
            allow_inf_nan=False,
            description="How much the prompt counts; a negative weight says what to avoid.",
        ),
    ] = 1.0


# A default of None would be published, and a client that sent it would be refused; so `_optional` removes it.
class RequestBody(BaseModel):
    """An image to make: the parameters of the Diffusion 1.0 contract, and four fields of this service."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        title="TextToImageRequest",
        json_schema_extra={
            **_SIZE_RULE,
            "examples": [
                {
                    "text_prompts": [{"text": "Sri lanka tea plantation."}],
                    "cfg_scale": 10,
                    "seed": 0,
                    "steps": 50,
                    "samples": 1,
                    "style_preset": "photographic",
                }
            ],
        },
    )

    text_prompts: Annotated[
        list[PromptBody],
        Field(
            min_length=parameters.MIN_PROMPTS,
            max_length=parameters.MAX_PROMPTS,
            description="What to draw and, with negative weights, what to avoid.",
        ),
        Words(f"an array of {parameters.MIN_PROMPTS} to {parameters.MAX_PROMPTS} prompts"),
    ]
    height: Annotated[
        int,
        Field(
            description="Pixels; given together with width.",
            json_schema_extra={"enum": sorted({height for _, height in parameters.SIZES})},
        ),
        Words(f"an integer; the pairs width x height are {_PAIRS}"),
    ] = 1024
    width: Annotated[
        int,
        Field(
            description="Pixels; given together with height.",
            json_schema_extra={"enum": sorted({width for width, _ in parameters.SIZES})},
        ),
        Words(f"an integer; the pairs width x height are {_PAIRS}"),
    ] = 1024
    cfg_scale: Annotated[
        float,
        Field(
            ge=parameters.MIN_CFG_SCALE,
            le=parameters.MAX_CFG_SCALE,
            allow_inf_nan=False,
            description="How closely the image follows the prompt.",
            examples=[10],
        ),
    ] = 7.0
    clip_guidance_preset: Annotated[
        str,
        Field(
            description="How CLIP guides the image.",
        ),
        OneOf(parameters.CLIP_GUIDANCE_PRESETS),
    ] = "NONE"
    sampler: Annotated[
        str,
        Field(
            description="The sampler of the diffusion; if absent, the model chooses one.",
            json_schema_extra=_optional(),
        ),
        OneOf(parameters.SAMPLERS),
    ] = _ABSENT
    samples: Annotated[int, Field(ge=1, le=1, description="How many images; always one.")] = 1
    seed: Annotated[
        int,
        Field(
            ge=parameters.MIN_SEED,
            le=parameters.MAX_SEED,
            description="The start of the noise. If 0 or absent, the service chooses one; the reply names it.",
            examples=[3407],
        ),
    ] = 0
    steps: Annotated[
        int,
        Field(
            ge=parameters.MIN_STEPS,
            le=parameters.MAX_STEPS,
            description="Steps of the diffusion.",
            examples=[50],
        ),
    ] = 30
    style_preset: Annotated[
        str,
        Field(
            description="The style that the image leans to.",
            json_schema_extra=_optional(),
        ),
        OneOf(parameters.STYLE_PRESETS),
    ] = _ABSENT
    extras: Annotated[
        dict[str, Any],
        Field(
            default_factory=dict,
            description="Passed on to the model untouched; "
            f"at most {parameters.MAX_EXTRAS_LENGTH} bytes of JSON in UTF-8, not counting spaces between its parts.",
            examples=[{}],
        ),
        AfterValidator(_short),
        Words(f"an object of at most {parameters.MAX_EXTRAS_LENGTH} bytes of JSON"),
    ]
    model: Annotated[
        str,
        Field(
            min_length=1,
            max_length=parameters.MAX_MODEL_LENGTH,
            description="The only model that may serve the request, one of `GET /models`.",
            examples=["stability.stable-image-core-v1:1"],
            json_schema_extra=_optional(),
        ),
    ] = _ABSENT
    strict: Annotated[
        bool,
        Field(
            description="Whether to refuse the request if the model would ignore or approximate a parameter."
        ),
    ] = False
    output_format: Annotated[
        str,
        Field(
            description="The format of the file. Only a model that draws it serves the request: see `output_formats` "
            "in `GET /models`.",
            examples=["jpeg"],
        ),
        OneOf(parameters.OUTPUT_FORMATS),
    ] = "png"
    webhook_url: Annotated[
        str,
        Field(
            max_length=webhook_urls.MAX_LENGTH,
            pattern=webhook_urls.PATTERN,
            description="Where to announce the end of the generation; an https URL with a public host name.",
            examples=["https://example.com/hooks/imagegen"],
            json_schema_extra=_optional(format="uri"),
        ),
        AfterValidator(_public),
        Words(
            f"an https URL of at most {webhook_urls.MAX_LENGTH} characters with a public host name, "
            "without user or fragment"
        ),
    ] = _ABSENT


def parse(members: dict[str, Any]) -> GenerationRequest:
    """Return the request that the members describe, as `strict_json.loads` returned them.

    Raises:
        UnknownParameter: at least one name is not part of the contract.
        InvalidParameter: a value is missing, of another type or outside its range.
    """
    # Checked on the members as sent, because the defaults of the model would hide that one side is missing.
    size_errors = _size_errors(members)
    try:
        body = RequestBody.model_validate(members)
    except ValidationError as exc:
        unknown, invalid = field_errors(exc, RequestBody)
        raise refusal(unknown=unknown, invalid=[*invalid, *size_errors]) from exc
    if size_errors:
        raise refusal(invalid=size_errors)
    task = TextToImage(
        # Adding zero turns -0.0 into 0.0, so that the two have one fingerprint.
        text_prompts=tuple(Prompt(text=p.text, weight=p.weight + 0.0) for p in body.text_prompts),
        width=body.width,
        height=body.height,
        cfg_scale=body.cfg_scale + 0.0,
        clip_guidance_preset=body.clip_guidance_preset,
        sampler=body.sampler,
        samples=body.samples,
        seed=body.seed,
        steps=body.steps,
        style_preset=body.style_preset,
        extras=body.extras,
        output_format=body.output_format,
    )
    return GenerationRequest(task=task, model=body.model, strict=body.strict, webhook_url=body.webhook_url)


def _size_errors(members: Mapping[str, Any]) -> list[FieldError]:
    sides = {name: members[name] for name in ("width", "height") if name in members}
    if len(sides) == 1:
        missing = "height" if "width" in sides else "width"
        return [FieldError(field=missing, message=f"is also required; the pairs width x height are {_PAIRS}")]
    # A side of another type has its own error already. `type`, because to `isinstance` true is an integer.
    if not sides or any(type(side) is not int for side in sides.values()):
        return []
    if (sides["width"], sides["height"]) in parameters.SIZES:
        return []
    # Blame the side that is in no pair at all; if each is in some pair, blame both.
    wrong = [name for name, side in sides.items() if all(side not in pair for pair in parameters.SIZES)]
    message = f"must make one of the pairs width x height: {_PAIRS}"
    return [FieldError(field=name, message=message) for name in wrong or sides]
