"""The committed document is the one that `apidoc` generates from the code, and it is complete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from apidoc.__main__ import TARGET
from apidoc.document import document, version, written
from apidoc.examples import example_generation
from apidoc.operations import DESCRIBED, Operation
from apidoc.schemas import request_title, title_of
from apidoc.shapes import SHAPES
from imagegen import VERSION
from imagegen.adapters.webhook import payload
from imagegen.errors import error_types
from imagegen.generations.generation import Failure, State
from imagegen.http import surface
from imagegen.http.app import create_app
from imagegen.http.compat import OURS_ONLY, bedrock, stability
from imagegen.http.compat.openai import images_request
from tests.support.events import event, send
from tests.support.world import world

ROOT = Path(__file__).parents[2]
OPERATION_NAMES = [operation.name for operation in DESCRIBED]


def schemas_in(part: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every object of the document with its path; the examples are not described by themselves."""
    if isinstance(part, dict):
        yield path, part
    members = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, member in members:
        if name not in {"example", "examples"}:
            yield from schemas_in(member, f"{path}/{name}")


def test_no_property_is_described_by_a_boolean() -> None:
    """Generators of clients refuse a document with such a schema, although JSON Schema allows it."""
    properties = [(path, part) for path, part in schemas_in(document()) if path.endswith("/properties")]
    assert len(properties) > 20
    assert [
        path for path, part in properties if not all(isinstance(one, dict) for one in part.values())
    ] == []


def test_a_choice_has_values_of_one_type() -> None:
    """A generator of clients leaves out the route whose field has an enum of several types."""
    choices = [(path, part["enum"]) for path, part in schemas_in(document()) if "enum" in part]
    assert len(choices) > 20
    assert [path for path, values in choices if len({type(value) for value in values}) > 1] == []


def test_no_field_has_a_default_that_clients_would_send() -> None:
    """Generators make such a field required, or send it in every request; the description names the default."""
    fields = [part for path, part in schemas_in(document()["components"]) if path.endswith("/properties")]
    assert [name for part in fields for name, field in part.items() if "default" in field] == []
    steps = document()["components"]["schemas"]["TextToImageRequest"]["properties"]["steps"]
    assert steps["description"].endswith("Default: 30.")


@pytest.mark.parametrize("operation", [one for one in DESCRIBED if one.request], ids=lambda one: one.name)
def test_a_request_shows_the_example_of_its_schema(operation: Operation) -> None:
    """Postman reads the example of the media type, and none behind a reference."""
    media = described(operation)["requestBody"]["content"]["application/json"]
    schema = document()["components"]["schemas"][request_title(operation)]
    assert media["example"] == schema["examples"][0]
    resolved(schema).validate(media["example"])


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_operation_has_a_success(operation: Operation) -> None:
    """Also the redirect: its client sees the bucket's reply."""
    assert [status for status in described(operation)["responses"] if status.startswith("2")]


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_body_of_a_success_can_be_read_by_generated_clients(operation: Operation) -> None:
    """Generators warn about a reply that they cannot read: JSON is among the media types, or none is named."""
    for status, answer in described(operation)["responses"].items():
        if int(status) < 300 and "content" in answer:
            assert "application/json" in answer["content"]


@pytest.mark.parametrize("operation", [one for one in DESCRIBED if one.request], ids=lambda one: one.name)
def test_a_request_is_an_object_with_fields_and_no_choice_of_objects(operation: Operation) -> None:
    """A top-level `anyOf` makes classes without fields in clients, and empty bodies in Postman."""
    schema = document()["components"]["schemas"][request_title(operation)]
    assert schema["type"] == "object"
    assert len(schema["properties"]) >= 8
    assert {"anyOf", "oneOf", "allOf", "if", "not"} & schema.keys() == set()


@pytest.mark.parametrize(
    ("sides", "fits"),
    [
        ({}, True),
        ({"width": 1344, "height": 768}, True),
        ({"width": 768, "height": 768}, False),
        ({"width": 1344}, False),
        ({"height": 768}, False),
    ],
)
def test_the_rule_of_the_sizes_is_published(sides: dict[str, int], fits: bool) -> None:  # noqa: FBT001 - a table
    """Both sides or none, and only the contract's pairs."""
    validator = resolved(document()["components"]["schemas"]["TextToImageRequest"])
    assert validator.is_valid({"text_prompts": [{"text": "tea"}], **sides}) is fits


