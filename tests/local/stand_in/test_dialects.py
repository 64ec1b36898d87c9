"""In both dialects the stand-in accepts, refuses and answers what the vendor documents."""

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from local.bedrock.sdxl import CLIP_GUIDANCE_PRESETS, SAMPLERS, SIZES, STYLE_PRESETS
from local.bedrock.stable_image import PIXELS_OF
from local.bedrock.stand_in import StandIn
from tests.support.stand_in_calls import (
    CORE,
    FAMILY,
    SD35,
    SDXL,
    SEED_DOCUMENT_BODY,
    ULTRA,
    client_of,
    core,
    invoke,
    picture,
    refusal,
    sdxl,
)

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


def test_the_vendor_pages_example_is_answered(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The body of the vendor's own code example gives a picture of the default size."""
    answer = invoke(client, SDXL, SEED_DOCUMENT_BODY)

    assert answer["result"] == "success"
    assert answer["artifacts"][0]["finishReason"] == "SUCCESS"
    assert picture(answer["artifacts"][0]["base64"]).size == (1024, 1024)
    assert bedrock.calls()["painted"] == 1


@pytest.mark.usefixtures("bedrock")
def test_a_seed_of_zero_is_drawn_by_the_model(client: "BedrockRuntimeClient") -> None:
    """The answer names the seed that was used, which is not 0."""
    assert invoke(client, SDXL, SEED_DOCUMENT_BODY)["artifacts"][0]["seed"] > 0


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_sdxl_paints_the_size_that_was_asked_for(
    client: "BedrockRuntimeClient", width: int, height: int
) -> None:
    """For each pair of the vendor's page, the picture has these pixels."""
    answer = invoke(client, SDXL, sdxl(width=width, height=height))

    assert picture(answer["artifacts"][0]["base64"]).size == (width, height)


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize(
    "members",
    [
        {"text_prompts": [{"text": ""}]},
        {"text_prompts": [{"text": "a" * 2000, "weight": -1.5}]},
        {"text_prompts": [{"text": "a", "weight": 1}] * 20},
        {"cfg_scale": 0},
        {"cfg_scale": 35},
        {"cfg_scale": 7.5},
        {"samples": 1},
        {"seed": 1},
        {"seed": 4294967295},
        {"steps": 10},
        {"steps": 150},
        {"extras": {"anything": [1, None]}},
        *({"clip_guidance_preset": value} for value in CLIP_GUIDANCE_PRESETS),
        *({"sampler": value} for value in SAMPLERS),
        *({"style_preset": value} for value in STYLE_PRESETS),
    ],
    ids=lambda members: json.dumps(members)[:50],
)
def test_sdxl_accepts_what_is_within_its_limits(
    client: "BedrockRuntimeClient", members: dict[str, Any]
) -> None:
    """The values are every bound and every enum value of the vendor's page."""
    assert invoke(client, SDXL, sdxl(**members))["result"] == "success"


@pytest.mark.parametrize(
    "members",
    [
        {"text_prompts": []},
        {"text_prompts": "a"},
        {"text_prompts": ["a"]},
        {"text_prompts": [{}]},
        {"text_prompts": [{"text": 5}]},
        {"text_prompts": [{"text": "a" * 2001}]},
        {"text_prompts": [{"text": "a", "weight": "1"}]},
        {"text_prompts": [{"text": "a", "weight": True}]},
        {"text_prompts": [{"text": "a", "weight": None}]},
        {"text_prompts": [{"text": "a", "wait": 1}]},
        {"cfg_scale": -0.01},
        {"cfg_scale": 35.01},
        {"cfg_scale": "7"},
        {"cfg_scale": True},
        {"clip_guidance_preset": "none"},
        {"sampler": "K_EULER_B"},
        {"samples": 0},
        {"samples": 2},
        {"samples": True},
        {"samples": 1.0},
        {"seed": -1},
        {"seed": 4294967296},
        {"seed": 5.0},
        {"seed": None},
        {"steps": 9},
        {"steps": 151},
        {"steps": "30"},
        {"style_preset": "cubist"},
        {"style_preset": None},
        {"extras": []},
        {"width": 1024},
        {"height": 1024},
        {"width": 512, "height": 512},
        {"width": 896, "height": 896},
        {"width": 1024.0, "height": 1024},
        {"height": 1152, "width": 1152},
        {"prompt": "a"},
        {"aspect_ratio": "1:1"},
    ],
    ids=lambda members: json.dumps(members)[:50],
)
def test_sdxl_refuses_what_is_beyond(
    bedrock: StandIn, client: "BedrockRuntimeClient", members: dict[str, Any]
) -> None:
    """A value beyond a bound, a wrong type and an unknown field are refused, and are not billed."""
    error = refusal(client, SDXL, sdxl(**members))

    assert isinstance(error, client.exceptions.ValidationException)
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert bedrock.calls()["billed"] == 0


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"a"', b"null", b'{"text_prompts":[{"text":"a"}],"cfg_scale":NaN}']
)
def test_a_body_that_is_no_json_object_is_refused(client: "BedrockRuntimeClient", body: bytes) -> None:
    """The bodies are broken JSON, other JSON values, and a number that JSON does not have."""
    assert "Malformed input request" in refusal(client, SDXL, body).response["Error"]["Message"]


