"""A reply has its own headers, those of an error's facts, and those that every reply has."""

from __future__ import annotations

from typing import Any

import pytest

from imagegen.errors import NotFound
from imagegen.http import reply
from imagegen.http.reply import Reply, error_headers
from tests.support.events import event, received


@pytest.mark.parametrize(
    ("facts", "headers"),
    [
        ({}, {}),
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
    assert error_headers(NotFound("No.", **facts)) == headers


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
    assert made.headers == {"X-Request-Id": "req-1", "Cache-Control": "no-store", **vary}
    assert (made.status_code, made.body, made.content_type) == (204, "", None)


def test_an_answers_own_headers_win() -> None:
    """A reply's own `Cache-Control` replaces the common one."""
    own = Reply(status=200, body=b"x", content_type="image/png", headers={"Cache-Control": "public"})
    made = reply.response(own, received(event("GET", "/models")), varies=False)
    assert made.headers["Cache-Control"] == "public"
    assert (made.body, made.content_type) == (b"x", "image/png")