@pytest.mark.parametrize(
    ("text", "fits"),
    [("", True), ("tea\n", True), (" \u200b\n", False), ("tea\x00", False), ("\u202etea", False)],
)
def test_the_rule_of_prompts_is_published(text: str, fits: bool) -> None:  # noqa: FBT001 - a table
    """A text is empty or visible, and has no refused characters."""
    validator = resolved(document()["components"]["schemas"]["TextToImageRequest"])
    assert validator.is_valid({"text_prompts": [{"text": text}]}) is fits


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_operation_has_a_tag_and_a_description(operation: Operation) -> None:
    """Tools group operations by tags; each tag is described."""
    shown = described(operation)
    tags = {tag["name"]: tag["description"] for tag in document()["tags"]}
    assert len(shown["tags"]) == 1
    assert tags[shown["tags"][0]]
    assert len(shown["description"]) > 20
    assert document()["info"]["contact"]["name"]


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_an_import_switches_no_optional_header_on(operation: Operation) -> None:
    """A tool that sends an example would repeat one idempotency key, or ask for a 202, in every request."""
    for parameter in described(operation).get("parameters", []):
        if parameter["in"] == "header":
            assert parameter["required"] is False
            assert not {"example", "examples"} & parameter.keys()
            assert not {"default", "const", "example", "examples"} & parameter["schema"].keys()


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_no_idempotency_key_is_made_up_by_an_import(operation: Operation) -> None:
    """Postman invents a value for each parameter and switches it on, so the API's description names the header."""
    names = {parameter["name"] for parameter in described(operation).get("parameters", [])}
    assert not names & {"Idempotency-Key", "amz-sdk-invocation-id"}
    assert "`Idempotency-Key` (16 to 64 characters" in document()["info"]["description"]


def test_a_tool_can_fill_in_the_host() -> None:
    """The first server is relative to the served document; the second has a variable, and both end in the base path."""
    relative, anywhere = document()["servers"]
    assert relative["url"] == surface.BASE_PATH
    assert anywhere["url"] == "https://{host}" + surface.BASE_PATH
    assert anywhere["variables"]["host"]["default"]


@pytest.mark.parametrize("failure", [None, Failure(code="content_filtered", detail="x", paid=True)])
def test_the_call_back_is_described_as_it_is_sent(failure: Failure | None) -> None:
    """The body that the adapter makes fits the schema, and the three signature headers are required."""
    state: State = "failed" if failure else "succeeded"
    generation = replace(example_generation(), state=state, failure=failure)
    call = document()["webhooks"]["generationEnded"]["post"]
    media = call["requestBody"]["content"]["application/json"]
    resolved(media["schema"]).validate(payload(generation))
    resolved(media["schema"]).validate(media["example"])
    assert [parameter["name"] for parameter in call["parameters"] if parameter["required"]] == [
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ]
    assert call["security"] == []


def described(operation: Operation) -> dict[str, Any]:
    """Return an operation of the document."""
    found: dict[str, Any] = document()["paths"][operation.route.path][operation.route.method.lower()]
    return found


def test_the_committed_document_is_the_generated_one() -> None:
    """The failure message names the command that writes the document again."""
    committed = TARGET.read_text(encoding="utf-8")
    assert committed == written(document()), f"{TARGET.name} is not up to date: make openapi"
    assert json.loads(committed) == document()


def test_the_served_document_is_the_committed_one() -> None:
    """The service sends the committed file, byte for byte, and needs no API key for it."""
    answer = send(create_app(world().services), event("GET", "/openapi.json", key=None))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.encode() == TARGET.read_bytes()


