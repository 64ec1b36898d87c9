"""OpenAI's shapes of requests, replies and errors, tested without a service."""

from __future__ import annotations

import typing
from datetime import UTC, datetime
from typing import Any

import pytest

from imagegen import errors
from imagegen.contracts.text_to_image.parameters import MAX_PROMPT_LENGTH, SIZES
from imagegen.errors import FieldError, ImagegenError, InvalidParameter, UnknownParameter, error_types
from imagegen.http.compat import openai
from tests.support.tasks import text_to_image

TEA = {"prompt": "Sri lanka tea plantation."}
OPTIONAL = ("model", "n", "size", "quality", "style", "response_format", "user")


def refused(**members: Any) -> ImagegenError:
    """Return the error of a request that must be refused."""
    with pytest.raises(ImagegenError) as caught:
        openai.parse({**TEA, **members})
    return caught.value


def test_a_prompt_alone_asks_for_one_square_picture_of_any_model() -> None:
    """Every field but the prompt has a default."""
    asked = openai.parse(dict(TEA))
    assert (asked.images, asked.in_base64, asked.request.model) == (1, False, None)
    assert text_to_image(asked.request).text_prompts[0].text == TEA["prompt"]
    assert (text_to_image(asked.request).width, text_to_image(asked.request).height) == (1024, 1024)
    assert text_to_image(asked.request).style_preset is None
    assert asked.request.strict is False


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_means_absent(name: str) -> None:
    """OpenAI's clients send null for arguments that are set to None."""
    assert openai.parse({**TEA, name: None}) == openai.parse(dict(TEA))


def test_the_sizes_are_the_contracts_own() -> None:
    """OpenAI's shape takes exactly the sizes of our contract, and `auto`."""
    assert set(typing.get_args(openai.Size)) == {"auto", *(f"{width}x{height}" for width, height in SIZES)}


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_size_is_asked_for_as_it_is(width: int, height: int) -> None:
    """The first number of a size is the width."""
    task = text_to_image(openai.parse({**TEA, "size": f"{width}x{height}"}).request)
    assert (task.width, task.height) == (width, height)


@pytest.mark.parametrize(
    "size", ["512x512", "1024x1792", "1024X1024", " 1024x1024", "1024x1024x1", "", 1024, True]
)
def test_another_size_is_refused_and_never_changed(size: object) -> None:
    """The error names the field and lists the sizes that are allowed."""
    error = refused(size=size)
    assert isinstance(error, InvalidParameter)
    assert [found.field for found in error.errors] == ["size"]
    assert "1344x768" in error.errors[0].message


@pytest.mark.parametrize("n", [1, 2, 10])
def test_n_is_how_many_images_there_are(n: int) -> None:
    """`n` may be 1 to 10."""
    assert openai.parse({**TEA, "n": n}).images == n


@pytest.mark.parametrize("n", [0, 11, -1, 1.0, "1", True])
def test_another_n_is_refused(n: object) -> None:
    """A number out of range is refused, and so is a value of another type."""
    assert [found.field for found in refused(n=n).errors] == ["n"]


def test_base64_is_answered_for_one_image_only() -> None:
    """Two large images would not fit one reply, so the request is refused before an image is made."""
    assert openai.parse({**TEA, "response_format": "b64_json", "n": 1}).in_base64
    error = refused(response_format="b64_json", n=2)
    assert isinstance(error, InvalidParameter)
    assert error.errors[0].field == "n"


@pytest.mark.parametrize(("style", "preset"), [("vivid", "enhance"), ("natural", None)])
def test_style_is_translated(style: str, preset: str | None) -> None:
    """`vivid` becomes the style preset `enhance`; `natural` means no style preset."""
    assert text_to_image(openai.parse({**TEA, "style": style}).request).style_preset == preset


@pytest.mark.parametrize("quality", typing.get_args(openai.Quality))
def test_quality_is_accepted_and_changes_nothing(quality: str) -> None:
    """Each quality that OpenAI's clients may send gives the same generation request."""
    assert openai.parse({**TEA, "quality": quality}) == openai.parse(dict(TEA))


def test_user_is_accepted_and_not_kept() -> None:
    """`user` identifies a person, and this service does not need to know who that is."""
    assert openai.parse({**TEA, "user": "alice"}) == openai.parse(dict(TEA))


@pytest.mark.parametrize(("model", "pinned"), [("auto", None), ("some.model-v1:0", "some.model-v1:0")])
def test_model_pins_one_unless_it_is_auto(model: str, pinned: str | None) -> None:
    """Any other name is passed on; the use case checks later whether that model is enabled."""
    assert openai.parse({**TEA, "model": model}).request.model == pinned


@pytest.mark.parametrize("length", [0, 1, MAX_PROMPT_LENGTH])
def test_a_prompt_has_the_contracts_length(length: int) -> None:
    """A prompt may be empty, and may be as long as the contract allows."""
    prompt = "x" * length
    assert text_to_image(openai.parse({"prompt": prompt}).request).text_prompts[0].text == prompt


@pytest.mark.parametrize(
    "prompt", ["x" * (MAX_PROMPT_LENGTH + 1), "a\x00b", "a\u202eb", "\u200b", None, 5, ["tea"]]
)
def test_a_prompt_outside_the_contract_is_refused(prompt: object) -> None:
    """The error names `prompt`, and not the field of our own contract."""
    error = refused(prompt=prompt)
    assert isinstance(error, InvalidParameter)
    assert [found.field for found in error.errors] == ["prompt"]
    assert "x" * 100 not in error.detail


def test_a_missing_prompt_is_named() -> None:
    """The prompt is the only required field."""
    with pytest.raises(InvalidParameter, match="prompt is required") as caught:
        openai.parse({})
    assert [found.field for found in caught.value.errors] == ["prompt"]


@pytest.mark.parametrize(
    "name", ["negative_prompt", "background", "stream", "strict", "webhook_url", "sizes"]
)
def test_a_member_of_another_contract_is_refused_by_name(name: str) -> None:
    """OpenAI's newer fields would change the image, and our own fields are not OpenAI's."""
    error = refused(**{name: 1})
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
        openai.parse({**TEA, "\ud800": 1})
    assert caught.value.errors[0].field in {"body", "\\ud800"}


def test_an_answer_has_urls_or_base64() -> None:
    """Each image has a URL or base64; `created` is the Unix time of the first image."""
    created_at = datetime(2026, 11, 3, 9, 21, 7, 900_000, tzinfo=UTC)
    images = [openai.ReplyImage(url="https://a"), openai.ReplyImage(png=b"\x89PNG")]
    assert openai.images_body(images, created_at=created_at) == {
        "created": 1793697667,
        "data": [{"url": "https://a"}, {"b64_json": "iVBORw=="}],
    }


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
