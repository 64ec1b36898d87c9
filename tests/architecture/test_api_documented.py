"""`docs/api.md` and `docs/errors.md` agree with the code about every route, field, header and error code."""

from __future__ import annotations

import json
import re
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apidoc.operations import DESCRIBED, Operation
from imagegen.contracts.text_to_image import parameters, schema
from imagegen.errors import (
    CallerError,
    ImagegenError,
    ModelRetired,
    OperatorError,
    ServiceError,
    WaitError,
    error_types,
    invalid,
)
from imagegen.generations import model_caller
from imagegen.http import model_bodies, problems, request, serialize, strict_json, surface
from imagegen.http.compat import bedrock, openai, stability
from imagegen.http.compat.openai import images_request
from tests.support.largest import LARGEST, escaped

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "api.md").read_text(encoding="utf-8")
ERRORS = (DOCS / "errors.md").read_text(encoding="utf-8")
SENTENCES = " ".join(API.split())
WHO: dict[type[ImagegenError], str] = {
    CallerError: "the caller",
    WaitError: "time",
    OperatorError: "the operator",
    ServiceError: "the service",
}
PARAMETERS = {"id": "{id}", "engine_id": "{engine_id}", "modelId": "{modelId}"}
"""The path parameters, written as on the page."""
COLUMNS = ("field", "type", "limits", "default", "example", "means")
OPERATION_NAMES = [operation.name for operation in DESCRIBED]


def rows(page: str) -> list[list[str]]:
    """Return the rows of a page's tables."""
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in page.splitlines()
        if line.startswith("| ")
    ]


def section(operation: Operation) -> str:
    """Return the page's section about one route."""
    heading = f"\n## {surface.spoken(operation.name, **PARAMETERS)}\n"
    assert heading in API, f"docs/api.md has no section of {heading.strip()}"
    return API.partition(heading)[2].partition("\n## ")[0]


def field_row(operation_id: str, name: str) -> list[str]:
    """Return a field's row in the table of a route."""
    operation = next(one for one in DESCRIBED if one.name == operation_id)
    fields = (row for row in rows(section(operation)) if len(row) == len(COLUMNS))
    found = [row for row in fields if row[0] == f"`{name}`"]
    assert len(found) == 1, f"docs/api.md has no row, or several, of {name}"
    return found[0]


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_route_has_a_section_with_a_curl_line(operation: Operation) -> None:
    """The list at the top of the page links to the section."""
    path = re.sub(r"\{\w+\}", '[^ "]+', operation.route.path)
    assert re.search(rf'curl .*"\$API{path}[?"]', section(operation))
    assert ("-X DELETE" in section(operation)) == (operation.route.method == "DELETE")
    anchor = re.sub(r"[^a-z0-9 _-]", "", surface.spoken(operation.name, **PARAMETERS).lower()).replace(
        " ", "-"
    )
    assert f"(#{anchor})" in API


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_status_of_a_success_is_documented(operation: Operation) -> None:
    """The route's section names the status."""
    assert all(str(success.status) in section(operation) for success in operation.successes)


def test_no_route_is_documented_that_does_not_exist() -> None:
    """Whoever removes a route also removes its section."""
    headings = set(re.findall(r"^## ([A-Z]+ /\S+)$", API, flags=re.MULTILINE))
    assert headings == {surface.spoken(route.name, **PARAMETERS) for route in surface.ROUTES}
    assert set(re.findall(r"^\| \[`([A-Z]+ /\S+)`\]", API, flags=re.MULTILINE)) == headings


def numbers_of(field: FieldInfo) -> list[float]:
    """Return the bounds in a field's definition."""
    names = ("ge", "le", "min_length", "max_length")
    return [
        getattr(bound, name)
        for bound in field.metadata
        for name in names
        if getattr(bound, name, None) is not None
    ]


FIELDS: list[tuple[str, str, FieldInfo]] = [
    *(("createGeneration", name, field) for name, field in schema.RequestBody.model_fields.items()),
    *(
        ("createGeneration", f"text_prompts[].{name}", field)
        for name, field in schema.PromptBody.model_fields.items()
    ),
    *(("createOpenAIImages", name, field) for name, field in images_request.ImagesBody.model_fields.items()),
]


