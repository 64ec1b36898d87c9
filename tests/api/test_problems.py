"""Every error code, driven through the app: one body, one status, in the shape of the API that was called."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import pytest

from imagegen import errors
from imagegen.errors import ImagegenError, error_types
from imagegen.generations.model_caller import RETRY_AFTER
from imagegen.http.app import create_app
from tests.support.events import Answer, Context, event, send
from tests.support.fakes import CORE, SDXL, FakeClock, FakeDeadline, World, sdxl_answer, world

TEA = {"text_prompts": [{"text": "Sri lanka tea plantation."}]}
KEY_HEADER = {"Idempotency-Key": "0123456789abcdef"}
ROUTES = ("/text-to-image", "/images/generations", "/generation/stable-diffusion-xl-1024-v1-0/text-to-image")
MEMBERS = {"type", "title", "status", "code", "detail", "request_id", "retryable"}


@dataclass(frozen=True)
class CountingDown(Context):
    """A context whose time runs by a fake clock."""

    deadline: FakeDeadline | None = None

    def get_remaining_time_in_millis(self) -> int:
        """Return what the clock has left over."""
        return int(self.deadline.remaining() * 1000) if self.deadline else 0


def body_for(path: str, **members: Any) -> dict[str, Any]:
    """Return a valid body of a route, with these members."""
    valid = {"prompt": "Sri lanka tea plantation."} if path.startswith("/images") else TEA
    return {**valid, **members}


def post(service: World, path: str, body: Any = None, **more: Any) -> Answer:
    """Send one request to a route that makes images."""
    sent = body_for(path) if body is None else body
    context = CountingDown(deadline=service.deadline())
    return send(create_app(service.services), event("POST", path, sent, **more), context=context)


def model_fails(*answers: bytes | ImagegenError, **options: Any) -> Callable[[str], Answer]:
    """Return a scenario in which the model answers these."""
    return lambda path: post(world(answers=answers, **options), path)


def _in_progress(path: str) -> Answer:
    service = world()
    queued = {**KEY_HEADER, "Prefer": "respond-async"}
    send(
        create_app(service.services),
        event("POST", "/text-to-image", body_for("/text-to-image"), headers=queued),
    )
    return post(service, path, headers=KEY_HEADER)


def _gone(path: str) -> Answer:
    service = world()
    post(service, path, headers=KEY_HEADER)
    service.images.objects.clear()
    return post(service, path, headers=KEY_HEADER)


def _conflict(path: str) -> Answer:
    service = world()
    post(service, path, headers=KEY_HEADER)
    other = {"prompt": "x"} if path.startswith("/images") else {"text_prompts": [{"text": "x"}]}
    return post(service, path, other, headers=KEY_HEADER)


def _store_failed(path: str) -> Answer:
    service = world()
    service.images.failures = [errors.StoreFailed("The image was made and could not be stored.")] * 1000
    return post(service, path)


def _not_found(path: str) -> Answer:
    below = {"/text-to-image": "/generations/gen_" + "a" * 26, "/images/generations": "/images/edits"}
    unknown = below.get(path, "/generation/no-such-engine/text-to-image")
    return send(create_app(world().services), event("GET" if "gen_" in unknown else "POST", unknown, TEA))


def _defect(path: str) -> Answer:
    service = world()
    service.quotas.limit = "a defect"  # type: ignore[assignment]  # so that comparing it raises
    return post(service, path)


SCENARIOS: Mapping[str, Callable[[str], Answer]] = {
    "invalid_json": lambda path: post(world(), path, "{"),
    "unsupported_media_type": lambda path: post(world(), path, headers={"Content-Type": "text/plain"}),
    "payload_too_large": lambda path: post(world(), path, body_for(path, prompt="x" * 16_384)),
    "invalid_parameter": lambda path: post(
        world(), path, body_for(path, n=0) if "images" in path else {"text_prompts": []}
    ),
    "unknown_parameter": lambda path: post(world(), path, body_for(path, colour="red")),
    "unsupported_parameter": lambda path: post(
        world(models=[CORE]),
        path,
        # Stability's body and OpenAI's have no `strict`; what is too long for the model is refused all the same.
        {"text_prompts": [{"text": "x" * 2000}] * 7} if "images" not in path else None,
    ),
    "unknown_model": lambda path: post(world(), path, body_for(path, model="stability.none-v1:0")),
    "unauthorized": lambda path: post(world(), path, key=None),
    "forbidden": model_fails(errors.Forbidden("The firewall refused the request.")),
    "not_found": _not_found,
    "method_not_allowed": lambda path: send(create_app(world().services), event("PUT", path, TEA)),
    "gone": _gone,
    "idempotency_conflict": _conflict,
    "content_filtered": model_fails(sdxl_answer(reason="CONTENT_FILTERED")),
    "in_progress": _in_progress,
    "rate_limited": model_fails(errors.RateLimited("Too fast.", retry_after=RETRY_AFTER)),
    "quota_exceeded": lambda path: post(world(quota=0), path),
    "model_throttled": model_fails(errors.ModelThrottled("Busy.", retry_after=RETRY_AFTER)),
    "model_unavailable": model_fails(errors.ModelUnavailable("Not ready.", retry_after=RETRY_AFTER)),
    "model_retired": model_fails(errors.ModelRetired("Gone."), models=[SDXL]),
    "misconfigured": model_fails(errors.Misconfigured("No right.")),
    "outcome_unknown": model_fails(errors.OutcomeUnknown("No answer.")),
    "model_timeout": model_fails(errors.ModelTimeout("No answer in time.")),
    "bad_model_response": model_fails(b'{"result": "success", "artifacts": []}'),
    "store_failed": _store_failed,
    "internal_error": _defect,
}
ELSEWHERE = {
    ("unsupported_parameter", "/images/generations"): "one prompt of OpenAI's is within every model's limit",
    ("unknown_model", ROUTES[2]): "an engine that is not here is a path that is not",
    ("in_progress", "/images/generations"): "tests/api/test_openai_images.py has the race",
}
CASES = [(path, code) for path in ROUTES for code in SCENARIOS if (code, path) not in ELSEWHERE]


def kind_of(code: str) -> errors.ErrorKind:
    """Return what is true of a code everywhere."""
    return next(kind.kind for kind in error_types() if kind.kind.code == code)


def test_every_code_has_a_scenario() -> None:
    """A new code has to be driven here, too."""
    assert set(SCENARIOS) == {kind.kind.code for kind in error_types()}


@pytest.mark.parametrize("code", SCENARIOS)
def test_each_code_is_one_complete_problem(code: str) -> None:
    """All members, the code's own status, at most 4 KB, the request's id, and nothing of the prompt."""
    answer = SCENARIOS[code]("/text-to-image")
    kind, problem = kind_of(code), answer.json
    assert answer.status == kind.status == problem["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) - {"errors"} == MEMBERS
    assert problem["type"] == f"urn:imagegen:problem:{code}"
    assert (problem["code"], problem["title"], problem["retryable"]) == (code, kind.title, kind.retryable)
    assert problem["request_id"] == answer.headers["x-request-id"] == "req-1"
    assert len(answer.body) <= 4096
    assert "plantation" not in answer.body


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
        assert answer.headers["x-should-retry"] == ("true" if kind_of(code).retryable else "false")
    else:
        assert set(answer.json) == {"id", "name", "message"}
        assert answer.json["id"] == "req-1"
        assert answer.json["message"].endswith(f"[{code}]")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("code", ["rate_limited", "quota_exceeded", "model_throttled", "model_unavailable"])
def test_what_passes_by_itself_says_when(path: str, code: str) -> None:
    """`Retry-After`, in seconds."""
    assert int(SCENARIOS[code](path).headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ROUTES)
def test_another_method_is_told_which_there_are(path: str) -> None:
    """`Allow`."""
    assert SCENARIOS["method_not_allowed"](path).headers["allow"] == "POST"


def test_a_method_is_compared_with_every_method_of_its_path() -> None:
    """One path, two routes."""
    answer = send(create_app(world().services), event("POST", "/generations/gen_" + "a" * 26))
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET")


@pytest.mark.parametrize("path", ["/", "/v2", "/text-to-images", "/generations/a/b", "/.well-known/x", "/v1"])
def test_a_path_that_does_not_exist_is_not_found(path: str) -> None:
    """With or without the base path in front."""
    app = create_app(world().services)
    for asked in (path, f"/v1{path}"):
        answer = send(app, event("GET", asked))
        assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/images/edits", "/images/", "/generation/x", "/engines/none"])
def test_a_path_beside_anothers_route_is_not_found_in_its_shape(path: str) -> None:
    """What their clients try, they understand."""
    answer = send(create_app(world().services), event("POST", path, {}))
    assert answer.status == 404
    assert set(answer.json) in ({"error"}, {"id", "name", "message"})


class BrokenClock(FakeClock):
    """A defect of ours."""

    def now(self) -> NoReturn:
        """Fail with a text that nobody may see."""
        raise RuntimeError("secret of the prompt")


def test_a_defect_tells_nothing_about_itself() -> None:
    """Neither the client nor the log learns an exception's text."""
    service = world()
    app = create_app(replace(service.services, clock=BrokenClock()))
    answer = send(app, event("GET", "/models"))
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert "secret" not in answer.body
    assert ("defect", "RuntimeError") in service.observer.events


def test_at_most_ten_fields_are_named() -> None:
    """However many are wrong, the body stays small."""
    members = {f"unknown_{number:02}_{'x' * 60}": 1 for number in range(40)}
    answer = post(world(), "/text-to-image", {**TEA, **members})
    assert len(answer.json["errors"]) == 10
    assert len(answer.body) <= 4096


def test_a_missing_key_is_told_before_anything_else() -> None:
    """Who may not ask learns nothing of what is valid."""
    for path in ("/generations", "/generations/gen_" + "a" * 26, "/generations/x", "/generations/x/image"):
        answer = send(create_app(world().services), event("GET", path, key=None))
        assert (path, answer.status) == (path, 401)


def test_problem_bodies_are_json_of_ascii() -> None:
    """Whatever a caller calls its fields."""
    answer = post(world(), "/text-to-image", json.dumps({**TEA, "☕\u2028": 1}))
    assert answer.status == 400
    assert answer.body.isascii()
