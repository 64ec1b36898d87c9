"""Our own contract's border: types, names, Unicode, errors that quote nothing, and what a request means."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.contracts.generation_request import fingerprint
from imagegen.contracts.text_to_image import schema
from imagegen.contracts.text_to_image.parameters import TextToImage
from imagegen.errors import FieldError, ImagegenError, InvalidParameter, UnknownParameter
from imagegen.http.strict_json import loads
from tests.support import bodies
from tests.support.bodies import strategy
from tests.support.events import CREATE, event, received
from tests.support.tasks import text_to_image

PROMPTS = [{"text": "tea"}]
FINGERPRINT = "fee38117ce9109a6"


def refused(members: dict[str, Any]) -> ImagegenError:
    """Return the error of a request that must be refused."""
    with pytest.raises(ImagegenError) as caught:
        schema.parse(members)
    return caught.value


def with_text(text: str) -> dict[str, Any]:
    """Return a request of one prompt."""
    return {"text_prompts": [{"text": text}]}


WRONG_TYPES: dict[str, list[object]] = {
    "text_prompts": [None, "tea", {"text": "tea"}, 1, True, ["tea"], [None], [[]], [1]],
    "height": [None, "1024", 1024.0, 1e3, True, [1024], {}],
    "width": [None, "1024", 1024.0, 1e3, False, [1024], {}],
    "cfg_scale": [None, "7", "", True, False, [7], {}],
    "clip_guidance_preset": [None, 0, True, [], ["NONE"], {}, 1.5],
    "sampler": [None, 0, True, [], ["DDIM"], {}, 1.5],
    "samples": [None, "1", 1.0, True, [1], {}],
    "seed": [None, "5", "", 5.0, 1e3, True, False, [5], {}],
    "steps": [None, "30", 30.0, 1e2, True, [30], {}],
    "style_preset": [None, 0, True, [], ["anime"], {}, 1.5],
    "extras": [None, [], "{}", 0, False, [{}]],
    "model": [None, 0, True, [], {}, ""],
    "strict": [None, 0, 1, "true", "", [], {}, 1.0],
    "output_format": [None, 0, True, [], {}, "", "PNG", "jpg", "image/jpeg", "gif"],
    "webhook_url": [None, 0, True, [], {}, ""],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG_TYPES.items() for value in values]
)
def test_a_value_of_another_type_is_refused_by_name(field: str, value: object) -> None:
    """Nothing is converted: no text is a number, no true is a one, and null is no value."""
    sides = {"width": 1024, "height": 1024}
    error = refused({"text_prompts": PROMPTS, **sides, field: value})
    assert error.kind.code == "invalid_parameter"
    assert [found.field.split("[")[0] for found in error.errors] == [field]
    assert error.errors[0].message.startswith("must be ")


@pytest.mark.parametrize("value", [None, 5, True, [], {}, ["tea"], 1.0])
def test_a_text_of_another_type_is_refused_by_its_path(value: object) -> None:
    """A prompt's members are as strict as the rest."""
    error = refused({"text_prompts": [{"text": "tea"}, {"text": value}]})
    assert [found.field for found in error.errors] == ["text_prompts[1].text"]


@pytest.mark.parametrize("value", [None, "1", "", True, [], {}])
def test_a_weight_of_another_type_is_refused_by_its_path(value: object) -> None:
    """Only numbers weigh."""
    error = refused({"text_prompts": [{"text": "tea", "weight": value}]})
    assert [found.field for found in error.errors] == ["text_prompts[0].weight"]


@pytest.mark.parametrize(
    ("members", "field"),
    [({}, "text_prompts"), ({"text_prompts": [{}]}, "text_prompts[0].text")],
)
def test_a_required_member_that_is_missing_is_named(members: dict[str, Any], field: str) -> None:
    """Only prompts and their texts are required."""
    error = refused(members)
    assert error.kind.code == "invalid_parameter"
    assert [(found.field, found.message[:11]) for found in error.errors] == [(field, "is required")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("step", "is not a parameter (did you mean steps?)"),
        ("Steps", "is not a parameter (did you mean steps?)"),
        ("textPrompts", "is not a parameter (did you mean text_prompts?)"),
        ("stylepreset", "is not a parameter (did you mean style_preset?)"),
        ("quux", "is not a parameter"),
        ("prompt", "is not a parameter (did you mean text_prompts?)"),
        ("", "is not a parameter"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(name: str, message: str) -> None:
    """A misspelt name is never dropped in silence."""
    error = refused({"text_prompts": PROMPTS, name: 1})
    assert error.kind.code == "unknown_parameter"
    assert list(error.errors) == [FieldError(field=name, message=message)]


def test_an_unknown_name_inside_a_prompt_is_refused_by_its_path() -> None:
    """Prompts are as closed as the request."""
    error = refused({"text_prompts": [{"text": "tea", "wieght": 1}]})
    assert error.kind.code == "unknown_parameter"
    assert error.errors[0] == FieldError(
        field="text_prompts[0].wieght", message="is not a parameter (did you mean weight?)"
    )


def test_unknown_wins_over_invalid_and_both_are_listed() -> None:
    """One code for one request, and everything that is wrong with it at once."""
    error = refused({"steps": 5, "wdith": 1, "height": 1024})
    assert error.kind.code == "unknown_parameter"
    assert [found.field for found in error.errors] == ["wdith", "text_prompts", "steps", "width"]
    assert error.detail == "1 parameter is not known and 3 parameters are not valid."


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("\u202eevil", "\\u202eevil"),
        ("a\x00b\n", "a\\x00b\\n"),
        ("\u0455teps", "\\u0455teps"),
        ("\U0001f375", "\\U0001f375"),
        ("n" * 64, "n" * 64),
        ("n" * 65, "n" * 61 + "..."),
        ("é" * 5_000, "\\xe9" * 15 + "\\..."),
        ("<script>", "<script>"),
    ],
)
def test_an_unknown_name_is_shown_short_and_printable(name: str, field: str) -> None:
    """The caller's own name cannot disguise itself, nor fill the answer."""
    assert [found.field for found in refused({"text_prompts": PROMPTS, name: 1}).errors] == [field]


