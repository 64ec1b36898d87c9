"""The largest valid request, and the longest way in which a JSON library can write it."""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from imagegen.contracts.text_to_image import parameters
from imagegen.contracts.webhook_urls import MAX_LENGTH
from tests.support.fakes import SDXL

LONGEST_TEXT: Final = "\U0001f375" * parameters.MAX_PROMPT_LENGTH
OF_LETTERS: Final = {"a": "x" * (parameters.MAX_EXTRAS_LENGTH - len('{"a":""}'))}
LARGEST: Final[dict[str, Any]] = {
    "text_prompts": [{"text": LONGEST_TEXT, "weight": -1.7976931348623157e308}] * parameters.MAX_PROMPTS,
    "height": 1024,
    "width": 1024,
    "cfg_scale": 33.333333333333336,
    "clip_guidance_preset": max(parameters.CLIP_GUIDANCE_PRESETS, key=len),
    "sampler": max(parameters.SAMPLERS, key=len),
    "samples": 1,
    "seed": parameters.MAX_SEED,
    "steps": parameters.MAX_STEPS,
    "style_preset": max(parameters.STYLE_PRESETS, key=len),
    "extras": OF_LETTERS,
    "model": SDXL,
    "strict": False,
    # The models that draw other formats take shorter prompts.
    "output_format": "png",
    "webhook_url": "https://example.com/".ljust(MAX_LENGTH, "&"),
}


def escaped(value: Any) -> str:
    """Write JSON with every character of every string escaped, which is the longest that a JSON library can do."""
    if isinstance(value, str):
        units = struct.unpack(f">{len(value.encode('utf-16-be')) // 2}H", value.encode("utf-16-be"))
        return '"' + "".join(f"\\u{unit:04x}" for unit in units) + '"'
    if isinstance(value, list):
        return f"[{','.join(map(escaped, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{escaped(name)}:{escaped(member)}" for name, member in value.items()) + "}"
    return json.dumps(value)
