"""What an image costs, as each shape says it; what a caller used; and what is left."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from imagegen import errors
from imagegen.generations.charges import QuotaLimits
from imagegen.http.app import create_app
from tests.support.events import KEY, OTHER_KEY, authorized, event, send
from tests.support.fakes import CORE, SDXL, sdxl_answer
from tests.support.world import World, world

if TYPE_CHECKING:
    from tests.support.events import Answer

TEA = {"text_prompts": [{"text": "tea"}]}
SLOW = {**TEA, "steps": 51}
ENGINE = "/generation/stable-diffusion-xl-1024-v1-0/text-to-image"
INVOKE = f"/model/{SDXL}/invoke"


def ask(service: World, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    """Send one request."""
    return send(create_app(service.services), event(method, path, body, **more))


def usage(service: World, **more: Any) -> Any:
    """Return the caller's usage."""
    return ask(service, "GET", "/usage", **more).json


def test_our_own_reply_says_what_the_image_cost() -> None:
    """Also when it is looked up, and in the history with the page's totals."""
    service = world()
    made = ask(service, "POST", "/text-to-image", SLOW).json
    assert made["cost_usd"] == 0.08
    ask(service, "POST", "/text-to-image", TEA)
    assert ask(service, "GET", f"/generations/{made['id']}").json["cost_usd"] == 0.08
    page = ask(service, "GET", "/generations").json
    assert page["totals"] == {"images": 2, "cost_usd": 0.12}


@pytest.mark.parametrize(
    ("path", "body", "usd"),
    [
        ("/images/generations", {"prompt": "tea", "n": 3}, "0.12"),
        (ENGINE, SLOW, "0.08"),
        (INVOKE, TEA, "0.04"),
        (f"{INVOKE}-with-response-stream", TEA, "0.04"),
    ],
)
def test_other_shapes_say_it_in_a_header(path: str, body: dict[str, Any], usd: str) -> None:
    """Their bodies have no member for it."""
    assert ask(world(), "POST", path, body).headers["x-imagegen-cost-usd"] == usd


def test_a_filtered_image_costs_what_an_image_costs() -> None:
    """Bedrock's shape replies with 200, and says it in the header."""
    service = world(answers=[sdxl_answer(reason="CONTENT_FILTERED")])
    reply = ask(service, "POST", INVOKE, TEA)
    assert (reply.status, reply.headers["x-imagegen-cost-usd"]) == (200, "0.04")


def test_a_failed_generation_says_what_may_have_been_paid() -> None:
    """One that was certainly unbilled cost nothing."""
    service = world(answers=[errors.OutcomeUnknown("Closed."), errors.Misconfigured("No right.")])
    for _ in range(2):
        ask(service, "POST", "/text-to-image", {**TEA, "seed": len(service.runtime.calls) + 1})
    listed = ask(service, "GET", "/generations").json["generations"]
    assert sorted((one["error"]["charged"], one["cost_usd"]) for one in listed) == [
        ("maybe", 0.04),
        ("no", 0),
    ]


def test_the_usage_has_a_row_a_day_and_what_is_left() -> None:
    """Today first; another caller's images are not in it."""
    service = world(
        quota_limits=QuotaLimits(
            daily_images_per_caller=5,
            daily_micro_usd_per_caller=1_000_000,
            queued_jobs_per_caller=7,
            daily_images=9,
        )
    )
    ask(service, "POST", "/text-to-image", TEA)
    service.clock.time += timedelta(days=1)
    ask(service, "POST", "/text-to-image", SLOW)
    ask(service, "POST", "/text-to-image", TEA, key=OTHER_KEY)
    shown = usage(service, query={"days": "2"})
    assert shown["days"] == [
        {"date": "2026-11-26", "images": 1, "usd": 0.08},
        {"date": "2026-11-25", "images": 1, "usd": 0.04},
    ]
    assert shown["limits"] == {
        "daily_images_per_caller": 5,
        "daily_usd_per_caller": 1.0,
        "images_per_minute_per_caller": None,
        "queued_jobs_per_caller": 7,
        "daily_images": 9,
        "daily_usd": None,
    }
    assert shown["remaining"] == {"images": 4, "usd": 0.92}
    assert len(usage(service)["days"]) == 7


def test_every_limit_that_may_refuse_a_caller_is_shown() -> None:
    """Under the name of its setting, so that a caller can tell it to the operator."""
    refusing = {field.name.replace("micro_usd", "usd") for field in fields(QuotaLimits)}
    assert set(usage(world())["limits"]) == refusing


def test_the_usage_of_a_key_has_its_own_limits() -> None:
    """They take the place of the deployment's."""
    service = world(quota_limits=QuotaLimits(daily_images_per_caller=5))
    sent = event("GET", "/usage")
    sent["requestContext"]["authorizer"] = authorized(
        KEY, daily_images_per_caller=None, daily_usd_per_caller=0.5
    )
    shown = send(create_app(service.services), sent).json
    assert (shown["limits"]["daily_images_per_caller"], shown["remaining"]) == (
        None,
        {"images": None, "usd": 0.5},
    )


@pytest.mark.parametrize("days", ["0", "32", "-1", "x", "07"])
def test_other_numbers_of_days_are_refused_by_name(days: str) -> None:
    """The error says what is allowed."""
    reply = ask(world(), "GET", "/usage", query={"days": days})
    assert (reply.status, reply.json["errors"][0]["field"]) == (400, "days")
    assert "from 1 to 31" in reply.json["errors"][0]["message"]


def test_a_model_has_its_prices_by_steps() -> None:
    """SDXL has two, the others one."""
    listed = ask(world(), "GET", "/models").json["models"]
    assert {one["id"]: one["prices"] for one in listed} == {
        SDXL: [{"max_steps": 50, "usd": 0.04}, {"max_steps": 150, "usd": 0.08}],
        CORE: [{"max_steps": 150, "usd": 0.04}],
    }


@pytest.mark.parametrize("path", ["/text-to-image", "/images/generations", ENGINE, INVOKE])
def test_a_used_up_budget_is_told_on_every_route(path: str) -> None:
    """Nothing is charged, and no client may wait for it by itself."""
    service = world(quota_limits=QuotaLimits(daily_micro_usd_per_caller=50_000))
    body = {"prompt": "tea"} if path.startswith("/images") else TEA
    assert ask(service, "POST", path, body).status == 200
    refused = ask(service, "POST", path, {**body, "seed": 5})
    assert "has $0.01 left, and one more image may cost $0.04" in refused.body
    assert refused.headers["x-imagegen-charged"] == "no"
    assert refused.headers["x-should-retry"] == "false"
