"""The headers that every reply has, and those that a page of another origin may read."""

from __future__ import annotations

import pytest

from imagegen.http.app import create_app
from tests.support.events import event, send
from tests.support.world import world

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
    "X-Imagegen-Charged",
    "X-Imagegen-Cost-Usd",
    "X-Imagegen-Model",
    "X-Amzn-Errortype",
    "X-Amzn-Bedrock-Content-Type",
    "ETag",
}
SENT = {
    *("accept", "accept-language", "authorization", "cache-control", "content-type", "user-agent"),
    *("idempotency-key", "if-none-match", "prefer", "x-api-key"),
    # openai 6 and 7 from npm, in a browser
    *("openai-beta", "openai-organization", "openai-project"),
    *("x-stainless-arch", "x-stainless-lang", "x-stainless-os", "x-stainless-package-version"),
    *("x-stainless-retry-count", "x-stainless-runtime", "x-stainless-runtime-version", "x-stainless-timeout"),
    *("x-stainless-helper-method", "x-stainless-poll-helper", "x-stainless-custom-poll-interval"),
    *("organization", "stability-client-id", "stability-client-user-id", "stability-client-version"),
    # the AWS SDK
    *("amz-sdk-invocation-id", "amz-sdk-request", "x-amz-user-agent"),
    *("x-amz-content-sha256", "x-amz-date", "x-amz-security-token"),
}
"""Headers that the clients of `docs/api.md` send from a page."""
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
    ("GET", "/user/balance", None, 200),
    ("POST", "/model/stability.stable-diffusion-xl-v1/invoke", TEA, 200),
    ("POST", "/model/stability.stable-diffusion-xl-v1/invoke-with-response-stream", TEA, 200),
    ("POST", "/model/none/invoke", TEA, 400),
    ("PATCH", "/models", None, 405),
    ("GET", "/nothing", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), ASKED)
def test_every_answer_names_its_request(method: str, path: str, body: object, status: int) -> None:
    """The request id leads to the request's log lines."""
    answer = send(create_app(world().services), event(method, path, body))
    assert answer.status == status
    assert answer.headers["x-request-id"] == "req-1"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("origins", "vary"),
    [([ORIGIN], "Origin"), (["https://other.example", ORIGIN], "Origin"), (["*"], "Origin"), ([], None)],
)
@pytest.mark.parametrize(("path", "more"), [("/models", None), ("/openapi.json", "Accept-Encoding")])
def test_an_answer_that_depends_on_the_origin_says_so(
    origins: list[str], vary: str | None, path: str, more: str | None
) -> None:
    """Otherwise a cache would give one page the reply for another, or the one for a request without an origin."""
    answer = send(create_app(world(cors_origins=origins).services), event("GET", path))
    expected = ", ".join(each for each in (vary, more) if each)
    assert answer.headers.get("vary", "") == expected


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
    assert set(allowed.split(",")) >= SENT


def test_answers_of_a_caller_are_not_kept_by_caches() -> None:
    """The replies may have presigned URLs."""
    app = create_app(world().services)
    for request in (
        event("POST", "/text-to-image", TEA),
        event("GET", "/generations"),
        event("GET", "/models"),
    ):
        assert send(app, request).headers["cache-control"] == "no-store"


def test_the_document_is_sent_again_only_if_it_changed() -> None:
    """A cache asks with the tag that it was given; the reply then has no body and keeps the cache's headers."""
    app = create_app(world().services)
    first = send(app, event("GET", "/openapi.json", key=None))
    tag = first.headers["etag"]
    assert first.status == 200
    assert tag.startswith('W/"')
    for method, sent in (("GET", tag), ("HEAD", tag), ("GET", tag.removeprefix("W/")), ("GET", "*")):
        again = send(app, event(method, "/openapi.json", key=None, headers={"If-None-Match": sent}))
        assert (again.status, again.body, "content-type" in again.headers) == (304, "", False)
        kept = ("etag", "cache-control", "vary")
        assert {name: again.headers[name] for name in kept} == {name: first.headers[name] for name in kept}


@pytest.mark.parametrize("sent", ['W/"another"', "", "W/", '"', "gen_1", '"*"'])
def test_another_version_of_the_document_is_sent_whole(sent: str) -> None:
    """So is it to a client whose header cannot be read."""
    request = event("GET", "/openapi.json", key=None, headers={"If-None-Match": sent})
    answer = send(create_app(world().services), request)
    assert answer.status == 200
    assert answer.json["openapi"].startswith("3.1")
