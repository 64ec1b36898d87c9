"""A body that is accepted without pydantic gives the same request as the model; all others go to the model."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image import parameters, reading, schema
from imagegen.contracts.webhook_urls import MAX_LENGTH
from imagegen.errors import ImagegenError
from tests.support import bodies
from tests.support.bodies import Members, strategy
from tests.unit.contracts.text_to_image.test_schema import WRONG_TYPES

TEA: Final = [{"text": "tea"}]


class Text(str):
    """A text that is not exactly a `str`."""

    __slots__ = ()


def full(request: GenerationRequest) -> str:
    """Return everything in a request as text, in which 7 and 7.0 differ, and 0.0 and -0.0."""
    task = request.task.parameters()
    return json.dumps([task, request.model, request.strict, request.webhook_url])


def outcome(parse: Callable[[dict[str, Any]], GenerationRequest], members: Members) -> object:
    """Return what a body becomes: a request in full, or the error with every word of it."""
    try:
        return full(parse(members))
    except ImagegenError as exc:
        return type(exc), exc.detail, exc.errors


def agree(members: Members) -> bool:
    """Say whether both ways give the same result for a body, word for word."""
    found = reading.well_formed(members)
    expected = outcome(schema.parse, members)
    return (found is None or full(found) == expected) and outcome(reading.parse, members) == expected


def needs_model(members: Members) -> bool:
    """Say whether a body is left to pydantic."""
    return reading.well_formed(members) is None


@pytest.mark.parametrize("make", [bodies.valid_members, bodies.near_valid_members, bodies.openai_members])
def test_both_ways_agree_about_thousands_of_bodies(make: Callable[[Random], Members]) -> None:
    """The bodies are valid, changed, or those of another API."""
    made = [make(Random(f"reading {number}")) for number in range(2_000)]  # noqa: S311 - chance that can be repeated
    assert [members for members in made if not agree(members)] == []


@pytest.mark.slow
@given(strategy(bodies.valid_members) | strategy(bodies.near_valid_members))
def test_both_ways_agree_about_any_body(members: Members) -> None:
    """Hypothesis looks for one about which they differ."""
    assert agree(members)


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG_TYPES.items() for value in values]
)
def test_a_value_of_another_type_is_refused_in_the_same_words(field: str, value: object) -> None:
    """For both ways, true and 1.0 are not integers."""
    members = {"text_prompts": TEA, field: value}
    assert needs_model(members)
    assert agree(members)


GOOD: Final[dict[str, list[Any]]] = {
    "text_prompts": [
        [{"text": ""}],
        [{"text": "a" * 2000, "weight": -1}] * 10,
        [{"text": "tea\t\r\n\U0010ffff\ue000\ufffe", "weight": -0.0}],
        [{"text": "tea", "weight": 2**53}, {"text": "tea", "weight": -1e308}],
    ],
    "cfg_scale": [0, 35, -0.0, 7, 7.5],
    "clip_guidance_preset": list(bodies.GUIDANCE),
    "sampler": list(bodies.SAMPLERS),
    "samples": [1],
    "seed": [0, 4_294_967_295],
    "steps": [10, 150],
    "style_preset": list(bodies.STYLES),
    "extras": [{}],
    "model": ["m", "m" * 256],
    "strict": [True, False],
    "output_format": ["png", "jpeg", "webp"],
    "webhook_url": [
        "https://example.com",
        "https://" + "a" * 63 + ".example:65535/?a=%20",
        "https://example.com/" + "a" * (MAX_LENGTH - 20),
    ],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in GOOD for value in GOOD[field]])
def test_what_is_plainly_allowed_needs_no_pydantic(field: str, value: Any) -> None:
    """Each field is tried at its bounds."""
    members = {"text_prompts": TEA, field: value}
    assert not needs_model(members)
    assert agree(members)


@pytest.mark.parametrize("size", bodies.SIZES)
def test_each_size_needs_no_pydantic(size: tuple[int, int]) -> None:
    """The sides may come in either order."""
    members = {"text_prompts": TEA, "height": size[1], "width": size[0]}
    assert not needs_model(members)
    assert agree(members)


BAD: Final[list[Members]] = [
    {},
    {"text_prompts": []},
    {"text_prompts": TEA * 11},
    {"text_prompts": [{"text": "a" * 2001}]},
    {"text_prompts": [{"weight": 1}]},
    {"text_prompts": [{"text": "tea", "wieght": 1}]},
    *(
        {"text_prompts": [{"text": text}]}
        for text in (" ", "\u200b", "a\x00", "\u202ea", "\ud83d", "tea\udc00")
    ),
    *(
        {"text_prompts": [{"text": "tea", "weight": one}]}
        for one in (math.inf, -math.inf, math.nan, True, "1", None)
    ),
    {"text_prompts": TEA, "unknown": 1},
    *({"text_prompts": TEA, name: 1024} for name in ("width", "height")),
    *({"text_prompts": TEA, "width": one, "height": 1024} for one in (1152, 0, -1024, True, 1024.0, 10**40)),
    *({"text_prompts": TEA, "cfg_scale": one} for one in (-1, 36, 35.000001, math.nan, math.inf, 10**40)),
    *({"text_prompts": TEA, "seed": one} for one in (-1, 2**32, 10**40)),
    *({"text_prompts": TEA, "steps": one} for one in (9, 151, -30)),
    *({"text_prompts": TEA, "samples": one} for one in (0, 2)),
    *({"text_prompts": TEA, name: "no"} for name in ("sampler", "style_preset", "clip_guidance_preset")),
    *({"text_prompts": TEA, "model": model} for model in ("m" * 257, "\ud83d")),
    {"text_prompts": TEA, "extras": {"a": "a" * 1024}},
    *(
        {"text_prompts": TEA, "webhook_url": url}
        for url in (
            "https://example.com\n",
            "http://example.com",
            "https://localhost",
            "https://a.internal/",
            "https://127.0.0.1/",
            "https://u@example.com/",
            "https://example.com/#a",
            "https://example.com/" + "a" * (MAX_LENGTH - 19),
        )
    ),
]


@pytest.mark.parametrize("members", BAD, ids=range(len(BAD)))
def test_what_is_not_allowed_is_refused_in_the_same_words(members: Members) -> None:
    """Each value is just outside a bound."""
    assert needs_model(members)
    assert agree(members)
    assert not isinstance(outcome(reading.parse, members), str)


@pytest.mark.parametrize(
    "members",
    [
        {"text_prompts": [{"text": "tea", "weight": 2**53 + 1}]},
        {"text_prompts": TEA, "extras": {"a": 1}},
        {"text_prompts": TEA, "model": "\x00"},
        {"text_prompts": [{"text": Text("tea")}]},
        {"text_prompts": TEA, "sampler": Text("DDIM")},
    ],
)
def test_what_is_rare_is_left_to_the_model(members: Members) -> None:
    """The model accepts these."""
    assert needs_model(members)
    assert agree(members)
    assert isinstance(outcome(reading.parse, members), str)


def test_every_field_of_the_model_is_known() -> None:
    """A new field of the model needs its check here, and good and bad values of it above."""
    assert set(reading.FIELDS) == set(schema.RequestBody.model_fields) == {*GOOD, "width", "height"}
    assert set(schema.PromptBody.model_fields) == {"text", "weight"}
    assert set(reading.FIELDS) == {*parameters.PARAMETERS, "model", "strict", "output_format", "webhook_url"}