@pytest.mark.parametrize(
    "members",
    [
        {str(number) + '\\"' * 60: None for number in range(500)},
        {"text_prompts": [{"text": " ", "weight": None, f"\\{'é' * 99}": 1}] * 10, "x": 1},
        {field: {} for field in ("text_prompts", "height", "width", "sampler", "style_preset", "samples")}
        | {
            field: []
            for field in ("extras", "clip_guidance_preset", "webhook_url", "model", "strict", "seed")
        },
        {"text_prompts": [{"text": "\x00"}] * 10},
        {"text_prompts": [0] * 5_000},
    ],
    ids=["names", "prompts", "types", "texts", "items"],
)
def test_an_error_fits_a_problem_of_4_kb(members: dict[str, Any]) -> None:
    """At most ten fields, and room for the rest of the problem, in the longest spelling of JSON."""
    error = refused(members)
    assert 1 <= len(error.errors) <= 10
    shown = [{"field": found.field, "message": found.message} for found in error.errors]
    assert len(json.dumps({"detail": error.detail, "errors": shown})) < 3_700


def test_more_than_ten_errors_are_counted_and_cut() -> None:
    """The sentence tells that there are more."""
    error = refused({"text_prompts": PROMPTS, **{f"x{number}": 1 for number in range(11)}})
    assert len(error.errors) == 10
    assert error.detail == "11 parameters are not known. The first 10 are listed."


@pytest.mark.parametrize(
    "members",
    [
        with_text("canary\x00"),
        with_text("canary" * 400),
        {"text_prompts": "canary"},
        {"text_prompts": PROMPTS, "sampler": "canary"},
        {"text_prompts": PROMPTS, "seed": "canary"},
        {"text_prompts": PROMPTS, "extras": "canary"},
        {"text_prompts": PROMPTS, "model": "canary" * 50},
        {"text_prompts": PROMPTS, "webhook_url": "http://canary/"},
        {"text_prompts": PROMPTS, "foo": "canary"},
    ],
)
def test_no_value_is_quoted(members: dict[str, Any]) -> None:
    """Neither the error nor its cause, which a log may print, repeats what was sent."""
    error = refused(members)
    assert "canary" not in f"{error} {error.errors} {error.__cause__}"


def test_a_model_is_a_string_of_1_to_256_characters() -> None:
    """Whether it is enabled is for the deployment to say."""
    assert schema.parse({"text_prompts": PROMPTS, "model": "m"}).model == "m"
    assert schema.parse({"text_prompts": PROMPTS, "model": "m" * 256}).model == "m" * 256
    assert refused({"text_prompts": PROMPTS, "model": "m" * 257}).errors[0].field == "model"


def test_extras_are_passed_on_untouched() -> None:
    """Types, order and nesting stay as they were sent."""
    extras = {"z": 1.0, "a": [1, None, True, {"text": "\x00"}], "steps": "x"}
    image = text_to_image(schema.parse({"text_prompts": PROMPTS, "extras": extras}))
    assert json.dumps(image.parameters()["extras"]) == json.dumps(extras)


@pytest.mark.slow
@given(strategy(bodies.valid_members))
def test_valid_requests_survive_being_stored(members: dict[str, Any]) -> None:
    """The contract's JSON, through text and back, is the same request."""
    image = text_to_image(schema.parse(members))
    assert TextToImage.from_parameters(json.loads(json.dumps(image.parameters()))) == image


@pytest.mark.slow
@given(strategy(bodies.valid_members).map(bodies.as_bytes))
def test_valid_bodies_pass_the_whole_door(body: bytes) -> None:
    """What must be accepted is accepted as bytes too, if it is not too long."""
    members = loads(body, max_bytes=10**6)
    assert text_to_image(schema.parse(members)).text_prompts[0].text == members["text_prompts"][0]["text"]


