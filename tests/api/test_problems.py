"""Each error code, brought about through the app: its body and status, in the shape of each API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NoReturn

import pytest

from imagegen.errors import error_types
from imagegen.http.app import create_app
from tests.support.events import event, send
from tests.support.fakes import FakeClock
from tests.support.scenarios import CASES, ROUTES, SCENARIOS, TEA, kind_of, post
from tests.support.world import world

MEMBERS = {
    "type",
    "title",
    "status",
    "code",
    "detail",
    "request_id",
    "retryable",
    "charged",
    "message",
    "error",
}


def test_every_code_has_a_scenario() -> None:
    """Whoever adds an error code also adds a scenario for it."""
    assert set(SCENARIOS) == {kind.kind.code for kind in error_types()}


@pytest.mark.parametrize("code", SCENARIOS)
def test_each_code_is_one_complete_problem(code: str) -> None:
    """The problem has all members and the code's status, at most 4 KB, and no part of the prompt."""
    answer = SCENARIOS[code]("/text-to-image")
    kind, problem = kind_of(code), answer.json
    assert answer.status == kind.status == problem["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) - {"errors"} == MEMBERS
    assert problem["type"] == f"urn:imagegen:problem:{code}"
    assert (problem["code"], problem["title"], problem["retryable"]) == (code, kind.title, kind.retryable)
    assert problem["charged"] == kind.paid
    assert problem["request_id"] == answer.headers["x-request-id"] == "req-1"
    assert problem["message"] == problem["error"]["message"]
    assert problem["message"].startswith(problem["detail"])
    assert set(problem["error"]) == {"message", "type", "param", "code"}
    assert problem["error"]["code"] == code
    assert len(answer.body) <= 4096
    assert "plantation" not in answer.body


@pytest.mark.parametrize(("path", "route"), [("/text-to-image", "createGeneration"), ("/nowhere", "noRoute")])
def test_the_log_knows_the_code_of_a_problem_and_its_route(path: str, route: str) -> None:
    """The gateway's access log has only the status, which several codes share."""
    service = world()
    answer = send(create_app(service.services), event("POST", path, {"text_prompts": []}))
    assert service.observer.problems == [(answer.json["code"], route)]


@pytest.mark.parametrize(("path", "code"), [case for case in CASES if case[0] != "/text-to-image"])
def test_each_code_is_told_in_the_shape_of_the_api_that_was_called(path: str, code: str) -> None:
    """Status and headers are the same as on our own route."""
    answer = SCENARIOS[code](path)
    assert answer.status == kind_of(code).status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == "req-1"
    assert len(answer.body) <= 4096
    if path.startswith("/images"):
        assert set(answer.json) == {"error"}
        assert set(answer.json["error"]) == {"message", "type", "param", "code"}
        assert answer.json["error"]["code"] == code
    else:
        assert set(answer.json) == {"id", "name", "message"}
        assert answer.json["id"] == "req-1"
        assert answer.json["message"].endswith(f"[{code}]")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("code", ["rate_limited", "quota_exceeded", "model_throttled", "model_unavailable"])
def test_what_passes_by_itself_says_when(path: str, code: str) -> None:
    """The reply has `Retry-After`, in seconds."""
    assert int(SCENARIOS[code](path).headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ROUTES)
def test_another_method_is_told_which_there_are(path: str) -> None:
    """The reply has `Allow`."""
    assert SCENARIOS["method_not_allowed"](path).headers["allow"] == "POST"


def test_a_method_is_compared_with_every_method_of_its_path() -> None:
    """The path has two routes, and `Allow` names the methods of both."""
    answer = send(create_app(world().services), event("POST", "/generations/gen_" + "a" * 26))
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")


@pytest.mark.parametrize(("path", "code"), CASES)
def test_every_error_says_whether_to_repeat_the_request(path: str, code: str) -> None:
    """In every shape: true if the repeat is free and helps, and `Retry-After` is absent or at most a minute."""
    answer = SCENARIOS[code](path)
    soon = int(answer.headers.get("retry-after", "0")) <= 60
    assert answer.headers["x-should-retry"] == ("true" if kind_of(code).retryable and soon else "false")
    assert answer.headers["x-imagegen-charged"] == kind_of(code).paid
    # The day of the quota ends hours later.
    assert soon == (code != "quota_exceeded")


def test_the_fields_at_fault_are_told_to_the_clients_of_other_apis() -> None:
    """`message` and `error.message` have the fields of `errors`; `error.param` is the first one."""
    problem = post(world(), "/text-to-image", {**TEA, "steps": 1, "seed": -1}).json
    assert problem["detail"] == "2 parameters are not valid."
    assert [found["field"] for found in problem["errors"]] == ["seed", "steps"]
    assert "seed must be" in problem["message"]
    assert "steps must be" in problem["message"]
    assert problem["error"] == {
        "message": problem["message"],
        "type": "invalid_request_error",
        "param": "seed",
        "code": "invalid_parameter",
    }


@pytest.mark.parametrize("path", ["/", "/v2", "/text-to-images", "/generations/a/b", "/.well-known/x", "/v1"])
def test_a_path_that_does_not_exist_is_not_found(path: str) -> None:
    """The base path of a custom domain name in front makes no difference."""
    app = create_app(world().services)
    for asked in (path, f"/v1{path}"):
        answer = send(app, event("GET", asked))
        assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/images/edits", "/images/", "/generation/x", "/engines/none"])
def test_a_path_beside_anothers_route_is_not_found_in_its_shape(path: str) -> None:
    """Clients of that API understand the error, because it is in their shape."""
    answer = send(create_app(world().services), event("POST", path, {}))
    assert answer.status == 404
    assert set(answer.json) in ({"error"}, {"id", "name", "message"})


class BrokenClock(FakeClock):
    """A clock with a defect."""

    def now(self) -> NoReturn:
        """Raise an exception whose text nobody may see."""
        raise RuntimeError("secret of the prompt")


def test_a_defect_tells_nothing_about_itself() -> None:
    """Neither the caller nor the log learns the exception's text."""
    service = world()
    app = create_app(replace(service.services, clock=BrokenClock()))
    answer = send(app, event("GET", "/models"))
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert "secret" not in answer.body
    assert ("defect", "RuntimeError") in service.observer.events


def test_at_most_ten_fields_are_named() -> None:
    """The body stays small, however many fields are wrong."""
    members = {f"unknown_{number:02}_{'x' * 60}": 1 for number in range(40)}
    answer = post(world(), "/text-to-image", {**TEA, **members})
    assert len(answer.json["errors"]) == 10
    assert len(answer.body) <= 4096


def test_a_missing_key_is_told_before_anything_else() -> None:
    """A caller without an API key does not learn which requests are valid."""
    for path in ("/generations", "/generations/gen_" + "a" * 26, "/generations/x", "/generations/x/image"):
        answer = send(create_app(world().services), event("GET", path, key=None))
        assert (path, answer.status) == (path, 401)


def test_problem_bodies_are_json_of_ascii() -> None:
    """Names of fields that are not ASCII are escaped."""
    answer = post(world(), "/text-to-image", json.dumps({**TEA, "☕\u2028": 1}))
    assert answer.status == 400
    assert answer.body.isascii()