@pytest.mark.parametrize(
    ("operation_id", "name", "field"), FIELDS, ids=[f"{one[0]}-{one[1]}" for one in FIELDS]
)
def test_every_field_has_a_row_with_its_limits_and_an_example(
    operation_id: str, name: str, field: FieldInfo
) -> None:
    """The row has the numbers of the field's definition."""
    _, kind, limits, default, example, meaning = field_row(operation_id, name)
    assert kind
    assert meaning
    assert example.startswith("`")
    named = {int(number) for number in re.findall(r"-?\d+", limits)}
    model_is_looked_up = (operation_id, name) == ("createOpenAIImages", "model")
    if not model_is_looked_up:
        assert {int(number) for number in numbers_of(field)} <= named
    assert (default == "required") == field.is_required() or name == "extras"


@pytest.mark.parametrize(
    ("operation_id", "name", "values"),
    [
        ("createGeneration", "clip_guidance_preset", parameters.CLIP_GUIDANCE_PRESETS),
        ("createGeneration", "sampler", parameters.SAMPLERS),
        ("createGeneration", "style_preset", parameters.STYLE_PRESETS),
        ("createOpenAIImages", "quality", typing.get_args(openai.Quality)),
        ("createOpenAIImages", "style", typing.get_args(openai.Style)),
        ("createGeneration", "output_format", parameters.OUTPUT_FORMATS),
        ("createOpenAIImages", "output_format", parameters.OUTPUT_FORMATS),
        ("createOpenAIImages", "response_format", typing.get_args(openai.ResponseFormat)),
    ],
)
def test_every_value_of_a_choice_is_listed_and_no_other(
    operation_id: str, name: str, values: tuple[str, ...]
) -> None:
    """The field's row lists exactly these values."""
    assert set(re.findall(r"`([^`]+)`", field_row(operation_id, name)[2])) == set(values)


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("cfg_scale", parameters.TextToImage(text_prompts=()).cfg_scale),
        ("steps", parameters.TextToImage(text_prompts=()).steps),
        ("seed", parameters.TextToImage(text_prompts=()).seed),
        ("height", parameters.TextToImage(text_prompts=()).height),
        ("width", parameters.TextToImage(text_prompts=()).width),
        ("samples", parameters.TextToImage(text_prompts=()).samples),
    ],
)
def test_defaults_are_the_contracts(name: str, default: float) -> None:
    """The row has the default as JSON writes it."""
    assert field_row("createGeneration", name)[3] == f"`{default:g}`"


def test_the_sizes_are_listed() -> None:
    """The page lists all nine sizes."""
    assert ", ".join(f"{width}x{height}" for width, height in parameters.SIZES) in SENTENCES


def members(body: type) -> list[str]:
    """Return the names of a body's members as clients see them."""
    return list(typing.get_type_hints(body))


@pytest.mark.parametrize(
    ("operation_id", "body"),
    [
        ("createGeneration", serialize.GenerationBody),
        ("createGeneration", serialize.ArtifactBody),
        ("createGeneration", serialize.AcceptedBody),
        ("showGeneration", serialize.GenerationDetailBody),
        ("listGenerations", serialize.HistoryBody),
        ("listGenerations", serialize.TotalsBody),
        ("listModels", model_bodies.ModelBody),
        ("listModels", model_bodies.PriceBody),
        ("showUsage", serialize.UsageBody),
        ("showUsage", serialize.UsageDayBody),
        ("showUsage", serialize.UsageLimitsBody),
        ("listModels", model_bodies.LifecycleBody),
    ],
)
def test_every_member_of_an_answer_is_documented(operation_id: str, body: type) -> None:
    """The route's section names the member."""
    text = section(next(one for one in DESCRIBED if one.name == operation_id))
    assert [name for name in members(body) if not re.search(rf"[`.\"]{name}[`\"]", text)] == []


@pytest.mark.parametrize("operation", DESCRIBED, ids=OPERATION_NAMES)
def test_every_query_parameter_has_a_row(operation: Operation) -> None:
    """The section's table of the query has the parameters of the route table, and no others."""
    text = section(operation)
    table = text.partition("\n| query |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == sorted(
        operation.route.query, key=lambda name: table.find(f"| `{name}` |")
    )


@pytest.mark.parametrize("name", members(problems.ProblemReplyBody))
def test_every_member_of_a_problem_is_documented(name: str) -> None:
    """`docs/errors.md` shows it in the example, or names it."""
    assert re.search(rf'"{name}":|`{name}`', ERRORS)


def test_every_member_of_an_error_for_openais_clients_is_documented() -> None:
    """`docs/errors.md` lists them in its section on other shapes."""
    shape = ERRORS.partition("\n## The same in other shapes\n")[2]
    assert [name for name in members(problems.ErrorMembersBody) if f'"{name}"' not in shape] == []


def header_rows(of: str) -> list[str]:
    """Return the names in the page's table of the headers of requests, or of replies."""
    table = API.partition(f"### Headers of {of}\n")[2].partition("\n##")[0]
    return [row[0].strip("`") for row in rows(table)[1:]]


