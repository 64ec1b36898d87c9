"""Reads the body of a request for an image: plainly allowed ones here, all others with the model of `schema`.

Importing pydantic and building the model takes a fifth of a cold start, and most first requests are well formed. So
this module accepts what is plainly allowed and decides nothing else. The rest goes to the model, which accepts it or
says what is wrong. See `docs/decisions/0123-pydantic-is-loaded-when-it-is-needed.md`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from imagegen.contracts import webhook_urls
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image import parameters, prompt_text
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage

_OURS: Final = ("model", "strict", "webhook_url")
"""The fields that belong to the request and not to its task."""

_EXACT: Final = 2**53  # a double holds every integer up to here


def parse(members: dict[str, Any]) -> GenerationRequest:
    """Return the request that the members describe, as `strict_json.loads` returned them.

    Raises:
        UnknownParameter: at least one name is not part of the contract.
        InvalidParameter: a value is missing, of another type or outside its range.
    """
    request = well_formed(members)
    if request is not None:
        return request
    from imagegen.contracts.text_to_image import schema  # noqa: PLC0415 - it loads pydantic

    return schema.parse(members)


def well_formed(members: Mapping[str, Any]) -> GenerationRequest | None:
    """Return the request of members that are plainly allowed, or None if the model has to decide."""
    known = "text_prompts" in members and members.keys() <= FIELDS.keys()
    if not known or not all(FIELDS[name](value) for name, value in members.items()):
        return None
    sides = members.get("width"), members.get("height")
    if sides != (None, None) and sides not in parameters.SIZES:
        return None
    own = {name: members[name] for name in _OURS if name in members}
    task = {name: value for name, value in members.items() if name not in _OURS}
    if "cfg_scale" in task:
        task["cfg_scale"] = _float(task["cfg_scale"])
    task["text_prompts"] = tuple(
        Prompt(text=prompt["text"], weight=_float(prompt.get("weight", 1.0)))
        for prompt in task["text_prompts"]
    )
    return GenerationRequest(task=TextToImage(**task), **own)


def _float(value: float) -> float:
    # Adding zero turns -0.0 into 0.0, so that the two have one fingerprint.
    return float(value) + 0.0


# `type` and not `isinstance`: for `isinstance`, true is an integer.
def _integer(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _one_of(values: Sequence[str]) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and value in values


def _is_number(value: Any) -> bool:
    return (type(value) is int and abs(value) <= _EXACT) or (type(value) is float and math.isfinite(value))


def _is_text(value: Any, max_length: int) -> bool:
    return type(value) is str and len(value) <= max_length and prompt_text.is_plain(value)


def _is_prompt(value: Any) -> bool:
    if type(value) is not dict or "text" not in value or not value.keys() <= {"text", "weight"}:
        return False
    fitting = _is_text(value["text"], parameters.MAX_PROMPT_LENGTH) and _is_number(value.get("weight", 1.0))
    return fitting and prompt_text.has_content(value["text"])


def _are_prompts(value: Any) -> bool:
    fitting = type(value) is list and parameters.MIN_PROMPTS <= len(value) <= parameters.MAX_PROMPTS
    return fitting and all(map(_is_prompt, value))


def _is_webhook_url(value: Any) -> bool:
    fitting = type(value) is str and len(value) <= webhook_urls.MAX_LENGTH
    return fitting and bool(re.fullmatch(webhook_urls.PATTERN, value)) and webhook_urls.has_public_host(value)


FIELDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "text_prompts": _are_prompts,
    "height": lambda value: type(value) is int,
    "width": lambda value: type(value) is int,
    "cfg_scale": lambda value: (
        _is_number(value) and parameters.MIN_CFG_SCALE <= value <= parameters.MAX_CFG_SCALE
    ),
    "clip_guidance_preset": _one_of(parameters.CLIP_GUIDANCE_PRESETS),
    "sampler": _one_of(parameters.SAMPLERS),
    "samples": _integer(1, 1),
    "seed": _integer(parameters.MIN_SEED, parameters.MAX_SEED),
    "steps": _integer(parameters.MIN_STEPS, parameters.MAX_STEPS),
    "style_preset": _one_of(parameters.STYLE_PRESETS),
    # Few requests have content here, so it is left to the model.
    "extras": lambda value: type(value) is dict and not value,
    "model": lambda value: value != "" and _is_text(value, parameters.MAX_MODEL_LENGTH),
    "strict": lambda value: type(value) is bool,
    "output_format": _one_of(parameters.OUTPUT_FORMATS),
    "webhook_url": _is_webhook_url,
}
"""Says of each field of the contract whether a value is plainly allowed."""
