"""Request bodies made by chance: valid ones, ones that are nearly valid, any JSON, and any bytes.

Each function takes the source of chance. `Random("name 7")` makes the same body in every run and costs
microseconds; `strategy` makes a Hypothesis strategy of the same function, which shrinks what fails.

The values are written out here, not taken from the service, so that a limit that changes by mistake is found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

Made = TypeVar("Made")
Members = dict[str, Any]

SIZES: Final = (
    (1024, 1024),
    (1152, 896),
    (1216, 832),
    (1344, 768),
    (1536, 640),
    (640, 1536),
    (768, 1344),
    (832, 1216),
    (896, 1152),
)
GUIDANCE: Final = ("FAST_BLUE", "FAST_GREEN", "NONE", "SIMPLE", "SLOW", "SLOWER", "SLOWEST")
SAMPLERS: Final = (
    "DDIM",
    "DDPM",
    "K_DPMPP_2M",
    "K_DPMPP_2S_ANCESTRAL",
    "K_DPM_2",
    "K_DPM_2_ANCESTRAL",
    "K_EULER",
    "K_EULER_ANCESTRAL",
    "K_HEUN",
    "K_LMS",
)
STYLES: Final = (
    "3d-model",
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "enhance",
    "fantasy-art",
    "isometric",
    "line-art",
    "low-poly",
    "modeling-compound",
    "neon-punk",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
)
FIELDS: Final = (
    "text_prompts",
    "height",
    "width",
    "cfg_scale",
    "clip_guidance_preset",
    "sampler",
    "samples",
    "seed",
    "steps",
    "style_preset",
    "extras",
    "model",
    "strict",
    "output_format",
    "webhook_url",
)

OPENAI_FIELDS: Final = ("prompt", "model", "n", "size", "quality", "style", "response_format", "user")
OPENAI_VALUES: Final = (
    *("tea", "auto", "1024x1024", "512x512", "vivid", "hd", "url", "b64_json"),
    *(1, 2, None),
)

PRINTABLE: Final = ((0x20, 0x7E), (0xA1, 0xAC), (0x100, 0x17F), (0x4E00, 0x9FFF), (0x1F300, 0x1F5FF))
"""Ranges of characters that a prompt may have, and of which each can be seen."""

ANY: Final = (*PRINTABLE, (0x00, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2066, 0x2069))
HARD: Final = (
    *ANY,
    (0x300, 0x36F),
    (0xFE00, 0xFE0F),
    (0xFF01, 0xFF5E),
    (0xFFFE, 0xFFFF),
    (0xE0000, 0x10FFFF),
)
NAMES: Final = (*HARD, (0xD800, 0xDFFF))

INTEGERS: Final = (
    0,
    1,
    -1,
    9,
    10,
    150,
    151,
    1024,
    2**31,
    2**32 - 1,
    2**32,
    2**53 + 1,
    2**63,
    10**40,
    -(10**40),
)
FLOATS: Final = (0.0, -0.0, 1.0, 0.5, 35.0, 35.000001, 5e-324, 1e308, -1e308, 2**53 + 2.0)


def strategy(make: Callable[[Random], Made]) -> st.SearchStrategy[Made]:
    """Return what a function makes by chance as a Hypothesis strategy."""
    return st.randoms().map(make)


def text(random: Random, *, longest: int = 30, ranges: tuple[tuple[int, int], ...] = HARD) -> str:
    """Make a text whose characters are of one or two of the ranges."""
    chosen = (random.choice(ranges), random.choice(ranges))
    return "".join(chr(random.randint(*random.choice(chosen))) for _ in range(random.randint(0, longest)))


def number(random: Random) -> float:
    """Make an integer or a float: one at a border, or any."""
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(INTEGERS)
    if kind == 1:
        return random.choice(FLOATS)
    return random.randint(-200, 200) if kind == 2 else random.uniform(-1e6, 1e6)


def json_value(random: Random, depth: int = 3, *, names: tuple[tuple[int, int], ...] = NAMES) -> Any:
    """Make any value of JSON; names in objects may hold half a surrogate pair, which some parsers let through."""
    kind = random.randrange(6 if depth else 4)
    if kind == 0:
        return random.choice((None, True, False))
    if kind == 1:
        return number(random)
    if kind < 4:
        return text(random)
    values = [json_value(random, depth - 1, names=names) for _ in range(random.randint(0, 4))]
    return values if kind == 4 else {text(random, longest=8, ranges=names): value for value in values}


def prompt(random: Random) -> Members:
    """Make a prompt that is valid, and visible if it is not empty."""
    made = text(random, longest=60, ranges=PRINTABLE)
    weight = {"weight": number(random)} if random.random() < 0.5 else {}
    return {"text": made and f"{made}a", **weight}


def valid_members(random: Random) -> Members:
    """Make the members of a request that must be accepted."""
    width, height = random.choice(SIZES)
    optional: Members = {
        "cfg_scale": random.choice((0, 35, 7, random.uniform(0, 35))),
        "clip_guidance_preset": random.choice(GUIDANCE),
        "sampler": random.choice(SAMPLERS),
        "samples": 1,
        "seed": random.choice((0, 4_294_967_295, random.randint(0, 4_294_967_295))),
        "steps": random.choice((10, 150, random.randint(10, 150))),
        "style_preset": random.choice(STYLES),
        "extras": {text(random, longest=8): json_value(random, 0) for _ in range(random.randint(0, 3))},
        "model": random.choice(("stability.stable-diffusion-xl-v1", "stability.stable-image-core-v1:1")),
        "strict": random.choice((True, False)),
        "webhook_url": "https://example.com/hook?x=1",
    }
    sides = {"width": width, "height": height} if random.random() < 0.5 else {}
    kept = {name: value for name, value in optional.items() if random.random() < 0.3}
    return {"text_prompts": [prompt(random) for _ in range(random.randint(1, 10))], **sides, **kept}


def near_valid_members(random: Random) -> Members:
    """Make a valid request with one to three fields replaced, removed or added; it may still be valid."""
    members = valid_members(random)
    for _ in range(random.randint(1, 3)):
        change = random.choice(("replace", "remove", "add", "prompt", "extras"))
        if change == "replace":
            members[random.choice(FIELDS)] = json_value(random)
        elif change == "remove":
            members.pop(random.choice(FIELDS), None)
        elif change == "add":
            members[text(random, longest=80)] = json_value(random)
        elif change == "extras":
            members["extras"] = {text(random, ranges=NAMES): json_value(random)}
        else:
            weighted = {"text": text(random), "weight": json_value(random)}
            members["text_prompts"] = [json_value(random), weighted]
    return members


def openai_members(random: Random) -> Members:
    """Make a request in OpenAI's shape: its fields with any values, and others."""
    members = {}
    for _ in range(random.randint(0, 6)):
        name = random.choice(OPENAI_FIELDS) if random.random() < 0.8 else text(random, longest=8)
        members[name] = random.choice(OPENAI_VALUES) if random.random() < 0.7 else json_value(random)
    return members


def as_bytes(members: object) -> bytes:
    """Write a value as JSON, all of it ASCII."""
    return json.dumps(members).encode("ascii")


def any_bytes(random: Random) -> bytes:
    """Make bytes that are hardly ever JSON: any, or those of a text."""
    if random.random() < 0.5:
        return random.randbytes(random.randint(0, 300))
    return text(random, longest=200).encode()


def damaged_body(random: Random) -> bytes:
    """Make the bytes of a nearly valid request, with some cut out, repeated or overwritten."""
    body = as_bytes(near_valid_members(random))
    start = random.randint(0, len(body))
    end = random.randint(start, len(body))
    twice = body[start:end] * 2
    middle = random.choice((b"", twice, b"\xff", b"\xef\xbb\xbf", b"NaN", b"1e999", b"["))
    return body[:start] + middle + body[end:]


def raw_body(random: Random) -> bytes:
    """Make a body of any kind, none of which may do worse than be refused."""
    kind = random.randrange(4)
    if kind == 0:
        return any_bytes(random)
    if kind == 1:
        return damaged_body(random)
    return as_bytes(near_valid_members(random) if kind == 2 else json_value(random))
