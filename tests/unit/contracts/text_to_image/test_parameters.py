"""Each bound of the Diffusion 1.0 contract, in literal tables, so that a wrong constant in the code shows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from imagegen.contracts.text_to_image import schema
from imagegen.contracts.text_to_image.parameters import PARAMETERS, Prompt, TextToImage
from imagegen.errors import InvalidParameter
from tests.support.bodies import GUIDANCE, SAMPLERS, SIZES, STYLES
from tests.support.tasks import text_to_image

PROMPT = {"text": "Sri lanka tea plantation."}


def parsed(**members: Any) -> TextToImage:
    """Return the task that a request with one prompt and these fields asks for."""
    return text_to_image(schema.parse({"text_prompts": [PROMPT], **members}))


def fields_refused(members: dict[str, Any]) -> list[str]:
    """Return the fields that the error of a refused request names."""
    with pytest.raises(InvalidParameter) as caught:
        schema.parse(members)
    return [error.field for error in caught.value.errors]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cfg_scale", 0),
        ("cfg_scale", 0.0),
        ("cfg_scale", 5e-324),
        ("cfg_scale", 7),
        ("cfg_scale", math.nextafter(35, 0)),
        ("cfg_scale", 35),
        ("cfg_scale", 35.0),
        ("samples", 1),
        ("seed", 0),
        ("seed", 1),
        ("seed", 4_294_967_294),
        ("seed", 4_294_967_295),
        ("steps", 10),
        ("steps", 11),
        ("steps", 149),
        ("steps", 150),
        *[("clip_guidance_preset", value) for value in GUIDANCE],
        *[("sampler", value) for value in SAMPLERS],
        *[("style_preset", value) for value in STYLES],
        ("extras", {"anything": [1, {"deep": None}, "é"]}),
    ],
)
def test_values_at_and_inside_each_bound_are_taken(field: str, value: object) -> None:
    """Bounds are inclusive, and every enumerated value is allowed."""
    assert getattr(parsed(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cfg_scale", -5e-324),
        ("cfg_scale", -1),
        ("cfg_scale", math.nextafter(35, 36)),
        ("cfg_scale", 36),
        ("samples", 0),
        ("samples", 2),
        ("seed", -1),
        ("seed", 4_294_967_296),
        ("seed", 10**300),
        ("steps", 9),
        ("steps", 0),
        ("steps", -10),
        ("steps", 151),
        *[("clip_guidance_preset", value) for value in ("", "none", "FAST", "NONE ", "FASTEST")],
        *[("sampler", value) for value in ("", "ddim", "K_DPM_3", "K_DPMPP_SDE", "DDIM\n", "AUTO")],
        *[("style_preset", value) for value in ("", "Anime", "3D-MODEL", "photo", "none", "tile-texture ")],
    ],
)
def test_values_just_outside_each_bound_are_refused_by_name(field: str, value: object) -> None:
    """One step over a bound, or one letter off a name, is an error that names the field."""
    assert fields_refused({"text_prompts": [PROMPT], field: value}) == [field]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_nine_sizes_are_taken(width: int, height: int) -> None:
    """Each documented pair is accepted as it is."""
    image = parsed(width=width, height=height)
    assert (image.width, image.height) == (width, height)


@pytest.mark.parametrize(
    ("width", "height", "named"),
    [
        (512, 512, ["width", "height"]),
        (1024, 1023, ["height"]),
        (1025, 1024, ["width"]),
        (1024, 896, ["width", "height"]),
        (1152, 1152, ["width", "height"]),
        (640, 1344, ["width", "height"]),
        (1536, 1536, ["width", "height"]),
        (0, 0, ["width", "height"]),
        (-1024, 1024, ["width"]),
        (1024, 10**300, ["height"]),
    ],
)
def test_any_other_pair_is_refused_and_never_changed(width: int, height: int, named: list[str]) -> None:
    """The error names the side that no pair has, or both sides if each exists but not in one pair."""
    assert sorted(fields_refused({"text_prompts": [PROMPT], "width": width, "height": height})) == sorted(
        named
    )


@pytest.mark.parametrize(("given", "missing"), [("width", "height"), ("height", "width")])
def test_one_side_without_the_other_is_refused(given: str, missing: str) -> None:
    """The error names the missing side, even if the given one is the default."""
    assert fields_refused({"text_prompts": [PROMPT], given: 1024}) == [missing]


def test_between_1_and_10_prompts_are_taken() -> None:
    """An empty list is refused, and so are eleven prompts."""
    assert len(text_to_image(schema.parse({"text_prompts": [PROMPT]})).text_prompts) == 1
    assert len(text_to_image(schema.parse({"text_prompts": [PROMPT] * 10})).text_prompts) == 10
    assert fields_refused({"text_prompts": []}) == ["text_prompts"]
    assert fields_refused({"text_prompts": [PROMPT] * 11}) == ["text_prompts"]


@pytest.mark.parametrize("character", ["a", "é", "茶", "\U0001f375"])
def test_texts_of_0_to_2000_code_points_are_taken(character: str) -> None:
    """The length counts code points, however many bytes they take in UTF-8 or UTF-16."""
    for length in (0, 1, 1_999, 2_000):
        image = text_to_image(schema.parse({"text_prompts": [{"text": character * length}]}))
        assert image.text_prompts == (Prompt(text=character * length),)
    assert fields_refused({"text_prompts": [{"text": character * 2_001}]}) == ["text_prompts[0].text"]


@pytest.mark.parametrize(
    "weight", [1, 0, -1, -0.5, 1e-300, 1.7e308, -1.7e308, 2**1023], ids=lambda weight: f"{weight:g}"
)
def test_any_finite_weight_is_taken(weight: float) -> None:
    """The contract has no bounds for weights; they only have to be finite numbers."""
    image = text_to_image(schema.parse({"text_prompts": [{"text": "tea", "weight": weight}]}))
    assert image.text_prompts[0].weight == weight
    assert isinstance(image.text_prompts[0].weight, float)


@pytest.mark.parametrize(
    "weight", [math.inf, -math.inf, math.nan, 2**1024], ids=["inf", "-inf", "nan", "2**1024"]
)
def test_a_weight_that_is_not_finite_is_refused(weight: float) -> None:
    """An integer that is too large for a double is refused as well."""
    assert fields_refused({"text_prompts": [{"text": "tea", "weight": weight}]}) == ["text_prompts[0].weight"]


def test_defaults_are_the_contracts_own() -> None:
    """A request of one prompt means the documented defaults."""
    assert parsed() == TextToImage(
        text_prompts=(Prompt(text="Sri lanka tea plantation.", weight=1.0),),
        width=1024,
        height=1024,
        cfg_scale=7.0,
        clip_guidance_preset="NONE",
        sampler=None,
        samples=1,
        seed=0,
        steps=30,
        style_preset=None,
        extras={},
    )


def test_the_contract_has_eleven_parameters_and_the_service_three_more() -> None:
    """The fields of a body are exactly the documented ones."""
    assert PARAMETERS == (
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
    )
    assert tuple(schema.RequestBody.model_fields) == (
        *PARAMETERS,
        "model",
        "strict",
        "output_format",
        "webhook_url",
    )


def test_parameters_leave_out_what_is_unset() -> None:
    """The JSON object of the parameters has no nulls and no empty `extras`."""
    assert parsed().parameters() == {
        "text_prompts": [{"text": "Sri lanka tea plantation.", "weight": 1.0}],
        "height": 1024,
        "width": 1024,
        "cfg_scale": 7.0,
        "clip_guidance_preset": "NONE",
        "samples": 1,
        "seed": 0,
        "steps": 30,
    }
    assert parsed(extras={"a": 1}, sampler="DDIM").parameters()["extras"] == {"a": 1}
