"""Jobs send the call-backs to the webhook of a generation that has ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from imagegen import errors
from imagegen.generations import generation as generations
from imagegen.generations.generation import Generation
from imagegen.generations.jobs import RetryLater
from imagegen.generations.ports import Delivery
from tests.support.fakes import SDXL, FakeClock
from tests.support.use_case import (
    DOWN,
    HOOKED,
    OTHER,
    OWNER,
    PAID,
    call_back,
    code,
    later,
    submit,
    work,
)
from tests.support.world import World, world


def refuse_every_try(service: World, id_: str) -> None:
    """Let the receiver refuse a call-back until it is given up."""
    service.webhook.answers += ["again"] * 100
    for _ in range(generations.MAX_WEBHOOK_TRIES - 1):
        with pytest.raises(RetryLater):
            service.jobs.call_back(id_)
    service.jobs.call_back(id_)


def test_a_webhook_is_told_once_when_it_accepts() -> None:
    """The record says that the call-back was delivered, and is no longer due."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    work(service)
    call_back(service)
    assert service.webhook.told == [(HOOKED.webhook_url, "succeeded")]
    assert (service.store.only().webhook, service.store.only().due_at) == ("delivered", None)


def test_a_failure_is_told_to_the_webhook_too() -> None:
    """A receiver that waits for the generation learns that it has failed."""
    service = world(answers=[PAID[1]])
    submit(service, request=HOOKED, asynchronous=True)
    work(service)
    call_back(service)
    assert service.webhook.told == [(HOOKED.webhook_url, "failed")]


def test_a_webhook_that_does_not_accept_is_told_again_and_then_given_up() -> None:
    """A refused call-back does not make the image again."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    work(service)
    refuse_every_try(service, id_)
    service.jobs.call_back(id_)
    assert len(service.webhook.told) == generations.MAX_WEBHOOK_TRIES
    assert (service.store.only().webhook, len(service.runtime.calls)) == ("failed", 1)


@pytest.mark.parametrize(
    "error", [errors.Misconfigured("No right."), errors.InvalidParameter("Refused.")], ids=code
)
def test_a_failure_that_cost_nothing_is_told_once(error: errors.ImagegenError) -> None:
    """Such failures are free, so a caller could have any number of them told again and again."""
    service = world(models=[SDXL], answers=[error])
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    work(service)
    service.webhook.answers += ["again"] * 2
    service.jobs.call_back(id_)
    service.jobs.call_back(id_)
    assert service.webhook.told == [(HOOKED.webhook_url, "failed")]
    assert (service.store.only().webhook, service.store.only().due_at) == ("failed", None)


@pytest.mark.parametrize("error", PAID, ids=code)
def test_a_failure_that_may_have_been_paid_is_told_as_often_as_an_image(error: errors.ImagegenError) -> None:
    """Its caller lost money, and has to learn of it."""
    service = world(answers=[error])
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    work(service)
    refuse_every_try(service, id_)
    assert len(service.webhook.told) == generations.MAX_WEBHOOK_TRIES


def test_a_webhook_that_must_not_be_called_is_not_tried_again() -> None:
    """A webhook at a private address, for example, gets one try."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    service.webhook.answers.append("refused")
    work(service)
    call_back(service)
    assert service.store.only().webhook == "failed"


@pytest.mark.parametrize(
    "answers", [[], [errors.InvalidParameter("Refused.")]], ids=["image", "free failure"]
)
def test_a_call_back_that_cannot_be_signed_is_our_fault_and_not_a_try(
    answers: list[errors.ImagegenError],
) -> None:
    """The secret cannot be read for a long time; afterwards the receiver is called as if nothing had been."""
    service = world(models=[SDXL], answers=[*answers])
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    work(service)
    often = generations.MAX_WEBHOOK_TRIES + 1
    service.webhook.failures += [errors.Misconfigured("No secret.")] * often
    for _ in range(often):
        with pytest.raises(RetryLater):
            service.jobs.call_back(id_)
    waiting = service.store.only()
    assert (waiting.webhook, waiting.webhook_tries) == ("pending", 0)
    assert service.observer.events.count(("fault", "misconfigured")) == often
    service.jobs.call_back(id_)
    assert (service.store.only().webhook, len(service.webhook.told)) == ("delivered", 1)


