"""The dialect of Stable Image Core, Stable Image Ultra and Stable Diffusion 3.5 Large.

The contract's size becomes the nearest aspect ratio, prompts of negative weight become `negative_prompt`, the weights
of several positive prompts the documented `(words:weight)`, and the style preset a phrase at the end of the prompt. The
reasons are in `docs/decisions/0020-translation.md`. See also the Bedrock user guide, "Stability AI models".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from types import MappingProxyType
from typing import Any, Final

from imagegen.contracts.text_to_image.parameters import (
    MAX_CHOSEN_SEED,
    MAX_SEED,
    Prompt,
    TextToImage,
    in_contract_order,
)
from imagegen.errors import BadModelResponse, FieldError, UnsupportedParameter
from imagegen.models.answers import Answer, filtered, seed_of
from imagegen.models.dialect import Artifact, Dialect, Translation, Translator, refuse_other_formats

MAX_TEXT_LENGTH: Final = 10_000
"""The most characters in `prompt`, and in `negative_prompt`."""

LARGEST_WEIGHT: Final = 10.0
"""Greater weights are sent as this one. Stability documents weights of 0 to 1."""

ASPECT_RATIOS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1024, 1024): "1:1",
        (1152, 896): "5:4",
        (1216, 832): "3:2",
        (1344, 768): "16:9",
        (1536, 640): "21:9",
        (640, 1536): "9:21",
        (768, 1344): "9:16",
        (832, 1216): "2:3",
        (896, 1152): "4:5",
    }
)

STYLE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "3d-model": "3D model render",
        "analog-film": "analog film photograph",
        "anime": "anime style",
        "cinematic": "cinematic film still",
        "comic-book": "comic book illustration",
        "digital-art": "digital art",
        "enhance": "highly detailed, enhanced",
        "fantasy-art": "fantasy art",
        "isometric": "isometric illustration",
        "line-art": "line art drawing",
        "low-poly": "low poly art",
        "modeling-compound": "sculpted in modeling compound",
        "neon-punk": "neon punk style",
        "origami": "folded paper origami",
        "photographic": "photograph, photorealistic",
        "pixel-art": "pixel art",
        "tile-texture": "seamless tile texture",
    }
)

_FILTER_REASON: Final = "Filter reason"
_FILTERS: Final = tuple(f"{_FILTER_REASON}: {what}" for what in ("prompt", "output image", "input image"))
_WITHOUT_EFFECT: Final = ("cfg_scale", "clip_guidance_preset", "sampler", "steps", "extras")
_HONOURS: Final = ("text_prompts", "height", "width", "samples", "seed", "style_preset")
_APPROXIMATES: Final = ("text_prompts", "height", "width", "style_preset")
_EXACT_WEIGHTS: Final = (1, 0, -1)
# One or more marks of the weighting syntax: a parenthesis with the backslashes that escape it, and before a closing
# one the weight of its group. The possessive quantifiers and the look-behind keep the search linear.
_MARKS: Final = re.compile(r"(?::\s*+[+-]?[0-9.]++\s*+\)|(?<!\\)\\*+[()])+")
_STOPS: Final = (".", ",", ";", ":", "!", "?", "…", "。", "、")


def translate(
    request: TextToImage, *, max_seed: int, has_mode: bool, output_formats: tuple[str, ...]
) -> Translation:
    """Return the task in this family's words.

    A seed above the model's bound is sent as the bound and named as ignored.

    Raises:
        UnsupportedParameter: the prompts together are longer than the model takes, or it does not draw the format.
    """
    refuse_other_formats(request.output_format, drawn=output_formats)
    approximated = request.beyond_default(("height", "width", "style_preset"))
    # A text of spaces has no influence, so it is left out as a weight of 0 is.
    visible = [prompt for prompt in request.text_prompts if prompt.text.strip()]
    if not _is_exact(visible):
        approximated.add("text_prompts")
    # Only what differs from the default: otherwise most replies would list it, and nobody would read the list.
    ignored = request.beyond_default(_WITHOUT_EFFECT)
    # One seed in four billion: better sent as the nearest one than refused.
    if request.seed > max_seed:
        ignored.add("seed")
    positive = _positive_texts(visible)
    if request.style_preset is not None:
        positive.append(STYLE_WORDS[request.style_preset])
    # Without weights, because `(words:weight)` is documented for `prompt` only.
    negative = [prompt.text for prompt in visible if _sent_weight(prompt) < 0]
    body: dict[str, Any] = {
        "prompt": _joined(positive),
        "aspect_ratio": ASPECT_RATIOS[request.width, request.height],
        "seed": min(request.seed, max_seed),
        "output_format": request.output_format,
    }
    if negative:
        body["negative_prompt"] = _joined(negative)
    if has_mode:
        body["mode"] = "text-to-image"
    return Translation(
        body=body,
        seed=body["seed"],
        ignored=in_contract_order(ignored),
        approximated=in_contract_order(approximated),
    )


def _sent_weight(prompt: Prompt) -> float:
    """Return the weight that is sent; 0 means that the text is left out."""
    return round(min(prompt.weight, LARGEST_WEIGHT), 3)


def _is_exact(visible: Sequence[Prompt]) -> bool:
    """Say whether the weights have all their effect."""
    weights = [prompt.weight for prompt in visible if prompt.weight != 0]
    # The weight of one text alone means nothing, as long as the text is sent.
    if len(weights) == 1 and round(weights[0], 3) > 0:
        return True
    return all(weight in _EXACT_WEIGHTS for weight in weights)


def _positive_texts(visible: Sequence[Prompt]) -> list[str]:
    """Return the texts of positive weight as they are sent."""
    positive = [prompt for prompt in visible if _sent_weight(prompt) > 0]
    if len(positive) == 1:
        return [positive[0].text]
    return [text for prompt in positive if (text := _weighted(prompt.text, _sent_weight(prompt)))]


def _weighted(text: str, weight: float) -> str:
    """Return a text with its positive weight; nothing if it consists of marks alone."""
    if weight == 1:
        return text
    # Neither escapes nor groups inside a group are documented, so each is left out whole and only its words stay:
    # see docs/decisions/0020-translation.md.
    words = _MARKS.sub(_gap, text).strip()
    return f"({words}:{weight:g})" if words else ""


def _gap(marks: re.Match[str]) -> str:
    """Return what takes the place of marks: a space between two words, otherwise nothing."""
    before, after = marks.string[: marks.start()][-1:], marks.string[marks.end() :][:1]
    return " " if before.isalnum() and after.isalnum() else ""


def _joined(texts: Sequence[str]) -> str:
    """Return the texts joined into one; a single text is returned unchanged."""
    joined = texts[0] if texts else ""
    for text in texts[1:]:
        joined = joined.rstrip()
        joined += (" " if joined.endswith(_STOPS) else ", ") + text.strip()
    if len(joined) > MAX_TEXT_LENGTH:
        message = f"together at most {MAX_TEXT_LENGTH} characters for this model, style and weights included"
        raise UnsupportedParameter(
            "The prompts are too long for the model.",
            errors=(FieldError(field="text_prompts", message=message),),
        )
    return joined


def artifacts(answer: bytes, *, seed: int | None = None) -> tuple[Artifact, ...]:
    """Return the images of an answer; a filtered one has reasons and no `images` member.

    Raises:
        ContentFiltered: a filter refused the prompt or the image.
        BadModelResponse: the answer is not of the dialect, or says that inference failed.
    """
    read = Answer.of(answer)
    members = read.members
    reported = members.get("seeds")
    seeds = [seed_of(number, sent=seed) for number in reported] if isinstance(reported, list) else []
    # Reasons come before images: one filtered image makes the whole answer filtered, and null is the word for success.
    for reason in _listed(members.get("finish_reasons")):
        if isinstance(reason, str) and reason.startswith(_FILTER_REASON):
            # The model's own text may quote the prompt, so only a known reason is repeated.
            raise filtered(reason if reason in _FILTERS else _FILTER_REASON, seed=seeds[0] if seeds else seed)
        if reason is not None:
            raise BadModelResponse("The model's answer says that inference failed.")
    images = _listed(members.get("images"))
    if not images:
        raise BadModelResponse("The model's answer has no images.")
    return tuple(
        Artifact(image=read.image(image), seed=reported_seed)
        for image, reported_seed in zip(images, chain(seeds, repeat(seed)), strict=False)
    )


def _listed(member: Any) -> Sequence[Any]:
    if isinstance(member, list):
        return member
    return () if member is None else (member,)


def _dialect(*, max_seed: int, has_mode: bool, output_formats: tuple[str, ...]) -> Dialect:
    return Dialect(
        name="stable_image",
        translators={
            TextToImage.kind: Translator(
                translate=partial(
                    translate, max_seed=max_seed, has_mode=has_mode, output_formats=output_formats
                ),
                honours=_HONOURS,
                approximates=_APPROXIMATES,
                output_formats=output_formats,
            )
        },
        artifacts=artifacts,
    )


# The bounds, the formats and the field `mode` differ by model: Bedrock user guide, "Stability AI models".
CORE: Final = _dialect(max_seed=MAX_SEED, has_mode=False, output_formats=("png", "jpeg"))
ULTRA: Final = _dialect(max_seed=MAX_SEED, has_mode=True, output_formats=("png", "jpeg"))
SD35_LARGE: Final = _dialect(max_seed=MAX_CHOSEN_SEED, has_mode=True, output_formats=("png", "jpeg", "webp"))
