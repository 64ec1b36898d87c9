"""Jobs: work on a message, bury a message that was given up, and sweep what is due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations import generation as generations
from imagegen.generations.jobs import RetryLater
from tests.support.fakes import sdxl_answer
from tests.support.interrupted_store import interrupted
from tests.support.use_case import (
    DOWN,
    HOOKED,
    OTHER,
    OWNER,
    PAID,
    UNBILLED,
    call_back,
    code,
    counted,
    cut_off,
    later,
    store_late,
    submit,
    work,
)
from tests.support.world import world

# -- working on a job -------------------------------------------------------------------------------------------------


def test_the_kill_switch_holds_for_jobs_that_are_queued_already() -> None:
    """Queued jobs wait until the kill switch is off again, and cost nothing meanwhile."""
    service = world()
    submit(service, asynchronous=True)
    service.quotas.switched_off = True
    with pytest.raises(RetryLater):
        work(service)
    assert (service.store.only().state, service.runtime.calls) == ("queued", [])
    service.quotas.switched_off = False
    service.jobs.work(service.store.only().id, service.deadline())
    assert service.store.only().state == "succeeded"


def test_of_two_workers_that_race_for_a_job_one_calls_the_model() -> None:
    """The message of the other worker comes back."""
    service = world()
    id_ = submit(service, asynchronous=True).generation.id
    slow = interrupted(service, after_get=lambda: work(service))
    with pytest.raises(RetryLater):
        slow.jobs.work(id_, service.deadline())
    assert (service.store.only().state, len(service.runtime.calls)) == ("succeeded", 1)


def test_a_message_for_a_live_attempt_comes_back() -> None:
    """If the attempt dies, the message that comes back settles the record."""
    service = world()
    running = cut_off(service, asynchronous=True)
    with pytest.raises(RetryLater):
        service.jobs.work(running.id, service.deadline())


@pytest.mark.parametrize("error", UNBILLED[:2], ids=code)
def test_a_job_that_only_has_to_wait_goes_back_to_the_queue(error: ImagegenError) -> None:
    """The job does not fail, nothing is paid, and its quota unit stays counted."""
    service = world(answers=[error])
    submit(service, asynchronous=True)
    with pytest.raises(RetryLater):
        service.jobs.work(service.queue.sent[0], service.deadline())
    waiting = service.store.only()
    assert (waiting.state, waiting.paid_attempts, counted(service)) == ("queued", 0, 1)
    service.runtime.answers[:] = [sdxl_answer()]
    work(service)
    assert service.store.only().state == "succeeded"


def test_a_job_asks_every_model_whatever_an_earlier_request_was_told() -> None:
    """What one request made the process believe ends no other caller's job."""
    service = world(answers=[*[errors.ModelRetired("Gone.")] * 2, sdxl_answer()])
    submit(service, asynchronous=True)
    with pytest.raises(errors.ModelRetired):
        submit(service, owner=OTHER)
    id_ = service.queue.sent[0]
    service.jobs.work(id_, service.deadline())
    assert getattr(service.ledger.get(id_), "state", None) == "succeeded"


@pytest.mark.parametrize("error", [*UNBILLED[2:], *PAID], ids=code)
def test_a_job_that_no_waiting_helps_ends_and_is_acknowledged(error: ImagegenError) -> None:
    """The record has the error; an unbilled error gives the quota unit back."""
    service = world(answers=[error])
    submit(service, asynchronous=True)
    work(service)
    failure = service.store.only().failure
    assert failure is not None
    assert failure.code == error.kind.code
    assert counted(service) == (0 if error.kind.paid == "no" else 1)


def test_a_message_of_a_generation_that_is_not_there_is_acknowledged() -> None:
    """The record has expired, or the id was never one of ours."""
    service = world()
    service.jobs.work("gen_" + "a" * 26, service.deadline())
    assert (list(service.store.all()), service.runtime.calls, service.queue.sent) == ([], [], [])


def test_a_stale_message_starts_a_key_that_was_used_again_only_once() -> None:
    """The old and the new message name the same job, so only one attempt is made."""
    service = world(answers=[errors.Misconfigured("No."), sdxl_answer()])
    submit(service, asynchronous=True)
    work(service)
    made = submit(service, asynchronous=True)
    assert not made.replayed
    work(service)
    service.jobs.work(made.generation.id, service.deadline())
    assert (len(service.runtime.calls), counted(service)) == (2, 1)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_attempts_that_are_cut_off_are_paid_up_to_the_limit_and_no_further(limit: int) -> None:
    """Each attempt gets one grant; after the last one, the outcome is unknown."""
    service = world(max_paid_attempts=limit)
    service.runtime.defect = SystemExit()
    id_ = submit(service, asynchronous=True).generation.id
    for _ in range(limit):
        with pytest.raises(SystemExit):
            service.jobs.work(id_, service.deadline())
        later(service)
    service.jobs.work(id_, service.deadline())
    failure = service.store.only().failure
    assert failure is not None
    assert (failure.code, len(service.runtime.calls), counted(service)) == ("outcome_unknown", limit, 1)


