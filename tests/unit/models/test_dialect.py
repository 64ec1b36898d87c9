"""Each parameter for each model: the exact body, and the ignored and approximated parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from imagegen.contracts.text_to_image.parameters import PARAMETERS
from imagegen.models.registry import REGISTRY
from tests.support.translations import CORE, SD3, SDXL, ULTRA, prompts, translated

SDXL_BODY = {
    "text_prompts": [{"text": "A tea plantation", "weight": 1.0}],
    "height": 1024,
    "width": 1024,
    "cfg_scale": 7.0,
    "samples": 1,
    "seed": 3407,
    "steps": 30,
}
CORE_BODY = {"prompt": "A tea plantation", "aspect_ratio": "1:1", "seed": 3407, "output_format": "png"}
WITH_MODE_BODY = {**CORE_BODY, "mode": "text-to-image"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One parameter with a value, and how each dialect's body differs from the constants above."""

    parameter: str
    given: dict[str, Any]
    sdxl: dict[str, Any] = field(default_factory=dict)
    stable_image: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    approximated: tuple[str, ...] = ()


def _members(*prompts: tuple[str, float]) -> dict[str, Any]:
    return {"text_prompts": [{"text": text, "weight": weight} for text, weight in prompts]}


CASES = {
    "nothing but a prompt": Case(parameter="text_prompts", given={}),
    "an empty prompt": Case(
        parameter="text_prompts",
        given=prompts(("", 1.0)),
        sdxl=_members(("", 1.0)),
        stable_image={"prompt": ""},
    ),
    "a prompt with spaces around it": Case(
        parameter="text_prompts",
        given=prompts((" tea ", 1.0)),
        sdxl=_members((" tea ", 1.0)),
        stable_image={"prompt": " tea "},
    ),
    "two prompts": Case(
        parameter="text_prompts",
        given=prompts(("tea ", 1.0), ("mist", 1.0)),
        sdxl=_members(("tea ", 1.0), ("mist", 1.0)),
        stable_image={"prompt": "tea, mist"},
    ),
    "a prompt that ends in a full stop before another": Case(
        parameter="text_prompts",
        given=prompts(("Tea.", 1.0), ("Mist", 1.0)),
        sdxl=_members(("Tea.", 1.0), ("Mist", 1.0)),
        stable_image={"prompt": "Tea. Mist"},
    ),
    "a lighter prompt": Case(
        parameter="text_prompts",
        given=prompts(("tea", 1.0), ("mist", 0.5)),
        sdxl=_members(("tea", 1.0), ("mist", 0.5)),
        stable_image={"prompt": "tea, (mist:0.5)"},
        approximated=("text_prompts",),
    ),
    "a heavier prompt": Case(
        parameter="text_prompts",
        given=prompts(("tea", 1.5), ("mist", 2.0)),
        sdxl=_members(("tea", 1.5), ("mist", 2.0)),
        stable_image={"prompt": "(tea:1.5), (mist:2)"},
        approximated=("text_prompts",),
    ),
    "weights of absurd sizes": Case(
        parameter="text_prompts",
        given=prompts(("tea", 1e300), ("mist", 1e-9), ("hills", 0.12345)),
        sdxl=_members(("tea", 1e300), ("mist", 1e-9), ("hills", 0.12345)),
        stable_image={"prompt": "(tea:10), (hills:0.123)"},
        approximated=("text_prompts",),
    ),
    "a weight of zero": Case(
        parameter="text_prompts",
        given=prompts(("tea", 1.0), ("mist", 0.0)),
        sdxl=_members(("tea", 1.0), ("mist", 0.0)),
        stable_image={"prompt": "tea"},
    ),
    "a negative prompt": Case(
        parameter="text_prompts",
        given=prompts(("tea", 1.0), ("people", -1.0)),
        sdxl=_members(("tea", 1.0), ("people", -1.0)),
        stable_image={"prompt": "tea", "negative_prompt": "people"},
    ),
    "a lone positive prompt's weight": Case(
        parameter="text_prompts",
        given=prompts(("a (small:1.2) cup", 0.5), ("mist", 0.0), (" ", 3.0)),
        sdxl=_members(("a (small:1.2) cup", 0.5), ("mist", 0.0), (" ", 3.0)),
        stable_image={"prompt": "a (small:1.2) cup"},
    ),
    "a lone positive prompt's weight beside a negative prompt": Case(
        parameter="text_prompts",
        given=prompts(("tea (cup)", 0.5), ("people", -1.0)),
        sdxl=_members(("tea (cup)", 0.5), ("people", -1.0)),
        stable_image={"prompt": "tea (cup)", "negative_prompt": "people"},
        approximated=("text_prompts",),
    ),
    "weights that round to zero": Case(
        parameter="text_prompts",
        given=prompts(("tea", 1.0), ("mist", 0.0004), ("cars", -0.0004), ("people", -0.001)),
        sdxl=_members(("tea", 1.0), ("mist", 0.0004), ("cars", -0.0004), ("people", -0.001)),
        stable_image={"prompt": "tea", "negative_prompt": "people"},
        approximated=("text_prompts",),
    ),
    "weights that round to zero and leave nothing": Case(
        parameter="text_prompts",
        given=prompts(("tea", 0.0004)),
        sdxl=_members(("tea", 0.0004)),
        stable_image={"prompt": ""},
        approximated=("text_prompts",),
    ),
    "a weight that rounds to 1": Case(
        parameter="text_prompts",
        given=prompts(("a (small:1.2) cup", 1.0001), ("mist", 1.0)),
        sdxl=_members(("a (small:1.2) cup", 1.0001), ("mist", 1.0)),
        stable_image={"prompt": "a (small:1.2) cup, mist"},
        approximated=("text_prompts",),
    ),
    "negative prompts of other weights": Case(
        parameter="text_prompts",
        given=prompts(("people", -0.5), ("tea", 1.0), ("cars", -2.0)),
        sdxl=_members(("people", -0.5), ("tea", 1.0), ("cars", -2.0)),
        stable_image={"prompt": "tea", "negative_prompt": "people, cars"},
        approximated=("text_prompts",),
    ),
    "negative prompts only": Case(
        parameter="text_prompts",
        given=prompts(("people", -1.0), (" ", -1.0)),
        sdxl=_members(("people", -1.0), (" ", -1.0)),
        stable_image={"prompt": "", "negative_prompt": "people"},
    ),
    "parentheses under a weight of 1": Case(
        parameter="text_prompts",
        given=prompts(("a (small:0.5) cup :)", 1.0)),
        sdxl=_members(("a (small:0.5) cup :)", 1.0)),
        stable_image={"prompt": "a (small:0.5) cup :)"},
    ),
    "parentheses under another weight": Case(
        parameter="text_prompts",
        given=prompts(("a (small) cup", 0.5), ("()", 0.5)),
        sdxl=_members(("a (small) cup", 0.5), ("()", 0.5)),
        stable_image={"prompt": "(a small cup:0.5)"},
        approximated=("text_prompts",),
    ),
    "prompts in other scripts": Case(
        parameter="text_prompts",
        given=prompts(("茶園。", 1.0), ("🍵", 0.5)),
        sdxl=_members(("茶園。", 1.0), ("🍵", 0.5)),
        stable_image={"prompt": "茶園。 (🍵:0.5)"},
        approximated=("text_prompts",),
    ),
    "the least cfg_scale": Case(
        parameter="cfg_scale", given={"cfg_scale": 0.0}, sdxl={"cfg_scale": 0.0}, ignored=("cfg_scale",)
    ),
    "the greatest cfg_scale": Case(
        parameter="cfg_scale", given={"cfg_scale": 35.0}, sdxl={"cfg_scale": 35.0}, ignored=("cfg_scale",)
    ),
    "the default cfg_scale as an integer": Case(
        parameter="cfg_scale", given={"cfg_scale": 7}, sdxl={"cfg_scale": 7}
    ),
    "a clip_guidance_preset": Case(
        parameter="clip_guidance_preset",
        given={"clip_guidance_preset": "FAST_BLUE"},
        sdxl={"clip_guidance_preset": "FAST_BLUE"},
        ignored=("clip_guidance_preset",),
    ),
    "no clip guidance": Case(parameter="clip_guidance_preset", given={"clip_guidance_preset": "NONE"}),
    "a landscape": Case(
        parameter="width",
        given={"width": 1344, "height": 768},
        sdxl={"width": 1344, "height": 768},
        stable_image={"aspect_ratio": "16:9"},
        approximated=("height", "width"),
    ),
    "a portrait": Case(
        parameter="height",
        given={"width": 768, "height": 1344},
        sdxl={"width": 768, "height": 1344},
        stable_image={"aspect_ratio": "9:16"},
        approximated=("height", "width"),
    ),
    "a sampler": Case(
        parameter="sampler",
        given={"sampler": "K_DPM_2_ANCESTRAL"},
        sdxl={"sampler": "K_DPM_2_ANCESTRAL"},
        ignored=("sampler",),
    ),
    "samples": Case(parameter="samples", given={"samples": 1}),
    "no seed": Case(parameter="seed", given={"seed": 0}, sdxl={"seed": 0}, stable_image={"seed": 0}),
    "the least seed": Case(parameter="seed", given={"seed": 1}, sdxl={"seed": 1}, stable_image={"seed": 1}),
    "the greatest drawn seed": Case(
        parameter="seed",
        given={"seed": 4294967294},
        sdxl={"seed": 4294967294},
        stable_image={"seed": 4294967294},
    ),
    "the fewest steps": Case(parameter="steps", given={"steps": 10}, sdxl={"steps": 10}, ignored=("steps",)),
    "the most steps": Case(parameter="steps", given={"steps": 150}, sdxl={"steps": 150}, ignored=("steps",)),
    "a style": Case(
        parameter="style_preset",
        given={"style_preset": "photographic"},
        sdxl={"style_preset": "photographic"},
        stable_image={"prompt": "A tea plantation, photograph, photorealistic"},
        approximated=("style_preset",),
    ),
    "a style and no words": Case(
        parameter="style_preset",
        given={**prompts(("", 1.0)), "style_preset": "origami"},
        sdxl={**_members(("", 1.0)), "style_preset": "origami"},
        stable_image={"prompt": "folded paper origami"},
        approximated=("style_preset",),
    ),
    "extras": Case(
        parameter="extras",
        given={"extras": {"anything": [1, {"goes": None}]}},
        sdxl={"extras": {"anything": [1, {"goes": None}]}},
        ignored=("extras",),
    ),
    "no extras": Case(parameter="extras", given={"extras": {}}),
    "everything at once": Case(
        parameter="text_prompts",
        given={
            **prompts(("Sri lanka tea plantation.", 1.0), ("fog", 0.8), ("cars", -1.0)),
            "width": 1536,
            "height": 640,
            "cfg_scale": 10.0,
            "clip_guidance_preset": "SLOWEST",
            "sampler": "DDIM",
            "seed": 7,
            "steps": 50,
            "style_preset": "pixel-art",
            "extras": {"a": 1},
        },
        sdxl={
            **_members(("Sri lanka tea plantation.", 1.0), ("fog", 0.8), ("cars", -1.0)),
            "width": 1536,
            "height": 640,
            "cfg_scale": 10.0,
            "clip_guidance_preset": "SLOWEST",
            "sampler": "DDIM",
            "seed": 7,
            "steps": 50,
            "style_preset": "pixel-art",
            "extras": {"a": 1},
        },
        stable_image={
            "prompt": "Sri lanka tea plantation. (fog:0.8), pixel art",
            "negative_prompt": "cars",
            "aspect_ratio": "21:9",
            "seed": 7,
        },
        ignored=("cfg_scale", "clip_guidance_preset", "sampler", "steps", "extras"),
        approximated=("text_prompts", "height", "width", "style_preset"),
    ),
}
NAMED_CASES = [pytest.param(case, id=name) for name, case in CASES.items()]