@pytest.mark.usefixtures("bedrock")
def test_text_prompts_are_required(client: "BedrockRuntimeClient") -> None:
    """A body without a prompt is refused, and the error names the field."""
    assert "text_prompts" in refusal(client, SDXL, {"seed": 1}).response["Error"]["Message"]


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize("model", FAMILY)
def test_the_family_answers_in_parallel_lists(client: "BedrockRuntimeClient", model: str) -> None:
    """The answer has a list of seeds, one of finish reasons and one of images, with one entry each."""
    answer = invoke(client, model, core())

    assert (answer["seeds"], answer["finish_reasons"], len(answer["images"])) == ([7], [None], 1)
    assert picture(answer["images"][0]).format == "PNG"


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize(("ratio", "pixels"), PIXELS_OF.items())
def test_the_family_paints_the_ratio_that_was_asked_for(
    client: "BedrockRuntimeClient", ratio: str, pixels: tuple[int, int]
) -> None:
    """The stand-in itself chooses the pixels, near the ratio."""
    answer = invoke(client, CORE, core(aspect_ratio=ratio))

    assert picture(answer["images"][0]).size == pixels


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize(
    ("model", "members"),
    [
        (CORE, {"prompt": ""}),
        (CORE, {"prompt": "a" * 10_000, "negative_prompt": "b" * 10_000}),
        (CORE, {"seed": 0}),
        (CORE, {"seed": 4294967295}),
        (ULTRA, {"seed": 4294967295}),
        (SD35, {"seed": 4294967294}),
        (ULTRA, {"mode": "text-to-image"}),
        (SD35, {"mode": "text-to-image"}),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_the_family_accepts_what_is_within_its_limits(
    client: "BedrockRuntimeClient", model: str, members: dict[str, Any]
) -> None:
    """The values are exactly at the bounds."""
    assert invoke(client, model, core(**members))["finish_reasons"] == [None]


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize(
    ("model", "output_format", "name"),
    [
        *((model, output_format, output_format) for model in FAMILY for output_format in ("png", "jpeg")),
        (SD35, "webp", "webp"),
    ],
)
def test_the_family_writes_the_format_that_was_asked_for(
    client: "BedrockRuntimeClient", model: str, output_format: str, name: str
) -> None:
    """Every model writes PNG and JPEG, and only SD3.5 writes WebP."""
    answer = invoke(client, model, core(output_format=output_format))

    assert str(picture(answer["images"][0]).format).lower() == name


@pytest.mark.parametrize(
    ("model", "members"),
    [
        (CORE, {"prompt": None}),
        (CORE, {"prompt": ["a"]}),
        (CORE, {"prompt": "a" * 10_001}),
        (CORE, {"negative_prompt": "a" * 10_001}),
        (CORE, {"negative_prompt": 5}),
        (CORE, {"aspect_ratio": "4:3"}),
        (CORE, {"aspect_ratio": None}),
        (CORE, {"output_format": "webp"}),
        (ULTRA, {"output_format": "webp"}),
        (SD35, {"output_format": "gif"}),
        (CORE, {"seed": -1}),
        (CORE, {"seed": 4294967296}),
        (ULTRA, {"seed": 4294967296}),
        (SD35, {"seed": 4294967295}),
        (CORE, {"seed": True}),
        (CORE, {"seed": 1.0}),
        (CORE, {"seed": "1"}),
        (ULTRA, {"mode": "image-to-image"}),
        (SD35, {"mode": None}),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_the_family_refuses_what_is_beyond(
    bedrock: StandIn, client: "BedrockRuntimeClient", model: str, members: dict[str, Any]
) -> None:
    """A value beyond a bound and a wrong type are refused, and are not billed."""
    error = refusal(client, model, core(**members))

    assert isinstance(error, client.exceptions.ValidationException)
    assert bedrock.calls()["billed"] == 0


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize(
    ("model", "key"),
    [
        *((model, key) for model in FAMILY for key in ("cfg_scale", "text_prompts", "width", "style_preset")),
        (CORE, "mode"),
    ],
)
def test_an_unknown_field_is_refused_in_json_within_the_message(
    client: "BedrockRuntimeClient", model: str, key: str
) -> None:
    """The family's error message is itself JSON with a `detail`; `mode` is unknown to Core only."""
    message = refusal(client, model, core(**{key: "text-to-image"})).response["Error"]["Message"]

    assert json.loads(message) == {"detail": f"Invalid field {key}"}


def test_the_same_request_gives_the_same_answer_and_another_seed_another() -> None:
    """The answers are the same from two different stand-ins."""
    answers = []
    for _ in range(2):
        with StandIn() as stand_in, closing(client_of(stand_in)) as client:
            answers.append([invoke(client, CORE, core(seed=seed)) for seed in (1, 2)])

    assert answers[0] == answers[1]
    assert answers[0][0]["images"] != answers[0][1]["images"]
