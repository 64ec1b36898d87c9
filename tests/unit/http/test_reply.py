"""A reply has its own headers, those of an error's facts, and those that every reply has."""

from __future__ import annotations

from typing import Any

import pytest

from imagegen.errors import ImagegenError, NotFound, error_types
from imagegen.http import reply
from imagegen.http.reply import Reply, error_headers
from tests.support.events import event, received


@pytest.mark.parametrize(
    ("facts", "headers"),
    [
        ({}, {}),  # every error also says whether to repeat the request
        ({"retry_after": 0}, {"Retry-After": "0"}),
        ({"generation_id": "gen_x"}, {"Location": "/v1/generations/gen_x"}),
        ({"replayed": True}, {"Idempotent-Replayed": "true"}),
        ({"allow": ("DELETE", "GET")}, {"Allow": "DELETE, GET"}),
        (
            {"retry_after": 5, "generation_id": "gen_x", "replayed": True},
            {"Retry-After": "5", "Location": "/v1/generations/gen_x", "Idempotent-Replayed": "true"},
        ),
    ],
)
def test_each_fact_of_an_error_is_one_header(facts: dict[str, Any], headers: dict[str, str]) -> None:
    """Each fact becomes one header; the error itself knows no headers."""
    assert error_headers(NotFound("No.", **facts)) == {
        "X-Should-Retry": "false",
        "X-Imagegen-Charged": "no",
        **headers,
    }


@pytest.mark.parametrize("kind", error_types(), ids=[kind.kind.code for kind in error_types()])
@pytest.mark.parametrize(
    ("seconds", "soon"), [(None, True), (0, True), (60, True), (61, False), (86_400, False)]
)
def test_a_client_repeats_only_what_is_free_and_helps_and_is_soon(
    kind: type[ImagegenError], seconds: int | None, *, soon: bool
) -> None:
    """A client that obeys `Retry-After` must not sleep for hours; nothing that may be paid is repeated."""
    helps = soon and kind.kind.retryable and kind.kind.paid == "no"
    headers = error_headers(kind("No.", retry_after=seconds))
    assert headers["X-Should-Retry"] == ("true" if helps else "false")


def test_a_head_is_answered_without_a_body() -> None:
    """Status and headers are those of the reply to GET."""
    sent = Reply(status=200, body="x", content_type="application/json", headers={"Seed": "1"})
    get, head = (
        reply.response(sent, received(event(method, "/models")), varies=False) for method in ("GET", "HEAD")
    )
    assert (get.body, head.body) == ("x", "")
    assert (head.status_code, head.headers, head.content_type) == (200, get.headers, get.content_type)


def test_an_answer_is_compact_json() -> None:
    """A JSON reply has no spaces, and has the content type that the caller of `json_reply` names."""
    made = reply.json_reply(200, {"a": [1, None]}, content_type="application/x+json", headers={"Seed": "1"})
    assert made == Reply(
        status=200, body='{"a":[1,null]}', content_type="application/x+json", headers={"Seed": "1"}
    )


@pytest.mark.parametrize("varies", [True, False])
def test_every_answer_has_its_request_and_is_not_kept(*, varies: bool) -> None:
    """Every reply has its request id and forbids caching; it has `Vary` only if the origin matters."""
    made = reply.response(Reply(status=204), received(event("GET", "/models")), varies=varies)
    vary = {"Vary": "Origin"} if varies else {}
    assert made.headers == {
        "X-Request-Id": "req-1",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **vary,
    }
    assert (made.status_code, made.body, made.content_type) == (204, "", None)


def test_an_answers_own_headers_win() -> None:
    """A reply's own `Cache-Control` replaces the common one."""
    own = Reply(status=200, body=b"x", content_type="image/png", headers={"Cache-Control": "public"})
    made = reply.response(own, received(event("GET", "/models")), varies=False)
    assert made.headers["Cache-Control"] == "public"
    assert (made.body, made.content_type) == (b"x", "image/png")
