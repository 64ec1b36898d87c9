"""Every way in which a prompt is refused or the model fails, with the prompt wherever something may quote it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from local.bedrock.refusals import STATUS_OF
from tests.support.events import event

Body = Callable[[str], Any]
Rule = Mapping[str, Any]


def asking(prompt: str, **others: Any) -> dict[str, Any]:
    """Return a body with this prompt; it is valid unless `others` make it invalid."""
    return {"text_prompts": [{"text": prompt}], **others}


REFUSED: Final[Mapping[str, Body]] = {
    "a text that is too long": lambda prompt: asking(prompt * 100),
    "a control character": lambda prompt: asking(f"{prompt}\x00"),
    "a reordered text": lambda prompt: asking(f"{prompt}\u202e"),
    "half a surrogate pair": lambda prompt: f'{{"text_prompts":[{{"text":"{prompt}\\ud800"}}]}}',
    "a prompt that is no list": lambda prompt: {"text_prompts": prompt},
    "a prompt that is no object": lambda prompt: {"text_prompts": [prompt]},
    "a prompt where a weight belongs": lambda prompt: {"text_prompts": [{"text": "a", "weight": prompt}]},
    "a prompt under another name": lambda prompt: {"prompt": prompt},
    "a prompt beside the text": lambda prompt: {"text_prompts": [{"text": prompt, "negative": prompt}]},
    "a prompt for a seed": lambda prompt: asking("a", seed=prompt),
    "a prompt for a style": lambda prompt: asking("a", style_preset=prompt),
    "a prompt for a sampler": lambda prompt: asking("a", sampler=prompt),
    "a prompt for a model": lambda prompt: asking("a", model=prompt),
    "a prompt for extras": lambda prompt: asking("a", extras=prompt),
    "a prompt in a webhook": lambda prompt: asking(prompt, webhook_url=f"http://example.com/{prompt}"),
    "a size that does not exist": lambda prompt: asking(prompt, width=512, height=512),
    "what the model cannot do": lambda prompt: asking(prompt, strict=True, cfg_scale=20, steps=40),
    "no JSON": lambda prompt: f'{{"text_prompts":[{{"text":"{prompt}"',
    "a name twice": lambda prompt: f'{{"text_prompts":[{{"text":"{prompt}","text":"{prompt}"}}]}}',
    "a number that is none": lambda prompt: f'{{"text_prompts":[{{"text":"{prompt}","weight":NaN}}]}}',
    "a deep nest": lambda prompt: "[" * 50 + json.dumps(prompt) + "]" * 50,
    "a body that is too large": lambda prompt: asking(prompt, extras={"note": prompt * 20_000}),
    "a list": lambda prompt: [prompt],
}

OTHER_REFUSALS: Final[Mapping[str, Callable[[str], dict[str, Any]]]] = {
    "bytes that are no text": lambda prompt: event(
        "POST",
        "/text-to-image",
        base64.b64encode(prompt.encode() + b"\xff").decode(),
        base64_encoded=True,
    ),
    "a media type": lambda prompt: event(
        "POST", "/text-to-image", prompt, headers={"Content-Type": f"text/{prompt}"}
    ),
    "an idempotency key": lambda prompt: event(
        "POST", "/text-to-image", asking(prompt), headers={"Idempotency-Key": f"{prompt}!"}
    ),
    "a cursor": lambda prompt: event("GET", "/generations", query={"cursor": prompt}),
    "the OpenAI route": lambda prompt: event(
        "POST", "/images/generations", {"prompt": prompt, "size": "wide"}
    ),
    "the Stability route": lambda prompt: event(
        "POST",
        "/generation/stable-diffusion-xl-1024-v1-0/text-to-image",
        asking(prompt, width=512, height=512),
    ),
}


def model_failures(prompt: str) -> dict[str, Rule]:
    """Return every way in which the model fails, with the prompt in each text that the model sends."""
    return {
        **{name: {"type": "error", "name": name, "message": f"Refused: {prompt}"} for name in STATUS_OF},
        **{
            f"status {status}": {"type": "status", "status": status, "body": prompt}
            for status in (400, 403, 429, 500, 502, 503)
        },
        "retired": {"type": "retired"},
        "filtered": {"type": "filtered", "reason": "output image"},
        "prompt filter": {"type": "prompt_filter", "message": prompt},
        "failed": {"type": "failed"},
        "empty": {"type": "empty"},
        "no JSON": {"type": "malformed", "body": prompt},
        "a reason that quotes": {"type": "malformed", "body": json.dumps({"finish_reasons": [prompt]})},
        "an image that is none": {
            "type": "malformed",
            "body": json.dumps({"seeds": [1], "finish_reasons": [None], "images": [prompt]}),
        },
        "a seed that is none": {
            "type": "malformed",
            "body": json.dumps({"seeds": [prompt], "finish_reasons": [None], "images": ["aGVsbG8="]}),
        },
        "bad base64": {"type": "bad_base64"},
        "no PNG": {"type": "not_png", "content": "text"},
        "half a PNG": {"type": "truncated_png"},
        "cut": {"type": "cut"},
        "close": {"type": "close"},
        "stall": {"type": "stall"},
        "hang": {"type": "hang"},
    }


MODEL_FAILURES: Final = tuple(model_failures(""))
