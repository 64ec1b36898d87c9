"""OpenAI's bodies of replies: images, models and errors."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from typing_extensions import TypedDict

from imagegen.errors import ImagegenError
from imagegen.generations.generation import StoredImage
from imagegen.http import model_bodies
from imagegen.http.compat.openai.images import ANY_MODEL, MAX_IMAGES, OutputFormat, ShownQuality
from imagegen.http.described import Described
from imagegen.http.problems import ErrorMembersBody, error_members
from imagegen.models.registry import ModelRef

_OUTPUT_FORMATS: Final[Mapping[str, OutputFormat]] = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/webp": "webp",
}


class OpenAIImageBody(TypedDict, total=False):
    """One image: its `url`, its bytes, or both."""

    url: Annotated[str, Described(description="A presigned URL; it needs no API key, and expires.")]
    b64_json: Annotated[str, Described(description="The file in base64.")]


class OpenAIImagesBody(TypedDict):
    """The images that were made, at least one and at most `n`."""

    created: Annotated[
        int,
        Described(
            description="When the service accepted the first one, in Unix time.", examples=[1793697667]
        ),
    ]
    data: Annotated[
        list[OpenAIImageBody],
        Described(minItems=1, maxItems=MAX_IMAGES, description="The images that succeeded."),
    ]
    size: Annotated[
        str, Described(description="Width and height of the first image itself.", examples=["1344x768"])
    ]
    quality: Annotated[ShownQuality, Described(description="The request's `quality` in these three words.")]
    output_format: Annotated[OutputFormat, Described(description="The format of the files.")]
    background: Annotated[Literal["opaque"], Described(description="Always opaque.")]


class OpenAIModelBody(TypedDict):
    """One value for `model`, in OpenAI's members."""

    id: Annotated[
        str,
        Described(
            description="`auto`, or the id of an enabled model.", examples=["stability.sd3-5-large-v1:0"]
        ),
    ]
    object: Annotated[Literal["model"], Described(description="Always model.")]
    created: Annotated[
        int, Described(description="Always 0: no vendor says when it made a model.", examples=[0])
    ]
    owned_by: Annotated[
        str, Described(description="The vendor; `imagegen` for `auto`.", examples=["stability"])
    ]


class OpenAIModelsBody(model_bodies.ModelsBody):
    """The enabled models, in the order in which they are tried; once in our members, once in OpenAI's."""

    object: Annotated[Literal["list"], Described(description="Always list.")]
    data: Annotated[list[OpenAIModelBody], Described(description="`auto`, then the models.", minItems=1)]


class OpenAIErrorBody(TypedDict):
    """Any failure, in OpenAI's shape."""

    error: ErrorMembersBody


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyImage:
    """One image of a reply: its presigned URL, its bytes, or both."""

    url: str = ""
    content: bytes | None = None


def images_body(
    images: Sequence[ReplyImage], *, created: int, first: StoredImage, quality: ShownQuality
) -> OpenAIImagesBody:
    """Return the body of a 200; `created` is in Unix time, `first` is what is known of the first image."""
    return {
        "created": created,
        "data": [_image_body(image) for image in images],
        "size": f"{first.width}x{first.height}",
        "quality": quality,
        "output_format": _OUTPUT_FORMATS[first.content_type],
        "background": "opaque",
    }


def openai_models(refs: Sequence[ModelRef]) -> list[OpenAIModelBody]:
    """Return every value for `model` that is no alias, `auto` first."""
    # Two entries of the list may be one model in two places.
    vendors = {ANY_MODEL: "imagegen"} | {ref.id: ref.model.id.partition(".")[0] for ref in refs}
    return [
        {"id": id_, "object": "model", "created": 0, "owned_by": vendor} for id_, vendor in vendors.items()
    ]


def models_body(ours: model_bodies.ModelsBody, refs: Sequence[ModelRef]) -> OpenAIModelsBody:
    """Return our own list of models with OpenAI's beside it."""
    return {"models": ours["models"], "object": "list", "data": openai_models(refs)}


def problem(error: ImagegenError) -> OpenAIErrorBody:
    """Return an error with the four members that OpenAI's clients read; `code` is our code."""
    named = replace(error, errors=[replace(item, field=_theirs(item.field)) for item in error.errors])
    return {"error": error_members(named)}


def _image_body(image: ReplyImage) -> OpenAIImageBody:
    body: OpenAIImageBody = {}
    if image.url:
        body["url"] = image.url
    if image.content is not None:
        body["b64_json"] = b64encode(image.content).decode()
    return body


def _theirs(field: str) -> str:
    """Return OpenAI's name of a field of the contract, as the models' own limits name it."""
    if not field.startswith("text_prompts"):
        return field
    return "negative_prompt" if field.startswith("text_prompts[1]") else "prompt"
