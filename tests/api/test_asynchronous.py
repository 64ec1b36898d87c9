"""`Prefer: respond-async`: the reply comes at once, and the worker makes the image later."""

from __future__ import annotations

from typing import Any

import pytest

from imagegen import errors
from imagegen.http.app import create_app
from tests.support.events import Answer, event, send
from tests.support.receivers import LOOPBACK, NEIGHBOURS
from tests.support.world import World, world

TEA = {"text_prompts": [{"text": "Sri lanka tea plantation."}]}
KEY = {"Idempotency-Key": "order-2026-11-03-0001"}
HOOK = "https://example.com/hooks/imagegen"


def post(
    service: World, *, prefer: str | list[str] = "respond-async", body: Any = None, **headers: str
) -> Answer:
    """Ask for an image without waiting for it."""
    sent = {"Prefer": prefer, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return send(create_app(service.services), event("POST", "/text-to-image", body or TEA, headers=sent))


def test_a_queued_generation_is_accepted_with_where_to_look() -> None:
    """The reply is a 202 with three members; the message is the id, and no model is called."""
    service = world()
    answer = post(service)
    assert answer.status == 202
    assert set(answer.json) == {"id", "status", "created_at"}
    assert answer.json["status"] == "queued"
    assert answer.headers["location"] == f"/v1/generations/{answer.json['id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["preference-applied"] == "respond-async"
    assert service.queue.sent == [answer.json["id"]]
    assert service.runtime.calls == []


def test_the_worker_makes_what_was_accepted() -> None:
    """Afterwards the look-up shows the image."""
    service = world()
    id_ = post(service).json["id"]
    service.jobs.work(id_, service.deadline())
    answer = send(create_app(service.services), event("GET", f"/generations/{id_}"))
    assert (answer.status, answer.json["status"]) == (200, "succeeded")


def test_a_repeated_request_is_the_same_generation_in_every_state() -> None:
    """The reply is a 202 while the job waits, and a 200 afterwards; there is one message and one call."""
    service = world()
    first = post(service, **KEY)
    waiting = post(service, **KEY)
    service.jobs.work(first.json["id"], service.deadline())
    done = post(service, **KEY)
    assert [answer.status for answer in (first, waiting, done)] == [202, 202, 200]
    assert "idempotent-replayed" not in first.headers
    assert waiting.headers["idempotent-replayed"] == done.headers["idempotent-replayed"] == "true"
    assert waiting.headers["location"] == first.headers["location"]
    assert len(service.queue.sent) == 1
    assert len(service.runtime.calls) == 1


@pytest.mark.parametrize(
    ("prefer", "status"),
    [
        ("respond-async", 202),
        ("Respond-Async", 202),
        ("respond-async, wait=10", 202),
        (["wait=10", "respond-async"], 202),
        ("wait=10", 200),
        ("return=minimal", 200),
        ("", 200),
    ],
)
def test_other_preferences_are_passed_over(prefer: str | list[str], status: int) -> None:
    """RFC 7240 allows a server to ignore a preference."""
    answer = post(world(), prefer=prefer)
    assert answer.status == status
    assert ("preference-applied" in answer.headers) is (status == 202)


def test_a_lost_message_does_not_lose_the_generation() -> None:
    """The record is written, so the sweep sends the message later."""
    service = world()
    service.queue.failures = [errors.InternalError("The queue did not answer.")]
    answer = post(service)
    assert (answer.status, service.store.only().state) == (202, "queued")


def test_an_invalid_request_is_refused_at_once() -> None:
    """An invalid request is neither recorded nor queued."""
    service = world()
    answer = post(service, body={**TEA, "steps": 9})
    assert answer.status == 400
    assert (service.queue.sent, service.store.items) == ([], {})


def test_a_webhook_is_told_how_it_ended() -> None:
    """The receiver gets the outcome, if the deployment has webhooks."""
    service = world()
    id_ = post(service, body={**TEA, "webhook_url": HOOK}).json["id"]
    service.jobs.work(id_, service.deadline())
    service.jobs.call_back(id_)
    assert service.webhook.told == [(HOOK, "succeeded")]


@pytest.mark.parametrize("url", LOOPBACK)
def test_a_receiver_on_this_machine_is_told_where_the_deployment_allows_it(url: str) -> None:
    """A developer can try webhooks; any other deployment refuses the URL."""
    service = world(webhook_loopback=True)
    id_ = post(service, body={**TEA, "webhook_url": url}).json["id"]
    service.jobs.work(id_, service.deadline())
    service.jobs.call_back(id_)
    assert service.webhook.told == [(url, "succeeded")]
    refused = post(world(), body={**TEA, "webhook_url": url})
    assert (refused.status, refused.json["errors"][0]["field"]) == (400, "webhook_url")


@pytest.mark.parametrize("url", NEIGHBOURS)
def test_a_receiver_that_resembles_this_machine_is_refused(url: str) -> None:
    """Also where the deployment allows receivers on this machine; nothing is recorded."""
    service = world(webhook_loopback=True)
    answer = post(service, body={**TEA, "webhook_url": url})
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "webhook_url")
    assert service.store.items == {}


@pytest.mark.parametrize("webhooks", [True, False])
def test_a_receiver_on_this_machine_is_checked_like_any_other(*, webhooks: bool) -> None:
    """It needs webhooks and an asynchronous request, and the rest of the body still counts."""
    service = world(webhooks=webhooks, webhook_loopback=True)
    answers = [
        post(
            service,
            prefer="respond-async" if not webhooks else "wait=10",
            body={**TEA, "webhook_url": LOOPBACK[0]},
        ),
        post(service, body={**TEA, "webhook_url": LOOPBACK[0], "steps": 9}),
    ]
    fields = [answer.json["errors"][0]["field"] for answer in answers]
    assert ([answer.status for answer in answers], fields) == ([400, 400], ["webhook_url", "steps"])
    assert service.store.items == {}


@pytest.mark.parametrize(
    ("webhooks", "prefer", "words"),
    [(False, "respond-async", "is not enabled"), (True, "wait=10", "respond-async")],
)
def test_a_webhook_that_nobody_would_call_is_refused(*, webhooks: bool, prefer: str, words: str) -> None:
    """The error names the field, and nothing is recorded."""
    service = world(webhooks=webhooks)
    answer = post(service, prefer=prefer, body={**TEA, "webhook_url": HOOK})
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "webhook_url")
    assert words in answer.json["detail"]
    assert service.store.items == {}