def test_a_release_has_one_version() -> None:
    """The document has the package's version, and no release in the changelog is later."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert json.loads(TARGET.read_bytes())["info"]["version"] == version() == VERSION
    assert headings[0] in {"Unreleased", version()}
    assert [version(), *released] == sorted(
        [version(), *released], key=lambda number: [*map(int, number.split("."))], reverse=True
    )


def test_every_route_is_described_and_no_other() -> None:
    """The operations and the rows of the route table have the same methods, paths and names."""
    operations = {
        (method.upper(), path, operation["operationId"])
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }
    assert operations == {(route.method, route.path, route.name) for route in surface.ROUTES}
    assert sorted(OPERATION_NAMES) == sorted(route.name for route in surface.ROUTES)


def test_the_document_is_valid_openapi() -> None:
    """Each schema is valid JSON Schema 2020-12, and every reference leads somewhere."""
    shown = document()
    assert shown["openapi"].startswith("3.1.")
    for name, schema in shown["components"]["schemas"].items():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
        assert schema["title"] == name
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', json.dumps(shown, separators=(",", ":")))):
        found = shown
        for part in reference.split("/"):
            found = found[part]


@pytest.mark.parametrize("code", [kind.kind.code for kind in error_types()])
def test_every_code_is_among_the_answers_of_some_route(code: str) -> None:
    """The document names the code only under its own status."""
    kind = next(kind.kind for kind in error_types() if kind.kind.code == code)
    statuses = {
        status
        for operation in DESCRIBED
        if operation.route.shape != "bedrock"
        for status, answer in described(operation)["responses"].items()
        if f"`{code}`" in answer["description"]
    }
    assert statuses == {str(kind.status)}


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_an_error_is_under_the_status_that_its_shape_gives_it(operation: Operation) -> None:
    """Bedrock's shape has statuses of its own; what only the gateway sends is a problem on every route."""
    shape = SHAPES[operation.route.shape]
    responses = described(operation)["responses"]
    for kind in operation.errors:
        content = responses[str(shape.status(kind))]["content"]
        assert kind.kind.code in content[shape.content_type]["examples"]


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_answer_has_its_request_id_and_every_error_an_example(operation: Operation) -> None:
    """The examples of an error have the content type of the route's shape; the bucket's reply has no request id."""
    buckets = {str(success.status) for success in operation.successes if success.from_bucket}
    for status, answer in described(operation)["responses"].items():
        assert ("X-Request-Id" in answer.get("headers", {})) == (status not in buckets)
        if int(status) >= 400:
            own = {SHAPES[operation.route.shape].content_type, SHAPES[surface.OWN_SHAPE].content_type}
            assert own & set(answer["content"])
            assert all(media["examples"] for media in answer["content"].values())


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_the_query_parameters_are_those_of_the_route_table(operation: Operation) -> None:
    """Our own routes refuse every other one, which is an error of the document as well."""
    parameters = described(operation).get("parameters", [])
    asked = [parameter["name"] for parameter in parameters if parameter["in"] == "query"]
    assert asked == list(operation.route.query)
    if operation.route.shape == surface.OWN_SHAPE:
        assert "`unknown_parameter`" in described(operation)["responses"]["400"]["description"]


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_error_says_whether_to_repeat_the_request(operation: Operation) -> None:
    """The header is documented on each error, and on nothing else."""
    for status, answer in described(operation)["responses"].items():
        assert ("X-Should-Retry" in answer.get("headers", {})) == (int(status) >= 400)


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_exactly_the_open_paths_need_no_key(operation: Operation) -> None:
    """All other paths need an API key, in either spelling."""
    is_open = operation.route.path in surface.OPEN_PATHS
    assert (described(operation).get("security") == []) is is_open
    assert document()["security"] == [{"ApiKey": []}, {"BearerKey": []}]
    assert document()["components"]["securitySchemes"]["ApiKey"]["name"] == "x-api-key"


def resolved(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return a validator for a schema of the document."""
    components = {"components": {"schemas": document()["components"]["schemas"]}}
    return jsonschema_rs.Draft202012Validator({**schema, **components})


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_example_of_a_success_fits_its_schema(operation: Operation) -> None:
    """The code that makes real replies also makes the examples."""
    for status, answer in described(operation)["responses"].items():
        media = answer.get("content", {}).get("application/json", {})
        if int(status) < 400 and "example" in media:
            resolved(media["schema"]).validate(media["example"])


@pytest.mark.parametrize("shape", SHAPES)
def test_every_example_of_an_error_fits_its_schema(shape: str) -> None:
    """Each of the shapes has an example for every error code that one of its routes can end with."""
    examples = document()["components"]["examples"]
    mine = {name: example["value"] for name, example in examples.items() if name.startswith(f"{shape}.")}
    operations = [operation for operation in DESCRIBED if operation.route.shape == shape]
    assert {name.partition(".")[2] for name in mine} == {
        kind.kind.code for operation in operations for kind in operation.errors
    }
    for example in mine.values():
        resolved(document()["components"]["schemas"][title_of(SHAPES[shape].error_body)]).validate(example)


def test_requests_have_examples_that_the_routes_take() -> None:
    """Our example serves our own route and Stability's; OpenAI's shape has its own."""
    schemas = document()["components"]["schemas"]
    ours = schemas["TextToImageRequest"]["examples"][0]
    for path, example in (
        ("/text-to-image", ours),
        ("/images/generations", schemas["OpenAIImagesRequest"]["examples"][0]),
        (f"/generation/{stability.SDXL_ENGINE}/text-to-image", ours),
        (f"/model/{bedrock.SDXL}/invoke", ours),
        (f"/model/{bedrock.SDXL}/invoke-with-response-stream", ours),
    ):
        answer = send(create_app(world().services), event("POST", path, example))
        assert (path, answer.status) == (path, 200)


def test_stabilitys_request_is_ours_without_our_own_members() -> None:
    """Stability's schema lacks our own fields; OpenAI's schema lists the sizes that the code knows."""
    schemas = document()["components"]["schemas"]
    ours, theirs_ = (
        set(schemas[name]["properties"]) for name in ("TextToImageRequest", "StabilityTextToImageRequest")
    )
    assert ours - theirs_ == set(OURS_ONLY)
    assert images_request.ImagesBody.model_json_schema()["properties"]["size"] == {
        **schemas["OpenAIImagesRequest"]["properties"]["size"],
        "default": None,
    }