@pytest.mark.slow
@given(strategy(bodies.near_valid_members) | strategy(bodies.openai_members))
def test_no_members_raise_anything_but_our_own_errors(members: dict[str, Any]) -> None:
    """Any JSON object is a request, or one of two errors with at most ten printable fields."""
    errors: tuple[FieldError, ...] = ()
    try:
        schema.parse(members)
    except (InvalidParameter, UnknownParameter) as exc:
        errors = tuple(exc.errors)
        assert errors
    assert len(errors) <= 10
    assert all(error.field.isprintable() and error.field.isascii() for error in errors)
    assert all(len(error.field) <= 64 and len(error.message) <= 250 for error in errors)


@pytest.mark.slow
@given(strategy(bodies.raw_body), st.sampled_from([{}, {"content-type": ["application/json"]}]))
def test_no_body_raises_anything_but_our_own_errors(body: bytes, headers: dict[str, list[str]]) -> None:
    """Bytes of any kind, through the whole door, are a request or an error of the caller's."""
    assert status_of(body.decode("latin-1"), headers=headers, is_base64_encoded=False) in {200, 400, 413}
    assert status_of(body.decode("latin-1"), headers=headers, is_base64_encoded=True) in {200, 400, 413}
    encoded = base64.b64encode(body).decode("ascii")
    assert status_of(encoded, headers=headers, is_base64_encoded=True) in {200, 400, 413}


def status_of(body: str, *, headers: dict[str, list[str]], is_base64_encoded: bool) -> int:
    """Return the status that an event's body ends with at the door."""
    sent = event("POST", "/text-to-image", headers=headers)
    request = received({**sent, "body": body, "isBase64Encoded": is_base64_encoded})
    try:
        schema.parse(request.members(CREATE.max_body))
    except ImagegenError as exc:
        return exc.kind.status
    return 200


def fingerprint_of(**members: Any) -> str:
    """Return the fingerprint of a request of one prompt and these members."""
    return fingerprint(schema.parse({"text_prompts": [{"text": "tea"}], **members}))


@pytest.mark.parametrize(
    "members",
    [
        {"seed": 0},
        {"steps": 30, "cfg_scale": 7},
        {"cfg_scale": 7.0, "width": 1024, "height": 1024},
        {"extras": {}},
        {"strict": False},
        {"output_format": "png"},
        {"text_prompts": [{"weight": 1, "text": "tea"}]},
        {"webhook_url": "https://example.com/"},
    ],
)
def test_requests_of_one_meaning_have_one_fingerprint(members: dict[str, Any]) -> None:
    """Notation, order and explicit defaults do not count, nor does who is told."""
    assert fingerprint_of(**members) == fingerprint_of()


def test_zero_has_no_sign() -> None:
    """Minus nothing is nothing."""
    assert fingerprint_of(cfg_scale=-0.0) == fingerprint_of(cfg_scale=0)
    signed = [{"text": "tea", "weight": -0.0}]
    assert fingerprint_of(text_prompts=signed) == fingerprint_of(text_prompts=[{"text": "tea", "weight": 0}])


def test_requests_of_different_meaning_have_different_fingerprints() -> None:
    """Every parameter counts, and the order of prompts too."""
    variants: list[dict[str, Any]] = [
        {},
        {"seed": 1},
        {"steps": 31},
        {"cfg_scale": 7.5},
        {"width": 640, "height": 1536},
        {"width": 1536, "height": 640},
        {"clip_guidance_preset": "SLOW"},
        {"sampler": "DDIM"},
        {"style_preset": "anime"},
        {"extras": {"a": 1}},
        {"extras": {"a": "1"}},
        {"model": "m"},
        {"strict": True},
        {"output_format": "jpeg"},
        {"output_format": "webp"},
        {"text_prompts": [{"text": "tea "}]},
        {"text_prompts": [{"text": "tea", "weight": -1}]},
        {"text_prompts": [{"text": "a"}, {"text": "b"}]},
        {"text_prompts": [{"text": "b"}, {"text": "a"}]},
    ]
    assert len({fingerprint_of(**members) for members in variants}) == len(variants)


def test_a_fingerprint_stays_the_same_across_versions() -> None:
    """Idempotency keys outlive a deployment, and with them what they stand for."""
    assert fingerprint_of()[:16] == FINGERPRINT


def test_the_published_schema_says_what_is_enforced() -> None:
    """Bounds, values and pairs in the OpenAPI document are those of the contract."""
    published = schema.RequestBody.model_json_schema()
    fields = published["properties"]
    assert published["additionalProperties"] is False
    assert published["required"] == ["text_prompts"]
    assert len(published["dependentSchemas"]["width"]["anyOf"]) == 9
    assert (fields["steps"]["minimum"], fields["steps"]["maximum"], fields["steps"]["default"]) == (
        10,
        150,
        30,
    )
    assert (fields["seed"]["minimum"], fields["seed"]["maximum"]) == (0, 4_294_967_295)
    assert (fields["cfg_scale"]["minimum"], fields["cfg_scale"]["maximum"]) == (0, 35)
    assert len(fields["sampler"]["enum"]) == 10
    assert len(fields["style_preset"]["enum"]) == 17
    assert "pattern" in fields["webhook_url"]
    assert not [name for name, field in fields.items() if not field.get("description")]
    assert not [name for name, field in fields.items() if "null" in json.dumps(field)]