@pytest.mark.parametrize("case", NAMED_CASES)
@pytest.mark.parametrize("model_id", SDXL)
def test_sdxl_is_sent_every_parameter_as_it_is(model_id: str, case: Case) -> None:
    """The contract is SDXL's own, so nothing is ignored, approximated or added."""
    translation = translated(model_id, **case.given)
    assert translation.body == {**SDXL_BODY, **case.sdxl}
    assert (translation.ignored, translation.approximated) == ((), ())
    assert translation.seed == translation.body["seed"]


@pytest.mark.parametrize("case", NAMED_CASES)
@pytest.mark.parametrize("model_id", CORE)
def test_stable_image_core_is_sent_its_own_words(model_id: str, case: Case) -> None:
    """Stable Image Core gets at most five members; the other parameters are named as ignored."""
    translation = translated(model_id, **case.given)
    assert translation.body == {**CORE_BODY, **case.stable_image}
    assert (translation.ignored, translation.approximated) == (case.ignored, case.approximated)
    assert translation.seed == translation.body["seed"]


@pytest.mark.parametrize("case", NAMED_CASES)
@pytest.mark.parametrize("model_id", [*ULTRA, *SD3])
def test_ultra_and_sd3_are_sent_the_mode_beside_it(model_id: str, case: Case) -> None:
    """Ultra and the SD3 family also get the member `mode`."""
    translation = translated(model_id, **case.given)
    assert translation.body == {**WITH_MODE_BODY, **case.stable_image}
    assert (translation.ignored, translation.approximated) == (case.ignored, case.approximated)
    assert translation.seed == translation.body["seed"]


def test_every_model_and_every_parameter_is_in_the_table() -> None:
    """Whoever adds a model or a parameter also adds it here."""
    assert {*SDXL, *CORE, *ULTRA, *SD3} == set(REGISTRY)
    assert {case.parameter for case in CASES.values()} == set(PARAMETERS)


@pytest.mark.parametrize("model_id", [*SDXL, *CORE, *ULTRA])
def test_the_greatest_seed_is_honoured(model_id: str) -> None:
    """These models take the contract's greatest seed unchanged."""
    translation = translated(model_id, seed=4294967295)
    assert (translation.body["seed"], translation.seed) == (4294967295, 4294967295)
    assert translation.ignored == ()
