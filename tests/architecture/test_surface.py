"""`http/surface.py` alone defines what clients see of the API; whatever repeats it agrees with it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apidoc.document import document
from imagegen.http import surface
from imagegen.http.app import create_app
from local import gateway
from tests.support.events import KEY, Answer, event, send
from tests.support.scenarios import CASES, SCENARIOS, TEA
from tests.support.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
API_PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ORIGIN = "https://app.example"
IDEMPOTENT = {"Idempotency-Key": "0123456789abcdef"}
ELSEWHERE = ("forbidden", "rate_limited", "not_found")
"""Codes that `failures` leaves out. Only the gateway sends the first two. Their scenarios let the model raise
them, so that they are recorded, which never happens for real. The last belongs to unknown paths."""
BEDROCK = "/model/stability.stable-diffusion-xl-v1/invoke"
STABILITY = "/generation/stable-diffusion-xl-1024-v1-0/text-to-image"


def texts(path: Path) -> Iterator[str]:
    """Return every string in a module, including docstrings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("folder", ["lambda/imagegen", "stacks", "apidoc", "local"])
def test_the_base_path_is_written_once(folder: str) -> None:
    """A new version of the API changes one line."""
    elsewhere = [
        (str(path.relative_to(ROOT)), text)
        for path in (ROOT / folder).rglob("*.py")
        for text in texts(path)
        if re.search(rf"(?<![\w.]){surface.BASE_PATH}\b", text)
    ]
    assert elsewhere == ([("lambda/imagegen/http/surface.py", "/v1")] if "imagegen" in folder else [])


def test_the_local_gateway_maps_the_stage() -> None:
    """The local gateway maps the stage under its own name, so both base URLs end alike."""
    assert gateway.BASE_PATH == surface.STAGE_NAME


def test_the_resolver_has_the_routes_of_the_table() -> None:
    """The resolver has no other routes."""
    resolver = create_app(world().services)
    rules = [*resolver._static_routes, *resolver._dynamic_routes]
    assert sorted((rule.method, rule.path) for rule in rules) == sorted(
        (method, re.sub(r"\{(\w+)\}", r"<\1>", route.path))
        for route in surface.ROUTES
        for method in route.methods
    )


def test_names_and_places_are_told_apart() -> None:
    """No two routes share a name, or a method and a path."""
    assert len({route.name for route in surface.ROUTES}) == len(surface.ROUTES)
    assert len({(route.method, route.path) for route in surface.ROUTES}) == len(surface.ROUTES)


# -- headers: each one of a real reply is documented, and either exposed to pages or listed as hidden ----------


