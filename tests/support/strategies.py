"""Hypothesis strategies of request bodies: valid ones, ones that are nearly valid, any JSON, and any bytes.

The values are written out here, not taken from the service, so that a limit that changes by mistake is found.
"""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

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
    "webhook_url",
)

_BIDI: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=_BIDI), max_size=60)
"""Any characters that a text may have; where all of them are invisible, `visible_texts` adds a letter."""

visible_texts = texts.map(lambda text: text if not text else f"{text}a")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Any value of JSON; names in objects may hold lone surrogates, as a parser that lets them through would say."""

prompts = st.fixed_dictionaries(
    {"text": visible_texts},
    optional={"weight": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-100, 100)},
)


def _with_size(members: dict[str, Any], size: tuple[int, int] | None) -> dict[str, Any]:
    return members if size is None else {**members, "width": size[0], "height": size[1]}


valid_members: st.SearchStrategy[dict[str, Any]] = st.builds(
    _with_size,
    st.fixed_dictionaries(
        {"text_prompts": st.lists(prompts, min_size=1, max_size=10)},
        optional={
            "cfg_scale": st.floats(min_value=0, max_value=35) | st.integers(0, 35),
            "clip_guidance_preset": st.sampled_from(GUIDANCE),
            "sampler": st.sampled_from(SAMPLERS),
            "samples": st.just(1),
            "seed": st.integers(0, 4_294_967_295),
            "steps": st.integers(10, 150),
            "style_preset": st.sampled_from(STYLES),
            "extras": st.dictionaries(
                st.text(st.characters(exclude_categories=["Cs"]), max_size=8), scalars, max_size=3
            ),
            "model": st.sampled_from(
                ["stability.stable-diffusion-xl-v1", "stability.stable-image-core-v1:1"]
            ),
            "strict": st.booleans(),
            "webhook_url": st.just("https://example.com/hook?x=1"),
        },
    ),
    st.none() | st.sampled_from(SIZES),
)
"""Requests that must be accepted."""


@st.composite
def near_valid_members(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid request with one to three fields replaced, removed or added; it may still be valid."""
    members: dict[str, Any] = dict(draw(valid_members))
    for _ in range(draw(st.integers(1, 3))):
        change = draw(st.sampled_from(["replace", "remove", "add", "prompt"]))
        if change == "replace":
            members[draw(st.sampled_from(FIELDS))] = draw(json_values)
        elif change == "remove":
            members.pop(draw(st.sampled_from(FIELDS)), None)
        elif change == "add":
            members[draw(st.text(max_size=80))] = draw(json_values)
        else:
            members["text_prompts"] = [
                draw(json_values),
                {"text": draw(st.text()), "weight": draw(json_values)},
            ]
    return members


valid_bodies = valid_members.map(lambda members: json.dumps(members).encode("ascii"))
"""Requests that must be accepted, as bytes of JSON."""


@st.composite
def damaged_bodies(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a nearly valid request, with some cut out, repeated or overwritten."""
    body = json.dumps(draw(near_valid_members())).encode("ascii")
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, len(body)))
    middle = draw(
        st.sampled_from([b"", body[start:end] * 2, b"\xff", b"\xef\xbb\xbf", b"NaN", b"1e999", b"["])
    )
    return body[:start] + middle + body[end:]


raw_bodies: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=200),
    damaged_bodies(),
    near_valid_members().map(lambda members: json.dumps(members).encode("ascii")),
    json_values.map(lambda value: json.dumps(value).encode("ascii")),
)
"""Bodies of every kind, none of which may do worse than be refused."""
