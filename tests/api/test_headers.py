"""The headers that every reply has, and those that a page of another origin may read."""

from __future__ import annotations

import pytest

from imagegen.http.app import create_app
from tests.support.events import event, send
from tests.support.fakes import world

TEA = {"text_prompts": [{"text": "Sri lanka tea plantation."}]}
ORIGIN = "https://app.example"
READABLE = {
    "Location",
    "Retry-After",
    "Preference-Applied",
    "Idempotent-Replayed",
    "X-Request-Id",
    "Allow",
    "Finish-Reason",
    "Seed",
    "X-Should-Retry",
    "X-Imagegen-Model",
}
ASKED = [
    ("POST", "/text-to-image", TEA, 200),
    ("POST", "/text-to-image", {}, 400),
    ("GET", "/generations", None, 200),
    ("GET", "/generations/x", None, 404),
    ("DELETE", "/generations/x", None, 404),
    ("GET", "/models", None, 200),
    ("GET", "/models/auto", None, 200),
    ("GET", "/models/none", None, 404),
    ("GET", "/health", None, 200),
    ("GET", "/openapi.json", None, 200),
    ("POST", "/images/generations", {"prompt": "tea"}, 200),
    ("POST", "/images/generations", {}, 400),
    ("POST", "/generation/stable-diffusion-xl-1024-v1-0/text-to-image", TEA, 200),
    ("POST", "/generation/none/text-to-image", TEA, 404),
    ("GET", "/engines/list", None, 200),
    ("PATCH", "/models", None, 405),
    ("GET", "/nothing", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), ASKED)
def test_every_answer_names_its_request(method: str, path: str, body: object, status: int) -> None:
    """The request id leads to the request's log lines."""
    answer = send(create_app(world().services), event(method, path, body))
    assert answer.status == status
    assert answer.headers["x-request-id"] == "req-1"


@pytest.mark.parametrize(
    ("origins", "vary"),
    [([ORIGIN], "Origin"), (["https://other.example", ORIGIN], "Origin"), (["*"], None), ([], None)],
)
@pytest.mark.parametrize("path", ["/models", "/openapi.json"])
def test_an_answer_that_depends_on_the_origin_says_so(
    origins: list[str], vary: str | None, path: str
) -> None:
    """Otherwise a cache would give one page the reply for another."""
    answer = send(create_app(world(cors_origins=origins).services), event("GET", path))
    assert answer.headers.get("vary") == vary


@pytest.mark.parametrize(("method", "path", "body", "status"), ASKED)
def test_pages_of_an_allowed_origin_may_read_every_answer(
    method: str, path: str, body: object, status: int
) -> None:
    """A page may read errors as well, and the headers that clients need."""
    service = world(cors_origins=["https://other.example", ORIGIN])
    answer = send(create_app(service.services), event(method, path, body, headers={"Origin": ORIGIN}))
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed == READABLE


def test_pages_of_another_origin_may_read_nothing() -> None:
    """If no origin is configured, no page may read a reply."""
    strange = {"Origin": "https://strange.example"}
    for service in (world(cors_origins=[ORIGIN]), world()):
        answer = send(create_app(service.services), event("GET", "/models", headers=strange))
        assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_is_answered_where_origins_are_configured() -> None:
    """The reply allows the methods and headers that a page needs."""
    app = create_app(world(cors_origins=[ORIGIN]).services)
    answer = send(app, event("OPTIONS", "/text-to-image", headers={"Origin": ORIGIN}))
    assert answer.status == 204
    assert {"GET", "POST", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(","))
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("x-api-key", "idempotency-key", "prefer", "content-type"))


def test_answers_of_a_caller_are_not_kept_by_caches() -> None:
    """The replies may have presigned URLs."""
    app = create_app(world().services)
    for request in (
        event("POST", "/text-to-image", TEA),
        event("GET", "/generations"),
        event("GET", "/models"),
    ):
        assert send(app, request).headers["cache-control"] == "no-store"
