"""`docs/openapi.json` is what the code generates, and what the code generates is complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from imagegen.errors import error_types
from imagegen.http import compat_responses as theirs
from imagegen.http import responses
from imagegen.http.app import Api
from imagegen.http.compat import openai, stability
from imagegen.http.openapi import document, readable, served
from imagegen.http.openapi_routes import OPERATIONS, Operation
from stacks.http_api import OPEN_PATHS
from tests.support.events import event, send
from tests.support.fakes import world

if TYPE_CHECKING:
    from pydantic import BaseModel

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
OPERATION_IDS = [operation.id for operation in OPERATIONS]
ERROR_BODIES: dict[str, type[BaseModel]] = {
    "problem": responses.ProblemBody,
    "openai": theirs.OpenAIErrorBody,
    "stability": theirs.StabilityErrorBody,
}


def described(operation: Operation) -> dict[str, Any]:
    """Return an operation as the document has it."""
    found: dict[str, Any] = document()["paths"][operation.path][operation.method.lower()]
    return found


def test_the_committed_document_is_the_generated_one() -> None:
    """A difference is one command away."""
    assert COMMITTED.read_text(encoding="utf-8") == readable(), (
        "docs/openapi.json is not up to date: make openapi"
    )


def test_the_served_document_is_the_committed_one() -> None:
    """At /openapi.json, without a key."""
    answer = send(Api(world().services).resolver, event("GET", "/openapi.json", key=None))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == served()
    assert answer.json == json.loads(COMMITTED.read_text(encoding="utf-8"))


def test_every_route_is_described_and_no_other() -> None:
    """Methods and paths are those of the app."""
    methods = Api(world().services).methods
    routes = {
        (method, re.sub(r"<(\w+?)_?>", r"{\1}", path)) for path, own in methods.items() for method in own
    }
    assert {(operation.method, operation.path) for operation in OPERATIONS} == routes


def test_the_document_is_valid_openapi() -> None:
    """Every schema in it is one of JSON Schema 2020-12, and every reference leads somewhere."""
    shown = document()
    assert shown["openapi"].startswith("3.1.")
    for name, schema in shown["components"]["schemas"].items():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
        assert schema["title"] == name
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', served())):
        found = shown
        for part in reference.split("/"):
            found = found[part]


@pytest.mark.parametrize("code", [kind.kind.code for kind in error_types()])
def test_every_code_is_among_the_answers_of_some_route(code: str) -> None:
    """Under its own status."""
    kind = next(kind.kind for kind in error_types() if kind.kind.code == code)
    statuses = {
        status
        for operation in OPERATIONS
        for status, answer in described(operation)["responses"].items()
        if f"`{code}`" in answer["description"]
    }
    assert statuses == {str(kind.status)}


@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATION_IDS)
def test_every_answer_has_its_request_id_and_every_error_an_example(operation: Operation) -> None:
    """In the shape of the route."""
    for status, answer in described(operation)["responses"].items():
        assert "X-Request-Id" in answer["headers"]
        if int(status) >= 400:
            shapes = ["application/problem+json" if operation.shape == "problem" else "application/json"]
            assert set(shapes) <= set(answer["content"])
            assert all(media["examples"] for media in answer["content"].values())


@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATION_IDS)
def test_exactly_the_open_paths_of_the_gateway_need_no_key(operation: Operation) -> None:
    """`x-api-key` everywhere else."""
    is_open = operation.path.removeprefix("/") in OPEN_PATHS
    assert (described(operation).get("security") == []) is is_open
    assert document()["security"] == [{"ApiKey": []}]
    assert document()["components"]["securitySchemes"]["ApiKey"]["name"] == "x-api-key"


def resolved(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of a schema of the document."""
    components = {"components": {"schemas": document()["components"]["schemas"]}}
    return jsonschema_rs.Draft202012Validator({**schema, **components})


@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATION_IDS)
def test_every_example_of_a_success_fits_its_schema(operation: Operation) -> None:
    """Examples are made by the code that answers."""
    for status, answer in described(operation)["responses"].items():
        media = answer.get("content", {}).get("application/json", {})
        if int(status) < 400 and "example" in media:
            resolved(media["schema"]).validate(media["example"])


@pytest.mark.parametrize("shape", ERROR_BODIES)
def test_every_example_of_an_error_fits_its_schema(shape: str) -> None:
    """In each of the three shapes."""
    examples = document()["components"]["examples"]
    mine = {name: example["value"] for name, example in examples.items() if name.startswith(f"{shape}.")}
    assert len(mine) == len(error_types())
    for example in mine.values():
        ERROR_BODIES[shape].model_validate(example)


def test_requests_have_examples_that_the_routes_take() -> None:
    """The seed's own request, in each of the three shapes."""
    schemas = document()["components"]["schemas"]
    ours = schemas["TextToImageRequest"]["examples"][0]
    for path, example in (
        ("/text-to-image", ours),
        ("/images/generations", schemas["OpenAIImagesRequest"]["examples"][0]),
        (f"/generation/{stability.SDXL_ENGINE}/text-to-image", ours),
    ):
        answer = send(Api(world().services).resolver, event("POST", path, example))
        assert (path, answer.status) == (path, 200)


def test_stabilitys_request_is_ours_without_our_own_members() -> None:
    """And OpenAI's sizes are listed in the schema."""
    schemas = document()["components"]["schemas"]
    ours, theirs_ = (
        set(schemas[name]["properties"]) for name in ("TextToImageRequest", "StabilityTextToImageRequest")
    )
    assert ours - theirs_ == set(stability.OURS_ONLY)
    assert (
        openai.ImagesBody.model_json_schema()["properties"]["size"]
        == schemas["OpenAIImagesRequest"]["properties"]["size"]
    )
