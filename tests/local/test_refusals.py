"""What an account would meet, replayed through the deployed service: code, log line, metric, and what others get."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

import pytest

from imagegen.adapters.bedrock.refusal_texts import REFUSALS
from local.bedrock.refusals import ACCOUNT
from tests.support.depth import at_depth
from tests.support.quoting import asking
from tests.support.stack_callers import awaited, logged
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack, StandIn

CODES: Final = {one.reason: one.error.kind for one in REFUSALS}
PASSING: Final = {"too_many_connections", "daily_quota", "unknown_identifier"}
"""Those that pass, and the one that the functions would remember for other tests."""


def told(stack: Stack, reason: str, vendor_request: str = "") -> list[dict[str, Any]]:
    """Return the log lines about refusals for one reason."""
    lines = [json.loads(line) for line in logged(stack) if '"vendor_request"' in line]
    return [line for line in lines if line["reason"] == reason and vendor_request in line["vendor_request"]]


@pytest.mark.parametrize("reason", sorted(set(ACCOUNT) - PASSING))
def test_a_refusal_of_the_account_is_told_as_what_it_is(
    api: httpx.Client, stack: Stack, stand_in: StandIn, reason: str
) -> None:
    """The caller is not blamed, nothing is paid, and the log has the reason and the vendor's id of the request."""
    prompt = f"refused{secrets.token_hex(8)}"
    seen = len(told(stack, reason))
    stand_in.set_rules({"prompt": prompt, "action": {"type": "account", "reason": reason}})
    answer = api.post("/text-to-image", json=asking(prompt))
    kind = CODES[reason]
    assert (answer.status_code, answer.json()["code"], answer.json()["charged"]) == (
        kind.status,
        kind.code,
        "no",
    )
    assert stand_in.calls(prompt=prompt)["billed"] == 0
    (line, *_) = awaited(lambda: told(stack, reason)[seen:], f"a log line about {reason}")
    assert line["code"] == kind.code
    assert len(line["vendor_request"]) == len("00000000-0000-0000-0000-000000000000")
    assert prompt not in json.dumps(line)
    metrics = [json.loads(one) for one in logged(stack) if '"ModelRefusals"' in one]
    assert reason in {one["reason"] for one in metrics}


def test_a_busy_account_is_asked_again_and_the_image_is_made(
    api: httpx.Client, stack: Stack, stand_in: StandIn
) -> None:
    """Bedrock answered explicitly, so the first call was not paid. The log has the reason all the same."""
    prompt = f"busy{secrets.token_hex(8)}"
    seen = len(told(stack, "throttled"))
    busy = {"type": "account", "reason": "too_many_connections"}
    stand_in.set_rules({"prompt": prompt, "times": 1, "action": busy})
    assert api.post("/text-to-image", json=asking(prompt)).status_code == 200
    assert stand_in.calls(prompt=prompt)["billed"] == 1
    (line, *_) = awaited(lambda: told(stack, "throttled")[seen:], "a log line about a busy account")
    assert line["code"] == "model_throttled"


def test_a_quota_of_the_day_is_not_asked_again_and_says_when(api: httpx.Client, stand_in: StandIn) -> None:
    """No client sleeps for an hour: it is told not to repeat the request by itself."""
    prompt = f"used up{secrets.token_hex(8)}"
    stand_in.set_rules({"prompt": prompt, "action": {"type": "account", "reason": "daily_quota"}})
    answer = api.post("/text-to-image", json=asking(prompt))
    assert (answer.status_code, answer.json()["code"]) == (503, "model_throttled")
    assert (answer.headers["Retry-After"], answer.headers["X-Should-Retry"]) == ("3600", "false")
    assert stand_in.calls(prompt=prompt)["calls"] == 1


REPORTED: Final[dict[str, list[dict[str, str]]]] = json.loads(
    (CHECKOUT / "tests/data/refusals.json").read_text(encoding="utf-8")
)
STATUSES: Final = {
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
}
MODELLED: Final = (*STATUSES, "ValidationException")
REMEMBERED: Final = {"end_of_life", "legacy", "unknown_identifier"}
"""The functions would remember these for other tests: the tests of the model caller have them."""


def as_reported(name: str, message: str) -> dict[str, Any]:
    """Return the stand-in's action for a refusal; those of AWS's front end are not the model's."""
    if name in MODELLED:
        return {"type": "error", "name": name, "message": message, "status": STATUSES.get(name, 400)}
    return {"type": "status", "status": 403, "body": json.dumps({"__type": name, "message": message})}


@pytest.mark.parametrize(
    "reason", at_depth(thorough=sorted(set(REPORTED) - REMEMBERED), usual=("content_filter",))
)
def test_every_reported_wording_is_told_in_the_same_way(
    api: httpx.Client, stack: Stack, stand_in: StandIn, reason: str
) -> None:
    """Each text that an account has met goes through the deployed service."""
    kind = CODES[reason]
    for reported in REPORTED[reason]:
        seen, name = len(told(stack, reason)), reported["exception"]
        prompt = f"worded{secrets.token_hex(8)}"
        refused = as_reported(name, reported["message"])
        times = {"times": 1} if reason == "throttled" else {}
        stand_in.set_rules({"prompt": prompt, "action": refused, **times})
        answer = api.post("/text-to-image", json=asking(prompt))
        passed = (200, None) if times else (kind.status, kind.code)
        assert (answer.status_code, answer.json().get("code")) == passed, reported
        awaited(lambda seen=seen: told(stack, reason)[seen:], f"a log line about {reported}")  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        "The provided model identifier is invalid.",
        "This model version has reached the end of its life.",
        "Could not resolve the foundation model from the provided model identifier",
    ],
)
def test_a_prompt_that_quotes_a_refusal_changes_nothing_for_others(
    api: httpx.Client, stand_in: StandIn, text: str
) -> None:
    """Bedrock quotes the prompt in its validation error; only this caller's request fails."""
    prompt = f"{text} {secrets.token_hex(8)}"
    quoted = f"Malformed input request: '{prompt}', please reformat your input and try again."
    stand_in.set_rules(
        {"prompt": prompt, "action": {"type": "error", "name": "ValidationException", "message": quoted}}
    )
    attack = api.post("/text-to-image", json=asking(prompt))
    assert (attack.status_code, attack.json()["code"]) == (400, "invalid_parameter")
    for _ in range(3):
        other = api.post("/text-to-image", json=asking(f"tea {secrets.token_hex(8)}"))
        assert other.status_code == 200
