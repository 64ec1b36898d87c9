"""Stability's v1 shapes of requests, replies and errors, tested without a service."""

from __future__ import annotations

from typing import Any

import pytest

from imagegen import errors
from imagegen.contracts.text_to_image import parameters, schema
from imagegen.errors import (
    FieldError,
    ImagegenError,
    InvalidParameter,
    NotFound,
    UnknownParameter,
    error_types,
)
from imagegen.generations.generation import StoredImage
from imagegen.http.compat import OURS_ONLY, stability
from imagegen.models.registry import resolve

CORE = "stability.stable-image-core-v1:1"
REFS = (resolve(CORE, region="us-west-2"),)
TEA: dict[str, Any] = {"text_prompts": [{"text": "Sri lanka tea plantation."}], "steps": 50}
IMAGE = StoredImage(
    model=CORE, seed=3407, width=1024, height=1024, bytes=4, sha256="0" * 64, content_type="image/png"
)


@pytest.mark.parametrize(
    ("engine", "model"),
    [
        ("stable-diffusion-xl-1024-v1-0", None),
        ("stable-diffusion-xl-1024-v0-9", None),
        ("stable-diffusion-v1-6", None),
        (CORE, CORE),
        ("stability.stable-image-core-v1%3A1", CORE),
    ],
)
def test_an_engine_is_sdxl_or_a_model_of_ours(engine: str, model: str | None) -> None:
    """Stability's own engines allow every enabled model; the id of a model, percent-encoded or not, pins it."""
    assert stability.model_of(engine, REFS) == model


@pytest.mark.parametrize(
    "engine", ["stable-diffusion-v1-5", "stability.stable-image-ultra-v1:1", "", "%", "*"]
)
def test_another_engine_is_not_found(engine: str) -> None:
    """A registered model that is not enabled here is not found either."""
    with pytest.raises(NotFound):
        stability.model_of(engine, REFS)


def test_the_body_is_the_contracts_own() -> None:
    """The body follows our contract; only the model comes from the path instead."""
    assert stability.parse(dict(TEA), model=None) == schema.parse(dict(TEA))
    assert stability.parse(dict(TEA), model=CORE) == schema.parse({**TEA, "model": CORE})


@pytest.mark.parametrize("name", OURS_ONLY)
def test_members_of_our_own_route_are_refused_by_name(name: str) -> None:
    """Fields that only our own route has are refused by name."""
    with pytest.raises(UnknownParameter) as caught:
        stability.parse({**TEA, name: CORE}, model=None)
    assert [found.field for found in caught.value.errors] == [name]


@pytest.mark.parametrize(
    ("accept", "png"),
    [
        (["image/png"], True),
        (["IMAGE/PNG;q=1"], True),
        (["image/png, application/json"], True),
        (["image/png", "application/json"], True),
        (["application/json, image/png"], False),
        (["application/json;q=0.5, image/png"], True),
        (["application/json;q=0.5", "image/png;q=0.6"], True),
        (["application/json;q=0.5, image/*;q=0.6"], True),
        (["application/json;q=0, */*"], True),
        (["image/png;q=0.2, */*;q=0.1"], True),
        (["image/png, */*"], True),
        (["image/png;q=0.9, application/json"], False),
        (["image/png ; q=0.9 , application/json ; q=0.91"], False),
        (["image/png;q=0"], False),
        (["image/png;q=0, application/json;q=0"], False),
        (["image/png;q=0.000, image/*"], False),
        (["image/png;q=0.4, application/*;q=0.5"], False),
        (["image/png;level=1;q=0.4, application/json;q=0.5"], False),
        (["image/png;q=none, application/json;q=0.5"], True),
        # Nothing but the first type counts for the gateway, which would not decode the bytes.
        (["text/html, image/png"], False),
        (["*/*;q=0.1, image/png"], False),
        (["image/*"], False),
        (["*/*"], False),
        (["image/pngx"], False),
        ([""], False),
        ([], False),
    ],
)
def test_bytes_are_the_reply_where_png_is_preferred(accept: list[str], *, png: bool) -> None:
    """The higher quality wins, then the first; the gateway decodes bytes only after one of the two types."""
    assert stability.wants_png(accept) is png


