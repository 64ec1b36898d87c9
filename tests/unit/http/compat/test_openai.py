"""OpenAI's shapes of requests, replies and errors, tested without a service."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest

from imagegen import errors
from imagegen.contracts.text_to_image.parameters import MAX_SEED, SIZES
from imagegen.errors import (
    FieldError,
    ImagegenError,
    InvalidParameter,
    UnknownParameter,
    UnsupportedParameter,
    error_types,
)
from imagegen.generations.generation import StoredImage
from imagegen.http.compat import openai
from imagegen.http.compat.openai import images_request
from tests.support.tasks import text_to_image

TEA = {"prompt": "Sri lanka tea plantation."}
OPTIONAL = [name for name in images_request.ImagesBody.model_fields if name != "prompt"]


def refused(**members: Any) -> ImagegenError:
    """Return the error of a request that must be refused."""
    with pytest.raises(ImagegenError) as caught:
        images_request.parse({**TEA, **members})
    return caught.value


def test_a_prompt_alone_asks_for_one_square_picture_of_any_model() -> None:
    """Every field but the prompt has a default."""
    asked = images_request.parse(dict(TEA))
    assert (asked.images, asked.form, asked.request.model) == (1, None, None)
    assert text_to_image(asked.request).text_prompts[0].text == TEA["prompt"]
    assert (text_to_image(asked.request).width, text_to_image(asked.request).height) == (1024, 1024)
    assert text_to_image(asked.request).style_preset is None
    assert asked.request.strict is False


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_an_empty_text_mean_absent(name: str, nothing: object) -> None:
    """Tools send one of the two for what their user left open."""
    assert images_request.parse({**TEA, name: nothing}) == images_request.parse(dict(TEA))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_size_is_asked_for_as_it_is(width: int, height: int) -> None:
    """The first number of a size is the width."""
    task = text_to_image(images_request.parse({**TEA, "size": f"{width}x{height}"}).request)
    assert (task.width, task.height) == (width, height)


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ("auto", (1024, 1024)),
        ("256x256", (1024, 1024)),
        ("512x512", (1024, 1024)),
        ("1536x1024", (1216, 832)),
        ("1024x1536", (832, 1216)),
        ("1792x1024", (1344, 768)),
        ("1024x1792", (768, 1344)),
        ("1x1", (1024, 1024)),
        ("9999x1", (1536, 640)),
        ("1x9999", (640, 1536)),
    ],
)
def test_any_size_becomes_the_nearest_by_ratio(size: str, drawn: tuple[int, int]) -> None:
    """The sizes of today's and of older tools are among them."""
    task = text_to_image(images_request.parse({**TEA, "size": size}).request)
    assert (task.width, task.height) == drawn


def test_width_and_height_stand_for_a_size() -> None:
    """Other gateways take the two sides as numbers; a size that says the same does no harm."""
    sides = {"width": 1920, "height": 1080}
    for members in (sides, {**sides, "size": "1920x1080"}, {**sides, "size": "auto"}):
        task = text_to_image(images_request.parse({**TEA, **members}).request)
        assert (task.width, task.height) == (1344, 768)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"width": 512}, "height"),
        ({"height": 512}, "width"),
        ({"width": 512, "height": 512, "size": "1024x1024"}, "size"),
        ({"width": 0, "height": 512}, "width"),
        ({"width": 512, "height": 10_000}, "height"),
    ],
)
def test_sides_that_make_no_size_are_refused(members: dict[str, Any], field: str) -> None:
    """One side alone has no ratio, and two sizes at odds have two."""
    error = refused(**members)
    assert isinstance(error, InvalidParameter)
    assert [found.field for found in error.errors] == [field]


@pytest.mark.parametrize(
    "size",
    [
        "0x512",
        "512x0",
        "10000x1",
        "0512x512",
        "1024X1024",
        " 1024x1024",
        "1024x1024x1",
        "-1x1",
        "square",
        1024,
    ],
)
def test_what_is_no_size_is_refused(size: object) -> None:
    """The error names the field and shows how a size is written."""
    error = refused(size=size)
    assert isinstance(error, InvalidParameter)
    assert [found.field for found in error.errors] == ["size"]
    assert "like 1536x1024" in error.errors[0].message