@pytest.mark.parametrize("error", PAID[:2], ids=code)
def test_a_call_that_ended_without_an_answer_is_repeated_if_the_operator_pays_for_it(
    error: ImagegenError,
) -> None:
    """As after a process that was killed: nobody knows whether there is an image, so it is looked for first."""
    service = world(answers=[error, error, sdxl_answer()], max_paid_attempts=2)
    id_ = submit(service, asynchronous=True).generation.id
    with pytest.raises(RetryLater):
        service.jobs.work(id_, service.deadline())
    waiting = service.store.only()
    assert (waiting.state, waiting.paid_attempts, waiting.failure) == ("queued", 1, None)
    service.jobs.work(id_, service.deadline())
    ended = service.store.only()
    assert ended.failure is not None
    assert (ended.failure.code, len(service.runtime.calls)) == (error.kind.code, 2)
    assert [event for event in service.observer.events if event[0] == "failed"] == [
        ("failed", error.kind.code)
    ]
    assert ended.cost == service.quotas.taken[OWNER, ended.quota_day].micro_usd > 0


@pytest.mark.parametrize("error", PAID[2:], ids=code)
def test_a_call_that_had_an_answer_is_not_repeated_whatever_may_be_paid(error: ImagegenError) -> None:
    """Its outcome is known; the same request would get the same answer."""
    service = world(answers=[error], max_paid_attempts=3)
    submit(service, asynchronous=True)
    work(service)
    assert (service.store.only().state, len(service.runtime.calls)) == ("failed", 1)


@pytest.mark.parametrize("error", PAID[:2], ids=code)
def test_a_synchronous_call_is_not_repeated_whatever_may_be_paid(error: ImagegenError) -> None:
    """The setting is about jobs; a caller who waits is told, and decides."""
    service = world(answers=[error], max_paid_attempts=3)
    with pytest.raises(type(error)):
        submit(service)
    assert (service.store.only().state, len(service.runtime.calls)) == ("failed", 1)


def test_before_another_paid_call_the_image_of_the_first_is_looked_for() -> None:
    """The image may have arrived after the first attempt was given up."""
    service = world(max_paid_attempts=2)
    running = cut_off(service, asynchronous=True)
    later(service)
    assert service.history.look_up(running.id, owner=OWNER).state == "queued"
    store_late(service, running)
    service.jobs.work(running.id, service.deadline())
    assert (service.store.only().state, service.runtime.calls) == ("succeeded", [])


def test_a_limit_that_was_lowered_ends_what_is_above_it() -> None:
    """A lower limit applies at once to records that already exceed it."""
    service = world(max_paid_attempts=2)
    running = cut_off(service, asynchronous=True)
    later(service)
    service.history.look_up(running.id, owner=OWNER)
    ledger = service.ledger
    lowered = replace(ledger, limits=replace(ledger.limits, max_paid_attempts=1))
    attempts = replace(service.attempts, ledger=lowered)
    replace(service.jobs, ledger=lowered, attempts=attempts).work(running.id, service.deadline())
    assert (service.store.only().state, service.runtime.calls) == ("failed", [])


@pytest.mark.parametrize("settled_by", ["the worker", "the sweep", "a look-up"])
def test_a_limit_that_was_raised_pays_no_more_than_was_reserved(settled_by: str) -> None:
    """The job reserved one call; it ends after it, although later jobs may have three."""
    service = world(max_paid_attempts=1)
    service.runtime.defect = SystemExit()
    id_ = submit(service, asynchronous=True).generation.id
    with pytest.raises(SystemExit):
        service.jobs.work(id_, service.deadline())
    later(service)
    ledger = replace(service.ledger, limits=replace(service.ledger.limits, max_paid_attempts=3))
    attempts = replace(service.attempts, ledger=ledger)
    jobs = replace(service.jobs, ledger=ledger, attempts=attempts)
    if settled_by == "the sweep":
        jobs.sweep(limit=5)
    elif settled_by == "a look-up":
        attempts.refresh(service.store.only())
    jobs.work(id_, service.deadline())
    ended = service.store.only()
    assert (ended.state, ended.paid_attempts, len(service.runtime.calls)) == ("failed", 1, 1)
    assert ended.cost == service.quotas.taken[OWNER, ended.quota_day].micro_usd == 40_000


def test_a_synchronous_generation_is_never_paid_again() -> None:
    """The caller no longer waits; whoever asks again learns the outcome."""
    service = world(max_paid_attempts=3)
    running = cut_off(service)
    later(service)
    service.jobs.work(running.id, service.deadline())
    assert (service.store.only().state, service.runtime.calls) == ("failed", [])


# -- burying a job ----------------------------------------------------------------------------------------------------


def test_a_job_whose_message_was_given_up_unpaid_fails_and_frees_its_key() -> None:
    """Nothing was paid, so the quota unit is given back."""
    service = world()
    id_ = submit(service, asynchronous=True).generation.id
    service.jobs.bury(id_)
    assert (service.store.only().restartable, counted(service)) == (True, 0)


