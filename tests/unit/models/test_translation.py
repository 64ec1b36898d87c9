"""Each contract parameter × each registered model: the exact body, and what is named as ignored or approximated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from imagegen.contracts.text_to_image.parameters import PARAMETERS, SIZES, STYLE_PRESETS, Prompt, TextToImage
from imagegen.errors import UnsupportedParameter
from imagegen.models.registry import REGISTRY
from imagegen.models.stable_image import ASPECT_RATIOS, STYLE_WORDS

SDXL = ("stability.stable-diffusion-xl-v1", "stability.stable-diffusion-xl-v1:0")
CORE = ("stability.stable-image-core-v1:1", "stability.stable-image-core-v1:0")
ULTRA = ("stability.stable-image-ultra-v1:1", "stability.stable-image-ultra-v1:0")
SD3 = ("stability.sd3-5-large-v1:0", "stability.sd3-large-v1:0")

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
    """One parameter set to something, and what each dialect makes of it: what differs from the bodies above."""

    parameter: str
    given: dict[str, Any]
    sdxl: dict[str, Any] = field(default_factory=dict)
    stable_image: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    approximated: tuple[str, ...] = ()


def _prompts(*prompts: tuple[str, float]) -> dict[str, Any]:
    return {"text_prompts": tuple(Prompt(text=text, weight=weight) for text, weight in prompts)}


def _members(*prompts: tuple[str, float]) -> dict[str, Any]:
    return {"text_prompts": [{"text": text, "weight": weight} for text, weight in prompts]}


CASES = {
    "nothing but a prompt": Case(parameter="text_prompts", given={}),
    "an empty prompt": Case(
        parameter="text_prompts",
        given=_prompts(("", 1.0)),
        sdxl=_members(("", 1.0)),
        stable_image={"prompt": ""},
    ),
    "a prompt with spaces around it": Case(
        parameter="text_prompts",
        given=_prompts((" tea ", 1.0)),
        sdxl=_members((" tea ", 1.0)),
        stable_image={"prompt": " tea "},
    ),
    "two prompts": Case(
        parameter="text_prompts",
        given=_prompts(("tea ", 1.0), ("mist", 1.0)),
        sdxl=_members(("tea ", 1.0), ("mist", 1.0)),
        stable_image={"prompt": "tea, mist"},
    ),
    "a prompt that ends in a full stop before another": Case(
        parameter="text_prompts",
        given=_prompts(("Tea.", 1.0), ("Mist", 1.0)),
        sdxl=_members(("Tea.", 1.0), ("Mist", 1.0)),
        stable_image={"prompt": "Tea. Mist"},
    ),
    "a lighter prompt": Case(
        parameter="text_prompts",
        given=_prompts(("tea", 1.0), ("mist", 0.5)),
        sdxl=_members(("tea", 1.0), ("mist", 0.5)),
        stable_image={"prompt": "tea, (mist:0.5)"},
        approximated=("text_prompts",),
    ),
    "a heavier prompt": Case(
        parameter="text_prompts",
        given=_prompts(("tea", 1.5), ("mist", 2.0)),
        sdxl=_members(("tea", 1.5), ("mist", 2.0)),
        stable_image={"prompt": "(tea:1.5), (mist:2)"},
        approximated=("text_prompts",),
    ),
    "weights of absurd sizes": Case(
        parameter="text_prompts",
        given=_prompts(("tea", 1e300), ("mist", 1e-9), ("hills", 0.12345)),
        sdxl=_members(("tea", 1e300), ("mist", 1e-9), ("hills", 0.12345)),
        stable_image={"prompt": "(tea:10), (hills:0.123)"},
        approximated=("text_prompts",),
    ),
    "a weight of zero": Case(
        parameter="text_prompts",
        given=_prompts(("tea", 1.0), ("mist", 0.0)),
        sdxl=_members(("tea", 1.0), ("mist", 0.0)),
        stable_image={"prompt": "tea"},
    ),
    "a negative prompt": Case(
        parameter="text_prompts",
        given=_prompts(("tea", 1.0), ("people", -1.0)),
        sdxl=_members(("tea", 1.0), ("people", -1.0)),
        stable_image={"prompt": "tea", "negative_prompt": "people"},
    ),
    "negative prompts of other weights": Case(
        parameter="text_prompts",
        given=_prompts(("people", -0.5), ("tea", 1.0), ("cars", -2.0)),
        sdxl=_members(("people", -0.5), ("tea", 1.0), ("cars", -2.0)),
        stable_image={"prompt": "tea", "negative_prompt": "people, cars"},
        approximated=("text_prompts",),
    ),
    "negative prompts only": Case(
        parameter="text_prompts",
        given=_prompts(("people", -1.0), (" ", -1.0)),
        sdxl=_members(("people", -1.0), (" ", -1.0)),
        stable_image={"prompt": "", "negative_prompt": "people"},
    ),
    "parentheses under a weight of 1": Case(
        parameter="text_prompts",
        given=_prompts(("a (small:0.5) cup :)", 1.0)),
        sdxl=_members(("a (small:0.5) cup :)", 1.0)),
        stable_image={"prompt": "a (small:0.5) cup :)"},
    ),
    "parentheses under another weight": Case(
        parameter="text_prompts",
        given=_prompts(("a (small) cup", 0.5), ("()", 0.5)),
        sdxl=_members(("a (small) cup", 0.5), ("()", 0.5)),
        stable_image={"prompt": "(a small cup:0.5)"},
        approximated=("text_prompts",),
    ),
    "prompts in other scripts": Case(
        parameter="text_prompts",
        given=_prompts(("茶園。", 1.0), ("🍵", 0.5)),
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
        given={**_prompts(("", 1.0)), "style_preset": "origami"},
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
            **_prompts(("Sri lanka tea plantation.", 1.0), ("fog", 0.8), ("cars", -1.0)),
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
DEFAULTS: dict[str, Any] = {**_prompts(("A tea plantation", 1.0)), "seed": 3407}
NAMED_CASES = [pytest.param(case, id=name) for name, case in CASES.items()]


def _request(**given: Any) -> TextToImage:
    return TextToImage(**{**DEFAULTS, **given})


@pytest.mark.parametrize("case", NAMED_CASES)
@pytest.mark.parametrize("model_id", SDXL)
def test_sdxl_is_sent_every_parameter_as_it_is(model_id: str, case: Case) -> None:
    """The contract is SDXL's own: nothing is ignored, nothing approximated, nothing added."""
    translation = REGISTRY[model_id].dialect.translators[TextToImage.kind].translate(_request(**case.given))
    assert translation.body == {**SDXL_BODY, **case.sdxl}
    assert (translation.ignored, translation.approximated) == ((), ())
    assert translation.seed == translation.body["seed"]