@pytest.mark.parametrize("n", [1, 2, 10])
def test_n_is_how_many_images_there_are(n: int) -> None:
    """`n` may be 1 to 10."""
    assert images_request.parse({**TEA, "n": n}).images == n


@pytest.mark.parametrize("n", [0, 11, -1, 1.0, "1", True])
def test_another_n_is_refused(n: object) -> None:
    """A number out of range is refused, and so is a value of another type."""
    assert [found.field for found in refused(n=n).errors] == ["n"]


@pytest.mark.parametrize(
    ("model", "form"),
    [
        (None, None),
        ("auto", None),
        ("some.model-v1:0", None),
        ("gpt-image-1", "b64_json"),
        ("gpt-image-1-mini", "b64_json"),
        ("dall-e-2", "url"),
        ("dall-e-3", "url"),
    ],
)
def test_without_a_format_the_model_decides_what_an_image_is(model: str | None, form: str | None) -> None:
    """Clients of OpenAI's two families read one member each; for any other there are both."""
    assert images_request.parse({**TEA, "model": model}).form == form
    for format_ in ("url", "b64_json"):
        assert images_request.parse({**TEA, "model": model, "response_format": format_}).form == format_


@pytest.mark.parametrize("members", [{"response_format": "b64_json"}, {"model": "gpt-image-1"}])
@pytest.mark.parametrize("size", [f"{width}x{height}" for width, height in SIZES])
def test_base64_is_for_as_many_images_as_fit(members: dict[str, Any], size: str) -> None:
    """More are refused before any is made; the error names the way out."""
    assert images_request.parse({**TEA, **members, "size": size, "n": 2}).images == 2
    error = refused(**members, size=size, n=3)
    assert isinstance(error, InvalidParameter)
    assert error.errors[0].field == "n"
    assert "at most 2 in base64" in error.detail
    assert "response_format url" in error.detail
    assert (
        images_request.parse({**TEA, **members, "size": size, "n": 10, "response_format": "url"}).images == 10
    )


@pytest.mark.parametrize(("style", "preset"), [("vivid", "enhance"), ("natural", None)])
def test_style_is_translated(style: str, preset: str | None) -> None:
    """`vivid` becomes the style preset `enhance`; `natural` means no style preset."""
    assert text_to_image(images_request.parse({**TEA, "style": style}).request).style_preset == preset


@pytest.mark.parametrize("quality", typing.get_args(openai.Quality))
def test_quality_is_accepted_and_changes_nothing(quality: str) -> None:
    """Each quality that OpenAI's clients may send gives the same generation request."""
    assert (
        images_request.parse({**TEA, "quality": quality}).request == images_request.parse(dict(TEA)).request
    )


def test_user_is_accepted_and_not_kept() -> None:
    """`user` identifies a person, and this service does not need to know who that is."""
    assert images_request.parse({**TEA, "user": "alice"}) == images_request.parse(dict(TEA))


@pytest.mark.parametrize(("model", "pinned"), [("auto", None), ("some.model-v1:0", "some.model-v1:0")])
def test_model_pins_one_unless_it_is_auto(model: str, pinned: str | None) -> None:
    """Any other name is passed on; the use case checks later whether that model is enabled."""
    assert images_request.parse({**TEA, "model": model}).request.model == pinned


@pytest.mark.parametrize("length", [1, 2_001, 10_000])
def test_a_prompt_may_be_longer_than_the_contracts(length: int) -> None:
    """A model that takes fewer characters refuses it later."""
    prompt = "x" * length
    assert text_to_image(images_request.parse({"prompt": prompt}).request).text_prompts[0].text == prompt