def test_the_headers_of_requests_have_their_rows() -> None:
    """The table has the headers that mean something; `Content-Type` is explained with the bodies."""
    documented = {name.lower() for name in header_rows("requests")}
    assert documented | {"content-type"} == {name.lower() for name in surface.READ_HEADERS}


def test_the_page_names_every_header_that_a_page_may_send() -> None:
    """Whoever writes a client for browsers finds there what its preflight may ask for."""
    section = API.partition("### From a page of another origin\n")[2].partition("\n##")[0]
    named = {name.lower() for name in re.findall(r"`([A-Za-z0-9-]+)`", section)}
    read = {name.lower() for name in surface.READ_HEADERS}
    assert {name.lower() for name in surface.SENT_HEADERS} - read <= named


def test_the_headers_of_answers_have_their_rows() -> None:
    """The table has each header once, and no others."""
    assert sorted(header_rows("replies")) == sorted(surface.EXPOSED_HEADERS)


def test_numbers_in_the_text_are_the_codes_own() -> None:
    """The sentences repeat the limits of the code correctly."""
    assert f"at most {surface.MAX_BODY:,} bytes" in SENTENCES
    assert f"nesting deeper than {strict_json.MAX_DEPTH}" in SENTENCES
    assert f"| `limit` | 1 to {request.MAX_LIMIT} | {request.DEFAULT_LIMIT} |" in API
    assert stability.SDXL_ENGINE in SENTENCES
    assert f"{surface.MAX_BODY:,} bytes" in ERRORS
    largest = len(escaped(LARGEST))
    assert (
        f"a request has {largest:,} bytes, which leaves {surface.MAX_BODY - largest:,} for spaces"
        in SENTENCES
    )


def test_the_example_of_a_problem_is_what_the_service_sends() -> None:
    """The page's first JSON is the whole body of that failure, with its `request_id`."""
    example = json.loads(ERRORS.partition("```json\n")[2].partition("```")[0])
    error = invalid("steps", "must be an integer from 10 to 150")
    assert example == problems.problem_reply(error, request_id=example["request_id"])


def error_row(code: str) -> list[str]:
    """Return the row of an error code in the table of codes."""
    (found,) = [row for row in rows(ERRORS) if row[0] == f"`{code}`" and len(row) == 6]
    return found


@pytest.mark.parametrize("kind", error_types(), ids=[kind.kind.code for kind in error_types()])
def test_every_code_has_a_row_that_says_what_the_code_says(kind: type[ImagegenError]) -> None:
    """The row has status, whether to retry, whether it was paid, and who can fix it."""
    _, status, retry, paid, who, meaning = error_row(kind.kind.code)
    family = next(family for family in WHO if issubclass(kind, family))
    assert (status, retry) == (str(kind.kind.status), "yes" if kind.kind.retryable else "no")
    assert (paid, who) == (kind.kind.paid, WHO[family])
    assert len(meaning) > 30


def test_the_header_that_differs_from_its_column_is_named() -> None:
    """Only a model that is remembered as retired is repeated although its column says no."""
    source = Path(model_caller.__file__).read_text(encoding="utf-8")
    assert source.count("retryable=True") == 1
    assert problems.should_retry(ModelRetired("Retired.", retryable=True, retry_after=20))
    told = ERRORS.partition("\n### X-Should-Retry\n")[2].partition("\n- `false`")[0]
    never = {kind.kind.code for kind in error_types() if not kind.kind.retryable}
    assert never & set(re.findall(r"`(\w+)`", told)) == {ModelRetired.kind.code}


def test_no_code_is_documented_that_does_not_exist() -> None:
    """Whoever removes an error also removes its row."""
    documented = [row[0].strip("`") for row in rows(ERRORS) if len(row) == 6 and row[0].startswith("`")]
    assert documented == [kind.kind.code for kind in error_types()]


@pytest.mark.parametrize("kind", error_types(), ids=[kind.kind.code for kind in error_types()])
def test_every_code_has_its_names_in_the_other_shapes(kind: type[ImagegenError]) -> None:
    """The row has the names that the other shapes give the error."""
    error = kind("One sentence.")
    names: list[Any] = [
        openai.problem(error)["error"]["type"],
        stability.problem(error, request_id="")["name"],
        bedrock.exception_of(kind),
    ]
    (row,) = [row for row in rows(ERRORS) if row[0] == f"`{kind.kind.code}`" and len(row) == 4]
    assert row[1:] == [f"`{name}`" for name in names]