@pytest.mark.parametrize("case", NAMED_CASES)
@pytest.mark.parametrize("model_id", CORE)
def test_stable_image_core_is_sent_its_own_words(model_id: str, case: Case) -> None:
    """Stable Image Core gets five members at most, and the rest is named."""
    translation = REGISTRY[model_id].dialect.translators[TextToImage.kind].translate(_request(**case.given))
    assert translation.body == {**CORE_BODY, **case.stable_image}
    assert (translation.ignored, translation.approximated) == (case.ignored, case.approximated)
    assert translation.seed == translation.body["seed"]


@pytest.mark.parametrize("case", NAMED_CASES)
@pytest.mark.parametrize("model_id", [*ULTRA, *SD3])
def test_ultra_and_sd3_are_sent_the_mode_beside_it(model_id: str, case: Case) -> None:
    """Ultra and the SD3 family take `mode` too."""
    translation = REGISTRY[model_id].dialect.translators[TextToImage.kind].translate(_request(**case.given))
    assert translation.body == {**WITH_MODE_BODY, **case.stable_image}
    assert (translation.ignored, translation.approximated) == (case.ignored, case.approximated)
    assert translation.seed == translation.body["seed"]


def test_every_model_and_every_parameter_is_in_the_table() -> None:
    """A model or a parameter that is added has to be added here."""
    assert {*SDXL, *CORE, *ULTRA, *SD3} == set(REGISTRY)
    assert {case.parameter for case in CASES.values()} == set(PARAMETERS)


@pytest.mark.parametrize("model_id", [*SDXL, *CORE, *ULTRA])
def test_the_greatest_seed_is_honoured(model_id: str) -> None:
    """The contract's greatest seed goes through where the model takes it."""
    translation = (
        REGISTRY[model_id].dialect.translators[TextToImage.kind].translate(_request(seed=4294967295))
    )
    assert (translation.body["seed"], translation.seed) == (4294967295, 4294967295)
    assert translation.ignored == ()


@pytest.mark.parametrize("model_id", SD3)
def test_a_seed_beyond_sd3s_bound_becomes_the_bound_and_is_named(model_id: str) -> None:
    """SD3 takes one seed less than the contract; the caller is told that it was not the one used."""
    translation = (
        REGISTRY[model_id]
        .dialect.translators[TextToImage.kind]
        .translate(_request(seed=4294967295, steps=31))
    )
    assert (translation.body["seed"], translation.seed) == (4294967294, 4294967294)
    assert translation.ignored == ("seed", "steps")