def test_a_call_back_that_could_not_be_signed_and_lost_its_message_is_swept() -> None:
    """It is due again a while after its message should have come back."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    work(service)
    service.call_backs.sent.clear()
    service.webhook.failures += [errors.Misconfigured("No secret.")]
    with pytest.raises(RetryLater):
        service.jobs.call_back(id_)
    later(service, 130)
    service.jobs.sweep(limit=10)
    assert service.call_backs.sent == []
    later(service, 900)
    service.jobs.sweep(limit=10)
    assert service.call_backs.sent == [id_]


def test_a_webhook_whose_message_was_lost_is_told_by_way_of_the_sweeper() -> None:
    """The sweep settles a generation that has no message left, and sends one for its webhook."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    service.runtime.defect = SystemExit()
    with pytest.raises(SystemExit):
        work(service)
    later(service)
    service.jobs.sweep(limit=10)
    assert (service.queue.sent, service.call_backs.sent) == ([], [id_])
    call_back(service)
    assert service.webhook.told == [(HOOKED.webhook_url, "failed")]


def test_a_success_that_is_not_recorded_is_not_told() -> None:
    """A receiver that asks after the call-back would still see a running generation."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 1000)
    work(service)
    assert (service.call_backs.sent, service.webhook.told) == ([], [])


def test_a_worker_that_makes_images_calls_no_receiver() -> None:
    """Otherwise a receiver that is slow would hold it; it sends a message to the queue of call-backs instead."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    work(service)
    assert (service.call_backs.sent, service.webhook.told) == ([id_], [])
    # A duplicate of the job's message, or one that was sent by the release before, does the same.
    service.jobs.work(id_, service.deadline())
    assert (service.call_backs.sent, service.webhook.told) == ([id_, id_], [])


def test_a_call_back_whose_message_was_not_sent_is_swept() -> None:
    """The job is done, so its own message is acknowledged; the record still knows of the call-back."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    service.call_backs.failures.append(DOWN)
    work(service)
    later(service, 121)
    service.jobs.sweep(limit=10)
    assert service.call_backs.sent == [id_]


def test_a_message_of_a_call_back_never_starts_a_job() -> None:
    """The key was used again since; the new job has a message of its own, in the other queue."""
    service = world(answers=[errors.Misconfigured("No.")])
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    work(service)
    submit(service, request=HOOKED, asynchronous=True)
    service.jobs.call_back(id_)
    service.jobs.call_back("gen_" + "a" * 26)
    assert (service.store.only().state, service.webhook.told) == ("queued", [])


@dataclass
class Slow:
    """A receiver that holds whoever calls it, and accepts nothing unless it is told to."""

    clock: FakeClock
    answer: Delivery = "again"
    told: list[str] = field(default_factory=list)

    def deliver(self, url: str, *, generation: Generation) -> Delivery:  # noqa: ARG002 - the port's shape
        """Take five seconds."""
        self.clock.sleep(5)
        self.told.append(generation.id)
        return self.answer


def waiting(service: World, count: int, *, owner: str = OWNER) -> list[str]:
    """Return the ids of so many generations of an owner that have ended, with call-backs that are due."""
    for number in range(count):
        submit(
            service, key=f"key-of-sixteen-{owner}-{number}", request=HOOKED, asynchronous=True, owner=owner
        )
        work(service)
    ids = [*service.call_backs.sent]
    service.call_backs.sent.clear()
    return ids


def stored(service: World, id_: str) -> Generation:
    """Return a record as it is stored."""
    found = service.ledger.get(id_)
    assert found is not None
    return found


def test_a_call_back_waits_while_the_receivers_of_its_owner_rest() -> None:
    """It holds no worker, and no try of it is used up; other owners' call-backs go on."""
    service = world()
    first, second = waiting(service, 2)
    (others,) = waiting(service, 1, owner=OTHER)
    receiver = Slow(service.clock)
    jobs = replace(service.jobs, webhook=receiver)
    with pytest.raises(RetryLater):
        jobs.call_back(first)
    before = service.clock.now()
    with pytest.raises(RetryLater) as later_on:
        jobs.call_back(second)
    assert (receiver.told, service.clock.now()) == ([first], before)
    assert (stored(service, second).webhook, stored(service, second).webhook_tries) == ("pending", 0)
    assert later_on.value.pause == generations.RESEND_AFTER.total_seconds()
    with pytest.raises(RetryLater):
        jobs.call_back(others)
    assert receiver.told == [first, others]