def test_a_job_whose_message_was_given_up_after_a_paid_call_ends_as_unknown() -> None:
    """The quota unit stays counted."""
    service = world(max_paid_attempts=2)
    running = cut_off(service, asynchronous=True)
    later(service)
    service.jobs.bury(running.id)
    failure = service.store.only().failure
    assert failure is not None
    assert (failure.code, counted(service)) == ("outcome_unknown", 1)


def test_a_job_that_runs_is_not_buried() -> None:
    """The dead letter comes back until the attempt has ended."""
    service = world()
    running = cut_off(service, asynchronous=True)
    with pytest.raises(RetryLater):
        service.jobs.bury(running.id)
    assert service.store.only() == running


def test_a_job_that_has_ended_stays_as_it_is_when_its_message_is_given_up() -> None:
    """The sweep still sends the call-back that is pending."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    service.webhook.answers.append("again")
    work(service)
    with pytest.raises(RetryLater):
        call_back(service)
    ended = service.store.only()
    service.jobs.bury(ended.id)
    assert service.store.only() == ended


def test_a_dead_letter_of_an_older_claim_ends_nothing_new() -> None:
    """The key failed without cost and was used again; what was given up is the first job's message."""
    service = world(answers=[errors.Misconfigured("No."), sdxl_answer()])
    id_ = submit(service, asynchronous=True).generation.id
    old = service.queue.claims[0]
    work(service)
    submit(service, asynchronous=True)
    service.jobs.bury(id_, claim=old)
    assert (service.store.only().state, counted(service)) == ("queued", 1)
    # Its own dead letter ends it, also one that the sweep or the release before has sent.
    service.jobs.bury(id_, claim=service.queue.claims[1])
    assert (service.store.only().state, counted(service)) == ("failed", 0)


# -- the sweep --------------------------------------------------------------------------------------------------------


def test_a_message_that_was_lost_is_sent_again_by_the_sweeper() -> None:
    """The record was written, but the message was not sent."""
    service = world()
    service.queue.failures.append(DOWN)
    submit(service, asynchronous=True)
    later(service, 119)
    assert (service.jobs.sweep(limit=10), service.queue.sent) == (0, [])
    later(service, 1)
    assert (service.jobs.sweep(limit=10), service.jobs.sweep(limit=10)) == (1, 0)
    work(service)
    assert service.store.only().state == "succeeded"


def test_the_sweeper_looks_once_more_for_a_late_image_and_then_gives_up() -> None:
    """A look-up by the caller still finds an image that comes even later."""
    service = world()
    running = cut_off(service)
    later(service)
    service.jobs.sweep(limit=10)
    assert service.store.only().due_at is not None
    later(service, 121)
    service.jobs.sweep(limit=10)
    assert (service.store.only().due_at, service.jobs.sweep(limit=10)) == (None, 0)
    store_late(service, running)
    assert service.history.look_up(running.id, owner=OWNER).state == "succeeded"


def test_one_broken_record_does_not_keep_the_others_from_being_swept() -> None:
    """The exception is reported as a defect, and the sweep goes on."""
    service = world()
    service.queue.failures += [DOWN, DOWN, RuntimeError("unforeseen")]
    ids = {submit(service, key=None, asynchronous=True).generation.id for _ in range(2)}
    later(service, 121)
    service.jobs.sweep(limit=10)
    assert len(service.queue.sent) == 1
    assert set(service.queue.sent) < ids
    assert ("defect", "RuntimeError") in service.observer.events


def test_the_sweep_leaves_alone_what_only_the_index_calls_due() -> None:
    """The index lags behind the table; a worker has started the job, and its attempt is running."""
    service = world()
    submit(service, asynchronous=True)
    later(service, 121)
    service.store.index_lags = True
    running = service.ledger.start(service.store.only())
    service.ledger.write(running, replacing=service.store.only())
    assert service.jobs.sweep(limit=10) == 1
    assert service.store.only() == running


def test_a_message_is_sent_again_once_though_the_index_still_calls_it_due() -> None:
    """The index lags behind the first sweep, which has postponed the record."""
    service = world()
    id_ = submit(service, asynchronous=True).generation.id
    later(service, 121)
    service.store.index_lags = True
    assert (service.jobs.sweep(limit=10), service.jobs.sweep(limit=10)) == (1, 1)
    assert service.queue.sent == [id_, id_]


def test_a_job_that_the_sweep_has_queued_again_keeps_its_new_due_time() -> None:
    """The sweep does not also postpone the record, which would make it due an hour later."""
    service = world(max_paid_attempts=2)
    running = cut_off(service, asynchronous=True)
    later(service, 3600)
    service.jobs.sweep(limit=10)
    queued = service.store.only()
    assert (queued.state, service.queue.sent) == ("queued", [running.id])
    assert queued.due_at == service.clock.now() + generations.RESEND_AFTER