@pytest.mark.parametrize("prompt", ["", " ", "x" * 10_001, "a\x00b", "a\u202eb", "\u200b", None, 5, ["tea"]])
def test_a_prompt_that_cannot_be_drawn_is_refused(prompt: object) -> None:
    """The error names `prompt`, and not the field of our own contract."""
    error = refused(prompt=prompt)
    assert isinstance(error, InvalidParameter)
    assert [found.field for found in error.errors] == ["prompt"]
    assert "1 to 10000 characters" in error.detail
    assert "x" * 100 not in error.detail


def test_fields_of_other_gateways_are_those_of_the_contract() -> None:
    """A negative prompt is a prompt of weight -1."""
    asked = images_request.parse({**TEA, "negative_prompt": "people", "seed": 3407, "steps": 20})
    task = text_to_image(asked.request)
    assert [(one.text, one.weight) for one in task.text_prompts] == [(TEA["prompt"], 1.0), ("people", -1.0)]
    assert (task.seed, task.steps) == (3407, 20)


@pytest.mark.parametrize("seed", [0, -1])
def test_a_seed_of_nothing_lets_the_service_choose(seed: int) -> None:
    """Some gateways write -1 for any seed."""
    assert images_request.parse({**TEA, "seed": seed}) == images_request.parse(dict(TEA))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -2),
        ("seed", MAX_SEED + 1),
        ("steps", 9),
        ("steps", 151),
        ("negative_prompt", "x" * 10_001),
        ("negative_prompt", "\u200b"),
        ("moderation", "high"),
        ("background", "white"),
        ("output_format", "gif"),
        ("output_compression", 101),
        ("partial_images", 4),
        ("stream", "false"),
        ("user", 5),
    ],
)
def test_a_value_outside_every_api_is_refused(name: str, value: object) -> None:
    """The error names the field."""
    error = refused(**{name: value})
    assert isinstance(error, InvalidParameter)
    assert [found.field for found in error.errors] == [name]


HARMLESS = [
    *(("background", value) for value in ("auto", "opaque")),
    ("output_format", "png"),
    *(("moderation", value) for value in ("auto", "low")),
    ("output_compression", 100),
    ("partial_images", 0),
    ("stream", False),
    ("safety_identifier", "u-17"),
]


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_a_value_that_the_service_means_anyway_changes_nothing(name: str, value: object) -> None:
    """Tools send these fields with each request."""
    assert images_request.parse({**TEA, name: value}) == images_request.parse(dict(TEA))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("background", "transparent"),
        ("stream", True),
        *(("partial_images", count) for count in (1, 3)),
        *(("output_compression", percent) for percent in (0, 99)),
    ],
)
def test_a_value_that_would_be_a_lie_is_not_supported_here(name: str, value: object) -> None:
    """The name is a parameter of OpenAI's, so the error does not call it unknown."""
    error = refused(**{name: value})
    assert isinstance(error, UnsupportedParameter)
    assert [found.field for found in error.errors] == [name]
    assert error.detail.startswith(f"{name} ")
    assert error.detail.endswith(" is not supported here.")
    assert "not a parameter" not in error.detail


def test_several_values_that_cannot_be_done_are_told_once_each() -> None:
    """The sentence counts them, and the fields' own messages follow it."""
    error = refused(background="transparent", stream=True)
    assert error.detail == "2 parameters are not supported here."
    assert openai.problem(error)["error"]["message"] == (
        "2 parameters are not supported here. background transparent is not supported here; "
        "stream true is not supported here."
    )


def test_a_missing_prompt_is_named() -> None:
    """The prompt is the only required field."""
    with pytest.raises(InvalidParameter, match="prompt is required") as caught:
        images_request.parse({})
    assert [found.field for found in caught.value.errors] == ["prompt"]


@pytest.mark.parametrize("name", ["strict", "webhook_url", "sizes", "mask", "text_prompts"])
@pytest.mark.parametrize("value", [1, None, ""])
def test_a_member_of_another_contract_is_refused_by_name(name: str, value: object) -> None:
    """Our own fields are not OpenAI's; an unknown name without a value may still be misspelt."""
    error = refused(**{name: value})
    assert isinstance(error, UnknownParameter)
    assert error.errors[0].field == name