def test_an_integral_float_stays_a_number_of_the_contract() -> None:
    """Integers stay integers: SDXL refuses 30.0 steps."""
    body = REGISTRY[SDXL[0]].dialect.translators[TextToImage.kind].translate(_request(cfg_scale=10.0)).body
    assert {name: type(body[name]) for name in ("height", "width", "samples", "seed", "steps")} == {
        "height": int,
        "width": int,
        "samples": int,
        "seed": int,
        "steps": int,
    }


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((1024, 1024), "1:1"),
        ((1152, 896), "5:4"),
        ((1216, 832), "3:2"),
        ((1344, 768), "16:9"),
        ((1536, 640), "21:9"),
        ((640, 1536), "9:21"),
        ((768, 1344), "9:16"),
        ((832, 1216), "2:3"),
        ((896, 1152), "4:5"),
    ],
)
def test_each_size_becomes_the_nearest_ratio(size: tuple[int, int], ratio: str) -> None:
    """All nine sizes, written out; the text's own width and height decide."""
    width, height = size
    body = (
        REGISTRY[CORE[0]]
        .dialect.translators[TextToImage.kind]
        .translate(_request(width=width, height=height))
        .body
    )
    assert body["aspect_ratio"] == ratio


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("3d-model", "3D model render"),
        ("analog-film", "analog film photograph"),
        ("anime", "anime style"),
        ("cinematic", "cinematic film still"),
        ("comic-book", "comic book illustration"),
        ("digital-art", "digital art"),
        ("enhance", "highly detailed, enhanced"),
        ("fantasy-art", "fantasy art"),
        ("isometric", "isometric illustration"),
        ("line-art", "line art drawing"),
        ("low-poly", "low poly art"),
        ("modeling-compound", "sculpted in modeling compound"),
        ("neon-punk", "neon punk style"),
        ("origami", "folded paper origami"),
        ("photographic", "photograph, photorealistic"),
        ("pixel-art", "pixel art"),
        ("tile-texture", "seamless tile texture"),
    ],
)
def test_each_style_becomes_words_at_the_end(preset: str, words: str) -> None:
    """All seventeen presets, written out."""
    body = (
        REGISTRY[CORE[0]].dialect.translators[TextToImage.kind].translate(_request(style_preset=preset)).body
    )
    assert body["prompt"] == f"A tea plantation, {words}"


def test_sizes_and_styles_are_all_translated() -> None:
    """The two tables cover the contract's values exactly."""
    assert set(ASPECT_RATIOS) == set(SIZES)
    assert set(STYLE_WORDS) == set(STYLE_PRESETS)


def test_prompts_of_ten_thousand_characters_together_are_sent() -> None:
    """Five texts of 1998, 1998, 1998, 1998 and 2000 and four commas are exactly the model's limit."""
    texts = _prompts(*(("a" * 1998, 1.0),) * 4, ("a" * 2000, 1.0))
    assert (
        len(
            REGISTRY[CORE[0]]
            .dialect.translators[TextToImage.kind]
            .translate(_request(**texts))
            .body["prompt"]
        )
        == 10_000
    )


@pytest.mark.parametrize("weight", [1.0, -1.0])
@pytest.mark.parametrize("model_id", [*CORE, *ULTRA, *SD3])
def test_longer_prompts_are_refused_by_name_without_being_quoted(model_id: str, weight: float) -> None:
    """One character more is refused before the model is called, for negative prompts alike."""
    texts = _prompts(*(("a" * 1998, weight),) * 3, ("a" * 1999, weight), ("a" * 2000, weight))
    with pytest.raises(UnsupportedParameter) as caught:
        REGISTRY[model_id].dialect.translators[TextToImage.kind].translate(_request(**texts))
    assert [error.field for error in caught.value.errors] == ["text_prompts"]
    assert "aaa" not in f"{caught.value}{caught.value.errors}"


@pytest.mark.parametrize("model_id", SDXL)
def test_sdxl_takes_ten_prompts_of_full_length(model_id: str) -> None:
    """SDXL documents no limit for all prompts together."""
    texts = _prompts(*(("a" * 2000, 1.0),) * 10)
    assert (
        len(
            REGISTRY[model_id]
            .dialect.translators[TextToImage.kind]
            .translate(_request(**texts))
            .body["text_prompts"]
        )
        == 10
    )