@pytest.mark.parametrize("name", [*parameters.PARAMETERS[1:], *OURS_ONLY])
def test_null_is_absent(name: str) -> None:
    """Also for a field that is not Stability's, which then has no effect; but a request needs its prompts."""
    assert stability.parse({**TEA, "steps": 30, name: None}, model=None) == schema.parse({**TEA, "steps": 30})


def test_null_is_absent_in_a_prompt_as_well() -> None:
    """A weight that is null is 1."""
    prompts = [{"text": "Sri lanka tea plantation.", "weight": None}]
    assert stability.parse({**TEA, "text_prompts": prompts}, model=None) == schema.parse(dict(TEA))
    with pytest.raises(InvalidParameter):
        stability.parse({"text_prompts": [{"text": None}]}, model=None)


@pytest.mark.parametrize(("left", "credits_"), [(None, 1_000_000), (0, 0), (37, 37)])
def test_a_credit_is_an_image(left: int | None, credits_: int) -> None:
    """Without a limit the balance is as high as the highest limit."""
    assert stability.balance(left) == {"credits": credits_}


def test_an_answer_has_one_artifact_in_base64() -> None:
    """The JSON body has one artifact; a reply of bytes has the same facts in headers."""
    assert stability.artifacts_body(b"\x89PNG", IMAGE) == {
        "artifacts": [{"base64": "iVBORw==", "finishReason": "SUCCESS", "seed": 3407}]
    }
    assert stability.png_headers(IMAGE) == {"Finish-Reason": "SUCCESS", "Seed": "3407"}


def test_the_engines_are_sdxls_own_and_the_enabled_models() -> None:
    """The path may name every engine that is listed."""
    engines = stability.engines(REFS)
    assert [engine["id"] for engine in engines] == [*stability.ENGINES, CORE]
    assert {engine["type"] for engine in engines} == {"PICTURE"}
    assert all(stability.model_of(engine["id"], REFS) in {None, engine["id"]} for engine in engines)


NAMES = {
    errors.Unauthorized: "unauthorized",
    errors.Forbidden: "permission_denied",
    errors.NotFound: "not_found",
    errors.ContentFiltered: "invalid_prompts",
    errors.RateLimited: "rate_limit_exceeded",
    errors.QuotaExceeded: "rate_limit_exceeded",
    errors.InvalidJson: "bad_request",
    errors.InvalidParameter: "bad_request",
    errors.UnknownParameter: "bad_request",
    errors.IdempotencyConflict: "bad_request",
    errors.ModelThrottled: "server_error",
    errors.ModelRetired: "server_error",
    errors.OutcomeUnknown: "server_error",
    errors.InternalError: "server_error",
}


@pytest.mark.parametrize("kind", error_types())
def test_every_error_has_stabilitys_members(kind: type[ImagegenError]) -> None:
    """The message ends in the code of this service."""
    problem = stability.problem(kind("One sentence."), request_id="r-1")
    assert set(problem) == {"id", "name", "message"}
    assert problem["id"] == "r-1"
    assert problem["message"] == f"One sentence. [{kind.kind.code}]"
    assert problem["name"] == NAMES.get(kind, problem["name"])


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (("width", "height"), "invalid_sdxl_v1_dimensions"),
        (("height",), "invalid_sdxl_v1_dimensions"),
        (("samples",), "invalid_samples"),
        (("samples", "width"), "bad_request"),
        (("steps",), "bad_request"),
    ],
)
def test_sizes_and_samples_have_names_of_their_own(fields: tuple[str, ...], name: str) -> None:
    """These errors have their own names only if every field at fault belongs to the same group."""
    found = tuple(FieldError(field=field, message="is wrong") for field in fields)
    assert stability.problem(errors.InvalidParameter("Wrong.", errors=found), request_id="")["name"] == name