def test_everything_that_is_wrong_is_listed_unknown_names_first() -> None:
    """One error lists every field at fault, so that the client can correct all of them at once."""
    error = refused(sise="1x1", n=0, style="loud")
    assert isinstance(error, UnknownParameter)
    assert [found.field for found in error.errors] == ["sise", "n", "style"]
    assert "did you mean size" in error.errors[0].message


def test_a_name_that_is_no_text_is_an_invalid_body() -> None:
    """A name with a lone surrogate is refused here, even if the JSON parser let it pass."""
    with pytest.raises(ImagegenError) as caught:
        images_request.parse({**TEA, "\ud800": 1})
    assert caught.value.errors[0].field in {"body", "\\ud800"}


FIRST = StoredImage(model="m", seed=1, width=1344, height=768, bytes=4, sha256="", content_type="image/png")


def test_a_reply_says_what_came_out() -> None:
    """Each image has a URL, base64 or both; `size` is the image's own; there is no `usage`."""
    images = [
        openai.ReplyImage(url="https://a"),
        openai.ReplyImage(content=b"\x89PNG"),
        openai.ReplyImage(url="https://c", content=b"\x89PNG"),
    ]
    assert openai.images_body(images, created=1793697667, first=FIRST, quality="low") == {
        "created": 1793697667,
        "data": [
            {"url": "https://a"},
            {"b64_json": "iVBORw=="},
            {"url": "https://c", "b64_json": "iVBORw=="},
        ],
        "size": "1344x768",
        "quality": "low",
        "output_format": "png",
        "background": "opaque",
    }


@pytest.mark.parametrize(
    ("quality", "shown"),
    [
        (None, "high"),
        ("auto", "high"),
        ("low", "low"),
        ("medium", "medium"),
        ("standard", "medium"),
        ("high", "high"),
        ("hd", "high"),
    ],
)
def test_the_quality_of_a_reply_is_one_of_openais_three(quality: str | None, shown: str) -> None:
    """OpenAI's typed clients know no other words in a reply."""
    assert images_request.parse({**TEA, "quality": quality}).quality == shown


def test_a_limit_of_a_model_names_openais_fields() -> None:
    """A caller of this shape has never heard of `text_prompts`."""
    found = tuple(
        FieldError(field=name, message="is too long")
        for name in ("text_prompts", "text_prompts[0].text", "text_prompts[1].text", "size")
    )
    problem = openai.problem(UnsupportedParameter("Too long.", errors=found))
    assert problem["error"]["param"] == "prompt"
    assert "text_prompts" not in json.dumps(problem)
    assert "negative_prompt is too long" in problem["error"]["message"]


TYPES = {
    errors.Unauthorized: "authentication_error",
    errors.Forbidden: "permission_error",
    errors.RateLimited: "rate_limit_error",
    errors.QuotaExceeded: "insufficient_quota",
    errors.NotFound: "invalid_request_error",
    errors.ContentFiltered: "invalid_request_error",
    errors.IdempotencyConflict: "invalid_request_error",
    errors.ModelThrottled: "server_error",
    errors.InProgress: "server_error",
    errors.ModelRetired: "server_error",
    errors.OutcomeUnknown: "server_error",
}


@pytest.mark.parametrize("kind", error_types())
def test_every_error_has_the_four_members(kind: type[ImagegenError]) -> None:
    """OpenAI's clients read all four."""
    error = kind("One sentence.")
    problem = openai.problem(error)["error"]
    assert problem == {
        "message": "One sentence.",
        "type": problem["type"],
        "param": None,
        "code": kind.kind.code,
    }
    assert problem["type"] == TYPES.get(kind, problem["type"])


def test_an_error_names_the_first_field_at_fault() -> None:
    """`param` has room for one name."""
    error = InvalidParameter(
        "Two things.", errors=(FieldError(field="n", message="a"), FieldError(field="size", message="b"))
    )
    assert openai.problem(error)["error"]["param"] == "n"