def ask(service: World, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    """Send one request as a web page does."""
    headers = {"Origin": ORIGIN, **more.pop("headers", {})}
    return send(create_app(service.services), event(method, path, body, headers=headers, **more))


def successes() -> Iterator[tuple[str, str, Answer]]:
    """Bring about every kind of success of every route, and yield method, path and reply."""
    service = world(cors_origins=[ORIGIN])
    requests: list[tuple[str, str, Any, dict[str, str]]] = [
        ("POST", "/text-to-image", TEA, IDEMPOTENT),
        ("POST", "/text-to-image", TEA, IDEMPOTENT),
        ("POST", "/text-to-image", TEA, {"Prefer": "respond-async"}),
        ("POST", "/images/generations", {"prompt": "tea"}, {"Idempotency-Key": "b" * 16}),
        ("POST", "/images/generations", {"prompt": "tea"}, {"Idempotency-Key": "b" * 16}),
        ("POST", STABILITY, TEA, {"Idempotency-Key": "c" * 16}),
        ("POST", STABILITY, TEA, {"Idempotency-Key": "c" * 16, "Accept": "image/png"}),
        *(("GET", path, None, {}) for path in ("/generations", "/models", "/models/auto")),
        *(("GET", path, None, {}) for path in ("/engines/list", "/user/balance")),
        ("POST", BEDROCK, TEA, {"Idempotency-Key": "d" * 16}),
        ("POST", BEDROCK, TEA, {"Idempotency-Key": "d" * 16}),
        ("POST", f"{BEDROCK}-with-response-stream", TEA, {"Idempotency-Key": "d" * 16}),
        *(("GET", path, None, {}) for path in surface.OPEN_PATHS),
    ]
    for method, path, body, headers in requests:
        yield method, path, ask(service, method, path, body, headers=headers)
    done = next(record.id for record in service.store.all() if record.state == "succeeded")
    for method, path in (("GET", ""), ("GET", "/image"), ("DELETE", "")):
        yield method, f"/generations/{done}{path}", ask(service, method, f"/generations/{done}{path}")


def failures() -> Iterator[tuple[str, str, Answer]]:
    """Bring about every error code on each route that makes images, then the errors outside such routes."""
    for path, code in CASES:
        if code not in ELSEWHERE:
            method = "PUT" if code == "method_not_allowed" else "POST"
            yield method, path, SCENARIOS[code](path)
    for key in (None, KEY):
        for route in surface.ROUTES:
            path = (
                route.path.format(id="x", engine_id="none", modelId="none")
                if "{" in route.path
                else route.path
            )
            for method in ("PATCH", route.method):
                yield method, path, ask(world(cors_origins=[ORIGIN]), method, path, "{", key=key)
    yield "GET", "/nothing", ask(world(), "GET", "/nothing")


def replayed_failures() -> Iterator[tuple[str, str, Answer]]:
    """Bring about recorded failures, and repeat their requests."""
    for path, body in (
        ("/text-to-image", TEA),
        ("/images/generations", {"prompt": "tea"}),
        (STABILITY, TEA),
        (BEDROCK, TEA),
    ):
        service = world(answers=[b"{}"])
        for _ in range(2):
            yield "POST", path, ask(service, "POST", path, body, headers=IDEMPOTENT)


def described(method: str, path: str, status: int) -> set[str] | None:
    """Return the headers that the document gives for a reply, or None for a path without operations."""
    for pattern, operations in document()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            operation = operations.get(method.lower()) or next(iter(operations.values()))
            return set(operation["responses"].get(str(status), {}).get("headers", ()))
    return None


ANSWERS = [*successes(), *failures(), *replayed_failures()]


def own(answer: Answer) -> set[str]:
    """Return the names of a reply's headers, without those that HTTP itself explains."""
    return set(answer.headers) - {name.lower() for name in surface.STANDARD_HEADERS}


def test_every_route_and_every_status_was_driven() -> None:
    """Otherwise a header could hide on a reply that no test looks at."""
    driven = {(method, answer.status) for method, _, answer in ANSWERS}
    assert {status for _, status in driven} >= {
        200,
        202,
        204,
        302,
        400,
        401,
        404,
        405,
        409,
        410,
        413,
        415,
        422,
        429,
    }
    for route in surface.ROUTES:
        pattern = re.sub(r"\{\w+\}", "[^/]+", route.path)
        assert any(
            method == route.method and answer.status < 400 and re.fullmatch(pattern, path)
            for method, path, answer in ANSWERS
        ), f"no success of {route.name}"


def test_every_header_of_an_answer_is_in_the_document() -> None:
    """The document lists the header for that operation and that status."""
    missing = set()
    for method, path, answer in ANSWERS:
        headers = described(method, path, answer.status)
        if headers is not None:
            hidden = own(answer) - {name.lower() for name in headers}
            missing |= {(method, path, answer.status, name) for name in hidden}
    assert missing == set()


def test_every_header_of_an_answer_is_on_the_page_of_the_api() -> None:
    """The page's table of reply headers has each of them."""
    table = API_PAGE.partition("### Headers of replies\n")[2].partition("\n##")[0].lower()
    assert {name for _, _, answer in ANSWERS for name in own(answer) if f"| `{name}` |" not in table} == set()


def test_a_page_may_read_every_header() -> None:
    """Each header is exposed to web pages, and each that is exposed is on some reply."""
    exposed = {name.lower() for name in surface.EXPOSED_HEADERS}
    assert {name for _, _, answer in ANSWERS for name in own(answer)} == exposed


def test_what_is_on_every_answer_is_on_every_answer() -> None:
    """Successes, refusals and defects all have these headers; errors have some more."""
    for method, path, answer in ANSWERS:
        more = surface.HEADERS_ON_EVERY_ERROR if answer.status >= 400 else ()
        expected = (*surface.HEADERS_ON_EVERY_REPLY, *more)
        absent = {name for name in expected if name.lower() not in answer.headers}
        assert (method, path, answer.status, absent) == (method, path, answer.status, set())
