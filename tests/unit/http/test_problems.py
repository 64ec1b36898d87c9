"""The body of a reply to a failed request fits 4 KB, and has the members of every shape without a clash."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagegen.errors import FieldError, ImagegenError, InvalidParameter, error_types
from imagegen.http import problems, serialize
from imagegen.http.compat import openai, stability

KINDS = [pytest.param(kind, id=kind.kind.code) for kind in error_types()]
EVERY_BODY: list[Any] = [problems.problem_reply, problems.gateway_reply]


@pytest.mark.parametrize("kind", KINDS)
def test_the_gateways_body_has_the_members_of_every_shape(kind: type[ImagegenError]) -> None:
    """The gateway does not know the path's shape; no shape's member hides another's."""
    error = kind("One sentence.", errors=(FieldError(field="width", message="must be 1024"),))
    body = problems.gateway_reply(error, request_id="req-1")
    ours = serialize.problem(error, request_id="req-1")
    theirs = stability.problem(error, request_id="req-1")
    assert {name: body[name] for name in ours} == dict(ours)  # type: ignore[literal-required]  # names of `ours`
    assert body["error"] == openai.problem(error)["error"]
    assert (body["id"], body["name"]) == (theirs["id"], theirs["name"])
    assert theirs["message"] == f"{body['message']} [{kind.kind.code}]"
    assert set(body) == {*ours, "message", "error", "id", "name"}


@pytest.mark.parametrize("make", EVERY_BODY)
@pytest.mark.parametrize("letter", ["x", "\u2615", '"', "\U0001f375"])
def test_a_body_has_at_most_4_kb_whatever_it_says(make: Any, letter: str) -> None:
    """Of ten long fields the last ones give way, and the sentences are cut."""
    found = [FieldError(field=letter * 100, message=letter * 1_000) for _ in range(20)]
    body = make(InvalidParameter(letter * 1_000, errors=found), request_id="r" * 36)
    assert len(json.dumps(body)) <= 4_096
    assert body["message"] == body["error"]["message"]


def test_ten_ordinary_fields_are_all_named() -> None:
    """The limit costs no field of an ordinary refusal."""
    found = [
        FieldError(field=f"text_prompts[{n}].weight", message="must be a finite number") for n in range(10)
    ]
    body = problems.gateway_reply(
        InvalidParameter("10 parameters are not valid.", errors=found), request_id="r"
    )
    assert len(body["errors"]) == 10


@pytest.mark.parametrize(("limit", "cut"), [(0, ""), (5, "a"), (6, "a"), (7, "a\u2615"), (99, "a\u2615b")])
def test_a_text_is_cut_by_its_bytes_in_json(limit: int, cut: str) -> None:
    """JSON in ASCII takes six bytes for a character of the basic plane."""
    assert problems.shortened("a\u2615b", limit) == cut
