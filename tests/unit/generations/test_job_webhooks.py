"""Jobs send the call-backs to the webhook of a generation that has ended."""

from __future__ import annotations

import pytest

from imagegen import errors
from imagegen.generations import generation as generations
from imagegen.generations.jobs import RetryLater
from tests.support.use_case import DOWN, HOOKED, PAID, later, submit, work
from tests.support.world import world


def test_a_webhook_is_told_once_when_it_accepts() -> None:
    """The record says that the call-back was delivered, and is no longer due."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    work(service)
    assert service.webhook.told == [(HOOKED.webhook_url, "succeeded")]
    assert (service.store.only().webhook, service.store.only().due_at) == ("delivered", None)


def test_a_failure_is_told_to_the_webhook_too() -> None:
    """A receiver that waits for the generation learns that it has failed."""
    service = world(answers=[PAID[1]])
    submit(service, request=HOOKED, asynchronous=True)
    work(service)
    assert service.webhook.told == [(HOOKED.webhook_url, "failed")]


def test_a_webhook_that_does_not_accept_is_told_again_and_then_given_up() -> None:
    """A refused call-back does not make the image again."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    service.webhook.answers += ["again"] * 100
    for _ in range(generations.MAX_WEBHOOK_TRIES - 1):
        with pytest.raises(RetryLater):
            service.jobs.work(id_, service.deadline())
    service.jobs.work(id_, service.deadline())
    service.jobs.work(id_, service.deadline())
    assert len(service.webhook.told) == generations.MAX_WEBHOOK_TRIES
    assert (service.store.only().webhook, len(service.runtime.calls)) == ("failed", 1)


def test_a_webhook_that_must_not_be_called_is_not_tried_again() -> None:
    """A webhook at a private address, for example, gets one try."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    service.webhook.answers.append("refused")
    work(service)
    assert service.store.only().webhook == "failed"


def test_a_webhook_that_cannot_be_signed_counts_as_a_try() -> None:
    """The signing secret cannot be read; the try is counted, so that the tries end."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    service.webhook.failures += [errors.Misconfigured("No secret.")]
    with pytest.raises(RetryLater):
        service.jobs.work(id_, service.deadline())
    assert service.store.only().webhook_tries == 1


def test_a_webhook_whose_message_was_lost_is_told_by_way_of_the_sweeper() -> None:
    """The sweep settles a generation that has no message left, and sends one for its webhook."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    service.runtime.defect = SystemExit()
    with pytest.raises(SystemExit):
        work(service)
    later(service)
    service.jobs.sweep(limit=10)
    assert service.queue.sent == [id_]
    work(service)
    assert service.webhook.told == [(HOOKED.webhook_url, "failed")]


def test_a_success_that_is_not_recorded_is_not_told() -> None:
    """A receiver that asks after the call-back would still see a running generation."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 1000)
    work(service)
    assert service.webhook.told == []