def test_a_call_back_that_waits_for_its_turn_is_swept_only_if_its_message_is_lost() -> None:
    """The sweep would otherwise send a second message for each that is postponed."""
    service = world()
    first, second = waiting(service, 2)
    jobs = replace(service.jobs, webhook=Slow(service.clock))
    for id_ in (first, second):
        with pytest.raises(RetryLater):
            jobs.call_back(id_)
    pause, returns = generations.RESEND_AFTER, generations.RETURNS_WITHIN
    later(service, (pause + returns).total_seconds() - 10)
    jobs.sweep(limit=10)
    assert second not in service.call_backs.sent
    later(service, 20)
    jobs.sweep(limit=10)
    assert second in service.call_backs.sent


def test_an_image_is_told_of_however_long_its_call_back_waits_for_a_turn() -> None:
    """Each time it waits for as long as it has waited already; when its owner has rested, it is called."""
    service = world()
    first, second = waiting(service, 2)
    receiver = Slow(service.clock)
    jobs = replace(service.jobs, webhook=receiver)
    with pytest.raises(RetryLater):
        jobs.call_back(first)
    pauses = []
    # Somebody else's work of the same owner keeps its receivers resting.
    for _ in range(7):
        jobs.turns.took(
            OWNER, since=service.clock.now() - timedelta(hours=2), now=service.clock.now(), accepted=False
        )
        with pytest.raises(RetryLater) as later_on:
            jobs.call_back(second)
        pauses.append(later_on.value.pause)
        later(service, later_on.value.pause)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (120, 3600)
    receiver.answer = "delivered"
    later(service, 10_000_000)
    jobs.call_back(second)
    assert (receiver.told, stored(service, second).webhook) == ([first, second], "delivered")


def test_a_free_failure_waits_for_its_turn_only_for_a_while() -> None:
    """Any number of them may be asked for, so those that wait must not become ever more."""
    service = world(models=[SDXL], answers=[errors.InvalidParameter("Refused.")] * 2)
    first, second = waiting(service, 2)
    receiver = Slow(service.clock)
    jobs = replace(service.jobs, webhook=receiver)
    jobs.call_back(first)
    with pytest.raises(RetryLater):
        jobs.call_back(second)
    later(service, generations.FREE_WEBHOOK_WAIT.total_seconds())
    jobs.turns.took(
        OWNER, since=service.clock.now() - timedelta(seconds=5), now=service.clock.now(), accepted=False
    )
    jobs.call_back(second)
    assert (receiver.told, stored(service, second).webhook) == ([first], "failed")
    assert stored(service, second).due_at is None


def test_a_free_failure_is_told_when_its_owner_has_rested() -> None:
    """Waiting for its turn is no try."""
    service = world(models=[SDXL], answers=[errors.InvalidParameter("Refused.")] * 2)
    first, second = waiting(service, 2)
    receiver = Slow(service.clock, answer="delivered")
    jobs = replace(service.jobs, webhook=receiver)
    jobs.call_back(first)
    with pytest.raises(RetryLater):
        jobs.call_back(second)
    later(service, 240)
    jobs.call_back(second)
    assert (receiver.told, stored(service, second).webhook) == ([first, second], "delivered")
