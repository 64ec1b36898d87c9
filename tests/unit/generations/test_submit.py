"""The use case through both doors: what is made, what is replayed, what is paid, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import pytest

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError
from imagegen.generations import generation as generations
from imagegen.generations.generation import Generation
from imagegen.generations.jobs import RetryLater
from imagegen.generations.submit import Submission
from tests.support.fakes import CORE, SDXL, FakeStore, World, png, sdxl_answer, world
from tests.support.tasks import text_to_image

OWNER: Final = "alice" * 5 + "a"
OTHER: Final = "bobby" * 5 + "b"
KEY: Final = "key-of-sixteen-characters"
REQUEST: Final = GenerationRequest(task=TextToImage(text_prompts=(Prompt(text="tea"),)))
HOOKED: Final = replace(REQUEST, webhook_url="https://receiver.example/hook")
DOWN: Final = errors.InternalError("The table did not answer.")
NOT_STORED: Final = errors.StoreFailed("S3 did not confirm it.")
UNBILLED: Final[list[ImagegenError]] = [
    errors.ModelThrottled("Busy."),
    errors.ModelUnavailable("Unreachable."),
    errors.ModelRetired("Retired."),
    errors.Misconfigured("No right."),
    errors.InvalidParameter("Refused by the model."),
]
PAID: Final[list[ImagegenError]] = [
    errors.OutcomeUnknown("Closed."),
    errors.ModelTimeout("Late."),
    errors.BadModelResponse("Odd."),
    errors.ContentFiltered("Filtered."),
]


def code(error: ImagegenError) -> str:
    """Return a test's name."""
    return error.kind.code


def submit(
    service: World,
    *,
    key: str | None = KEY,
    fingerprint: str = "fingerprint",
    request: GenerationRequest = REQUEST,
    asynchronous: bool = False,
    owner: str = OWNER,
) -> Submission:
    """Submit one request."""
    return service.submitter.submit(
        request,
        owner=owner,
        fingerprint=fingerprint,
        key=key,
        asynchronous=asynchronous,
        deadline=service.deadline(),
    )


def work(service: World) -> None:
    """Take the next message, as the worker does."""
    service.jobs.work(service.queue.sent.pop(0), service.deadline())


def later(service: World, seconds: float = 86) -> None:
    """Let time pass; by default, until a lease is over."""
    service.clock.time += timedelta(seconds=seconds)


def cut_off(service: World, *, stored: bool = False, asynchronous: bool = False) -> Generation:
    """Leave a generation behind whose attempt was killed after its call, before or after it stored the image."""
    draft = service.ledger.draft(
        REQUEST, owner=OWNER, fingerprint="fingerprint", key=KEY, asynchronous=asynchronous
    )
    if asynchronous:
        draft = service.ledger.start(draft)
    service.quotas.take(OWNER, draft.quota_day)
    service.ledger.write(draft, replacing=None)
    if stored:
        store_late(service, draft)
    return draft


def store_late(service: World, record: Generation) -> None:
    """Let an attempt's image arrive in the bucket."""
    donor = world()
    made = submit(donor).generation
    assert made.image is not None
    service.images.put(record.image_name, png(), made.image)


def counted(service: World) -> int:
    """Return the caller's quota units."""
    return sum(service.quotas.taken.values())


# -- one request -----------------------------------------------------------------------------------------------------


def test_a_request_makes_one_image_and_says_what_it_is() -> None:
    """One call, one object, one record, one unit."""
    service = world()
    made = submit(service)
    assert (made.replayed, made.generation.state) == (False, "succeeded")
    assert service.store.only() == made.generation
    assert list(service.images.objects) == [(OWNER, made.generation.id)]
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


def test_the_record_describes_the_image_that_came_and_not_the_one_asked_for() -> None:
    """Size and seed are read from the answer."""
    service = world(answers=[sdxl_answer(png(640, 1536), seed=99)])
    image = submit(service).generation.image
    assert image is not None
    assert (image.width, image.height, image.seed, image.model) == (640, 1536, 99, SDXL)


def test_requests_without_a_key_are_generations_of_their_own() -> None:
    """Nothing is replayed that was not asked for."""
    service = world()
    ids = {submit(service, key=None).generation.id for _ in range(3)}
    assert (len(ids), len(service.runtime.calls)) == (3, 3)


def test_the_service_draws_the_seed_and_keeps_it() -> None:
    """So every image can be made again."""
    service = world()
    seed = text_to_image(submit(service).generation.request).seed
    assert seed > 0
    assert service.runtime.calls[0][1]["seed"] == seed


def test_a_request_that_no_model_could_serve_leaves_nothing_behind() -> None:
    """Neither record nor unit nor call."""
    service = world()
    with pytest.raises(errors.UnknownModel):
        submit(service, request=replace(REQUEST, model="of-somebody-else"))
    assert (list(service.store.all()), counted(service), service.runtime.calls) == ([], 0, [])


# -- the same key again ----------------------------------------------------------------------------------------------


def test_the_same_key_returns_the_same_generation_without_a_second_call() -> None:
    """Also much later, and with nothing more counted."""
    service = world()
    first = submit(service)
    later(service, 86_400)
    again = submit(service)
    assert again == Submission(generation=first.generation, replayed=True)
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


def test_the_same_key_with_another_body_is_a_conflict() -> None:
    """Whatever became of the first one."""
    service = world()
    submit(service)
    with pytest.raises(errors.IdempotencyConflict):
        submit(service, fingerprint="something else")


def test_the_same_key_of_another_caller_is_another_generation() -> None:
    """Keys are scoped to their owner."""
    service = world()
    assert submit(service).generation.id != submit(service, owner=OTHER).generation.id
    assert len(service.runtime.calls) == 2


def test_a_key_outlives_the_model_that_served_it() -> None:
    """What was made is replayed, though the model is no longer enabled."""
    request = replace(REQUEST, model=SDXL)
    service = world()
    made = submit(service, request=request)
    service.attempts.caller.refs = service.attempts.caller.refs[1:]
    assert submit(service, request=request).generation == made.generation


def test_a_failure_tells_where_its_generation_is() -> None:
    """An image that may turn up is looked for there, also by a client that sent no key."""
    service = world(answers=[errors.OutcomeUnknown("No answer.")])
    with pytest.raises(errors.OutcomeUnknown) as failed:
        submit(service, key=None)
    assert failed.value.generation_id == service.store.only().id


@pytest.mark.parametrize("error", PAID, ids=code)
def test_a_failure_that_may_be_paid_is_replayed_and_stays_counted(error: ImagegenError) -> None:
    """The second answer is the first one's, and says that it is a replay."""
    service = world(answers=[error, sdxl_answer()])
    with pytest.raises(type(error)):
        submit(service)
    with pytest.raises(type(error)) as replayed:
        submit(service)
    location = service.store.only().id
    assert (replayed.value.replayed, replayed.value.generation_id) == (True, location)
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


@pytest.mark.parametrize("error", UNBILLED, ids=code)
def test_a_failure_that_cost_nothing_gives_its_unit_back_and_frees_the_key(error: ImagegenError) -> None:
    """The same request then works, and is counted once."""
    service = world(answers=[error], models=(CORE,))
    with pytest.raises(type(error)):
        submit(service)
    assert (service.store.only().restartable, counted(service)) == (True, 0)
    service.attempts.caller._retired.clear()
    service.runtime.answers.clear()
    assert submit(service).generation.state == "succeeded"
    assert counted(service) == 1


def test_a_freed_key_still_belongs_to_its_body() -> None:
    """Otherwise two different requests could meet under one id."""
    service = world(answers=[errors.Misconfigured("No.")])
    with pytest.raises(errors.Misconfigured):
        submit(service)
    with pytest.raises(errors.IdempotencyConflict):
        submit(service, fingerprint="something else")


def test_a_duplicate_of_a_running_request_is_told_where_to_look() -> None:
    """It must not wait, and not pay."""
    service = world()
    running = cut_off(service)
    with pytest.raises(errors.InProgress) as caught:
        submit(service)
    assert caught.value.generation_id == running.id
    assert caught.value.retry_after
    assert (service.runtime.calls, counted(service)) == ([], 1)


def test_a_duplicate_that_asks_asynchronously_gets_the_running_generation() -> None:
    """202 instead of 409."""
    service = world()
    running = cut_off(service)
    assert submit(service, asynchronous=True) == Submission(generation=running, replayed=True)


@dataclass
class Interrupted:
    """A store between whose calls something else happens, once."""

    store: FakeStore
    after_get: Callable[[], object] | None = None
    after_write: Callable[[], object] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def get(self, id_: str) -> Generation | None:
        """Read, and let something happen before the answer arrives."""
        found = self.store.get(id_)
        happens, self.after_get = self.after_get, None
        if happens is not None:
            happens()
        return found

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write, and let something happen before the answer arrives."""
        stands = self.store.write(new, replacing=replacing)
        happens, self.after_write = self.after_write, None
        if happens is not None:
            happens()
        return stands


def interrupted(
    service: World,
    *,
    after_get: Callable[[], object] | None = None,
    after_write: Callable[[], object] | None = None,
) -> World:
    """Return the same world as one of its processes sees it, with something happening in between."""
    store = Interrupted(service.store, after_get=after_get, after_write=after_write)
    ledger = replace(service.ledger, store=store)  # type: ignore[arg-type]  # the rest is passed on
    attempts = replace(service.attempts, ledger=ledger)
    parts = replace(
        service.service,
        submitter=replace(service.submitter, ledger=ledger, attempts=attempts),
        history=replace(service.history, ledger=ledger, attempts=attempts),
        jobs=replace(service.jobs, ledger=ledger, attempts=attempts),
    )
    return replace(service, service=parts)


def test_of_two_claims_that_race_one_is_written_and_one_replayed() -> None:
    """The second had already read that there was nothing, and gives its unit back."""
    service = world()
    slow = interrupted(service, after_get=lambda: cut_off(service))
    with pytest.raises(errors.InProgress):
        submit(slow)
    assert (service.store.only().state, service.runtime.calls, counted(service)) == ("running", [], 1)


def test_a_claim_that_went_on_before_its_answer_came_keeps_its_unit() -> None:
    """A worker started the job; the answer was lost, and the second one shows a record that is not the draft."""
    service = world()

    def started_and_lost() -> None:
        ledger = service.ledger
        ledger.write(ledger.start(service.store.only()), replacing=service.store.only())
        raise DOWN

    made = submit(interrupted(service, after_write=started_and_lost), asynchronous=True)
    assert (made.generation.state, counted(service)) == ("running", 1)


def test_a_duplicate_of_the_request_that_took_the_last_image_is_no_quota_error() -> None:
    """It had read too early that there was nothing."""
    service = world(quota=1)
    with pytest.raises(errors.InProgress):
        submit(interrupted(service, after_get=lambda: cut_off(service)))
    assert counted(service) == 1


def test_of_two_workers_that_race_for_a_job_one_calls_the_model() -> None:
    """The other's message comes back."""
    service = world()
    id_ = submit(service, asynchronous=True).generation.id
    slow = interrupted(service, after_get=lambda: work(service))
    with pytest.raises(RetryLater):
        slow.jobs.work(id_, service.deadline())
    assert (service.store.only().state, len(service.runtime.calls)) == ("succeeded", 1)


def test_an_unbilled_end_that_comes_too_late_gives_nothing_back() -> None:
    """The attempt was given up as unknown meanwhile, and that stands."""
    service = world(answers=[errors.Misconfigured("No.")])

    def given_up() -> None:
        later(service)
        service.history.look_up(service.store.only().id, owner=OWNER)

    service.runtime.before = given_up
    with pytest.raises(errors.Misconfigured):
        submit(service)
    failure = service.store.only().failure
    assert failure is not None
    assert (failure.code, counted(service)) == ("outcome_unknown", 1)


def test_a_failure_that_cannot_be_recorded_does_not_keep_its_caller_waiting() -> None:
    """Three tries; then the lease ends it."""
    service = world(answers=[PAID[0]])
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 1000)
    with pytest.raises(errors.OutcomeUnknown):
        submit(service)
    assert (len(service.store.failures), sum(service.clock.slept) < 1) == (997, True)
    assert service.store.only().state == "running"


# -- the quota -------------------------------------------------------------------------------------------------------


def test_the_quota_is_checked_before_the_model() -> None:
    """Refused requests cost nothing and leave nothing."""
    service = world(quota=1)
    submit(service)
    with pytest.raises(errors.QuotaExceeded) as caught:
        submit(service, key=None)
    assert caught.value.retry_after
    assert (len(service.runtime.calls), counted(service)) == (1, 1)
    assert service.store.only().state == "succeeded"


def test_a_quota_of_nothing_is_the_kill_switch() -> None:
    """No call is made; what was made before is still replayed."""
    service = world()
    made = submit(service)
    service.quotas.limit = 0
    with pytest.raises(errors.QuotaExceeded):
        submit(service, key=None)
    assert submit(service).generation == made.generation
    assert len(service.runtime.calls) == 1


def test_the_kill_switch_holds_for_jobs_that_are_queued_already() -> None:
    """They wait for it to be released, and cost nothing."""
    service = world()
    submit(service, asynchronous=True)
    service.quotas.switched_off = True
    with pytest.raises(RetryLater):
        work(service)
    assert (service.store.only().state, service.runtime.calls) == ("queued", [])
    service.quotas.switched_off = False
    service.jobs.work(service.store.only().id, service.deadline())
    assert service.store.only().state == "succeeded"


def test_a_duplicate_is_answered_though_the_quota_is_used_up() -> None:
    """It asks for nothing new."""
    service = world(quota=1)
    cut_off(service)
    with pytest.raises(errors.InProgress):
        submit(service)


def test_a_freed_key_needs_quota_again() -> None:
    """Its unit was given back, and somebody else took it."""
    service = world(answers=[errors.Misconfigured("No."), sdxl_answer()], quota=1)
    with pytest.raises(errors.Misconfigured):
        submit(service)
    submit(service, key=None)
    with pytest.raises(errors.QuotaExceeded):
        submit(service)


def test_a_counter_that_does_not_answer_refuses() -> None:
    """An unbounded bill is worse than an error."""
    service = world()
    service.quotas.failures.append(DOWN)
    with pytest.raises(errors.InternalError):
        submit(service)
    assert (service.runtime.calls, list(service.store.all())) == ([], [])


def test_a_unit_that_cannot_be_given_back_stays_counted() -> None:
    """And the caller gets the error that matters."""
    service = world(answers=[errors.Misconfigured("No.")])
    service.runtime.before = lambda: service.quotas.failures.append(DOWN)
    with pytest.raises(errors.Misconfigured):
        submit(service)
    assert counted(service) == 1


def test_a_claim_whose_answer_is_lost_is_written_again_and_found_to_be_its_own() -> None:
    """One record, one call, one unit."""
    service = world()
    service.store.lost_answers = 1
    assert submit(service).generation.state == "succeeded"
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


def test_a_claim_that_may_stand_keeps_its_unit() -> None:
    """A worker may find it and pay for it."""
    service = world()
    service.store.lost_answers = 2
    with pytest.raises(errors.OutcomeUnknown):
        submit(service, asynchronous=True)
    assert counted(service) == 1
    later(service, 121)
    service.jobs.sweep(limit=10)
    work(service)
    assert (service.store.only().state, counted(service)) == ("succeeded", 1)


# -- after payment ---------------------------------------------------------------------------------------------------


def test_storing_is_tried_again_until_it_works() -> None:
    """The image is paid for."""
    service = world()
    service.images.failures += [NOT_STORED] * 5
    assert submit(service).generation.state == "succeeded"
    assert service.clock.slept == sorted(service.clock.slept)
    assert len(service.runtime.calls) == 1


def test_storing_that_never_works_ends_before_the_invocation_does() -> None:
    """As store_failed: paid, recorded, replayed."""
    service = world()
    service.images.failures += [NOT_STORED] * 1000
    with pytest.raises(errors.StoreFailed):
        submit(service)
    assert sum(service.clock.slept) < 80
    service.images.failures.clear()
    with pytest.raises(errors.StoreFailed):
        submit(service)
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


def test_no_error_of_storing_is_taken_for_unbilled() -> None:
    """Whatever the bucket's adapter says, the image was paid before."""
    service = world()
    service.images.failures += [errors.Misconfigured("No right to put.")] * 1000
    with pytest.raises(errors.StoreFailed):
        submit(service)
    assert not service.store.only().restartable


def test_an_image_that_turns_up_after_all_heals_the_failure() -> None:
    """The put had worked and every answer was lost."""
    service = world()
    service.images.failures += [NOT_STORED] * 1000
    with pytest.raises(errors.StoreFailed):
        submit(service)
    service.images.failures.clear()
    store_late(service, service.store.only())
    assert submit(service).generation.state == "succeeded"
    assert service.store.only().state == "succeeded"


def test_an_answer_that_is_not_a_png_never_reaches_the_bucket() -> None:
    """It was paid, and it is not an image."""
    service = world(answers=[sdxl_answer(b"<html>502 Bad Gateway</html>")])
    with pytest.raises(errors.BadModelResponse):
        submit(service)
    assert service.images.objects == {}


def test_a_defect_after_the_call_counts_as_paid() -> None:
    """An exception that nobody foresaw must not free the key."""
    service = world()
    service.runtime.defect = RuntimeError("unforeseen")
    with pytest.raises(errors.OutcomeUnknown):
        submit(service)
    with pytest.raises(errors.OutcomeUnknown):
        submit(service)
    assert (len(service.runtime.calls), counted(service)) == (1, 1)
    assert ("defect", "RuntimeError") in service.observer.events


def test_the_end_is_recorded_again_until_it_works() -> None:
    """The image is stored; its record should say so."""
    service = world()
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 4)
    submit(service)
    assert service.store.only().state == "succeeded"


def test_the_caller_gets_the_image_even_if_its_end_is_never_recorded() -> None:
    """Whoever looks after the lease finds it in the bucket."""
    service = world()
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 1000)
    made = submit(service).generation
    service.store.failures.clear()
    assert (made.state, service.store.only().state) == ("succeeded", "running")
    later(service)
    assert service.history.look_up(made.id, owner=OWNER).image == made.image
    assert len(service.runtime.calls) == 1


# -- attempts that were cut off --------------------------------------------------------------------------------------


def test_a_cut_off_attempt_is_left_alone_while_its_lease_is_live() -> None:
    """It may still be at it."""
    service = world()
    running = cut_off(service, stored=True)
    later(service, 84)
    assert service.history.look_up(running.id, owner=OWNER).state == "running"


def test_a_cut_off_attempt_whose_image_is_there_is_finished_by_looking() -> None:
    """Not by paying again."""
    service = world()
    running = cut_off(service, stored=True)
    later(service)
    found = service.history.look_up(running.id, owner=OWNER)
    assert (found.state, service.runtime.calls) == ("succeeded", [])


@pytest.mark.parametrize("way", ["the same key", "a look-up", "the sweeper"])
def test_a_cut_off_attempt_without_an_image_ends_as_unknown(way: str) -> None:
    """By whichever way somebody looks first; it stays counted."""
    service = world()
    running = cut_off(service)
    later(service)
    ways: dict[str, Callable[[], object]] = {
        "the same key": lambda: submit(service),
        "a look-up": lambda: service.history.look_up(running.id, owner=OWNER),
        "the sweeper": lambda: service.jobs.sweep(limit=10),
    }
    try:
        ways[way]()
    except errors.OutcomeUnknown:
        assert way == "the same key"
    failure = service.store.only().failure
    assert failure is not None
    assert (failure.code, failure.paid, counted(service)) == ("outcome_unknown", True, 1)
    assert service.runtime.calls == []


def test_while_the_bucket_does_not_answer_a_cut_off_attempt_stays_as_it_is() -> None:
    """No image seen is not the same as no image."""
    service = world()
    running = cut_off(service, stored=True)
    later(service)
    service.images.failures += [DOWN, DOWN]
    assert service.history.look_up(running.id, owner=OWNER).state == "running"
    with pytest.raises(errors.InProgress):
        submit(service)
    assert service.history.look_up(running.id, owner=OWNER).state == "succeeded"


def test_a_slow_attempt_ends_well_though_it_was_given_up_meanwhile() -> None:
    """Its image is the proof."""
    service = world()

    def given_up() -> None:
        later(service)
        assert service.history.look_up(service.store.only().id, owner=OWNER).state == "failed"

    service.runtime.before = given_up
    made = submit(service).generation
    assert (made.state, service.store.only().state) == ("succeeded", "succeeded")


def test_an_attempt_whose_generation_was_deleted_removes_its_own_image() -> None:
    """And its caller learns that it is gone."""
    service = world()

    def deleted() -> None:
        later(service)
        service.history.delete(service.store.only().id, owner=OWNER)

    service.runtime.before = deleted
    with pytest.raises(errors.Gone):
        submit(service)
    assert (service.store.only().state, service.images.objects) == ("deleted", {})


def test_the_sweeper_looks_once_more_for_a_late_image_and_then_gives_up() -> None:
    """Callers who look themselves are still served later."""
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


# -- the queue's door ------------------------------------------------------------------------------------------------


def test_an_asynchronous_request_is_recorded_then_sent_then_made() -> None:
    """The message carries the id and nothing else."""
    service = world()
    waiting = submit(service, asynchronous=True)
    assert (waiting.generation.state, service.runtime.calls) == ("queued", [])
    assert service.queue.sent == [waiting.generation.id]
    work(service)
    assert service.store.only().state == "succeeded"


def test_a_message_that_was_lost_is_sent_again_by_the_sweeper() -> None:
    """The row was written, the message was not."""
    service = world()
    service.queue.failures.append(DOWN)
    submit(service, asynchronous=True)
    later(service, 119)
    assert (service.jobs.sweep(limit=10), service.queue.sent) == (0, [])
    later(service, 1)
    assert (service.jobs.sweep(limit=10), service.jobs.sweep(limit=10)) == (1, 0)
    work(service)
    assert service.store.only().state == "succeeded"


def test_a_message_for_a_live_attempt_comes_back() -> None:
    """It is the only one that would notice if the attempt died."""
    service = world()
    running = cut_off(service, asynchronous=True)
    with pytest.raises(RetryLater):
        service.jobs.work(running.id, service.deadline())


@pytest.mark.parametrize("error", UNBILLED[:2], ids=code)
def test_a_job_that_only_has_to_wait_goes_back_to_the_queue(error: ImagegenError) -> None:
    """It is not failed, not paid, and stays counted."""
    service = world(answers=[error])
    submit(service, asynchronous=True)
    with pytest.raises(RetryLater):
        service.jobs.work(service.queue.sent[0], service.deadline())
    waiting = service.store.only()
    assert (waiting.state, waiting.paid_attempts, counted(service)) == ("queued", 0, 1)
    service.runtime.answers[:] = [sdxl_answer()]
    work(service)
    assert service.store.only().state == "succeeded"


@pytest.mark.parametrize("error", [*UNBILLED[2:], *PAID], ids=code)
def test_a_job_that_no_waiting_helps_ends_and_is_acknowledged(error: ImagegenError) -> None:
    """The record says why; what was unbilled gives its unit back."""
    service = world(answers=[error])
    submit(service, asynchronous=True)
    work(service)
    failure = service.store.only().failure
    assert failure is not None
    assert failure.code == error.kind.code
    assert counted(service) == (0 if error.kind.paid == "no" else 1)


def test_a_message_of_a_generation_that_is_not_there_is_acknowledged() -> None:
    """Its record has expired, or it never was one of ours."""
    service = world()
    service.jobs.work("gen_" + "a" * 26, service.deadline())
    assert (service.store.items, service.runtime.calls, service.queue.sent) == ({}, [], [])


def test_a_stale_message_starts_a_key_that_was_used_again_only_once() -> None:
    """Old and new message are the same job."""
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
    """Each is granted once; then the outcome is unknown."""
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


def test_before_another_paid_call_the_image_of_the_first_is_looked_for() -> None:
    """It may have arrived after the first was given up."""
    service = world(max_paid_attempts=2)
    running = cut_off(service, asynchronous=True)
    later(service)
    assert service.history.look_up(running.id, owner=OWNER).state == "queued"
    store_late(service, running)
    service.jobs.work(running.id, service.deadline())
    assert (service.store.only().state, service.runtime.calls) == ("succeeded", [])


def test_a_limit_that_was_lowered_ends_what_is_above_it() -> None:
    """The deployment's number holds at once."""
    service = world(max_paid_attempts=2)
    running = cut_off(service, asynchronous=True)
    later(service)
    service.history.look_up(running.id, owner=OWNER)
    ledger = service.ledger
    lowered = replace(ledger, limits=replace(ledger.limits, max_paid_attempts=1))
    attempts = replace(service.attempts, ledger=lowered)
    replace(service.jobs, ledger=lowered, attempts=attempts).work(running.id, service.deadline())
    assert (service.store.only().state, service.runtime.calls) == ("failed", [])


def test_a_synchronous_generation_is_never_paid_again() -> None:
    """Its caller is gone; whoever comes back learns the outcome."""
    service = world(max_paid_attempts=3)
    running = cut_off(service)
    later(service)
    service.jobs.work(running.id, service.deadline())
    assert (service.store.only().state, service.runtime.calls) == ("failed", [])


# -- given up --------------------------------------------------------------------------------------------------------


def test_a_job_whose_message_was_given_up_unpaid_fails_and_frees_its_key() -> None:
    """Nothing was paid, so nothing stays counted."""
    service = world()
    id_ = submit(service, asynchronous=True).generation.id
    service.jobs.bury(id_)
    assert (service.store.only().restartable, counted(service)) == (True, 0)


def test_a_job_whose_message_was_given_up_after_a_paid_call_ends_as_unknown() -> None:
    """It stays counted."""
    service = world(max_paid_attempts=2)
    running = cut_off(service, asynchronous=True)
    later(service)
    service.jobs.bury(running.id)
    failure = service.store.only().failure
    assert failure is not None
    assert (failure.code, counted(service)) == ("outcome_unknown", 1)


def test_a_job_that_runs_is_not_buried() -> None:
    """The dead letter waits for its end."""
    service = world()
    running = cut_off(service, asynchronous=True)
    with pytest.raises(RetryLater):
        service.jobs.bury(running.id)
    assert service.store.only() == running


def test_a_job_that_has_ended_stays_as_it_is_when_its_message_is_given_up() -> None:
    """Also its webhook, which the sweeper tells."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    service.webhook.answers.append("again")
    with pytest.raises(RetryLater):
        work(service)
    ended = service.store.only()
    service.jobs.bury(ended.id)
    assert service.store.only() == ended


# -- webhooks --------------------------------------------------------------------------------------------------------


def test_a_webhook_is_told_once_when_it_accepts() -> None:
    """And the record says that it was."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    work(service)
    assert service.webhook.told == [(HOOKED.webhook_url, "succeeded")]
    assert (service.store.only().webhook, service.store.only().due_at) == ("delivered", None)


def test_a_failure_is_told_to_the_webhook_too() -> None:
    """Whoever waits learns that waiting is over."""
    service = world(answers=[PAID[1]])
    submit(service, request=HOOKED, asynchronous=True)
    work(service)
    assert service.webhook.told == [(HOOKED.webhook_url, "failed")]


def test_a_webhook_that_does_not_accept_is_told_again_and_then_given_up() -> None:
    """The image is not made again for it."""
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
    """A private address, say."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    service.webhook.answers.append("refused")
    work(service)
    assert service.store.only().webhook == "failed"


def test_a_webhook_that_cannot_be_signed_counts_as_a_try() -> None:
    """Its secret cannot be read: that has an end, too."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    service.webhook.failures += [errors.Misconfigured("No secret.")]
    with pytest.raises(RetryLater):
        service.jobs.work(id_, service.deadline())
    assert service.store.only().webhook_tries == 1


def test_a_webhook_whose_message_was_lost_is_told_by_way_of_the_sweeper() -> None:
    """A generation that the sweeper settled has no message at all."""
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
    """The receiver would ask and be shown that it still runs."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 1000)
    work(service)
    assert service.webhook.told == []


# -- looking and deleting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", [OTHER, ""])
def test_a_generation_is_shown_to_its_owner_alone(owner: str) -> None:
    """Others learn nothing, not even that it is there."""
    service = world()
    made = submit(service).generation
    with pytest.raises(errors.NotFound) as foreign:
        service.history.look_up(made.id, owner=owner)
    with pytest.raises(errors.NotFound) as unknown:
        service.history.look_up("gen_" + "z" * 26, owner=owner)
    with pytest.raises(errors.NotFound):
        service.history.delete(made.id, owner=owner)
    assert str(foreign.value) == str(unknown.value)
    assert service.images.objects != {}


def test_a_record_past_its_retention_is_not_shown_though_it_is_still_there() -> None:
    """The table removes it up to two days later."""
    service = world()
    made = submit(service).generation
    later(service, 30 * 86_400)
    with pytest.raises(errors.NotFound):
        service.history.look_up(made.id, owner=OWNER)


def test_an_image_that_was_removed_is_gone() -> None:
    """By its lifecycle, say."""
    service = world()
    made = submit(service).generation
    service.history.require_image(made)
    service.images.objects.clear()
    with pytest.raises(errors.Gone):
        service.history.require_image(made)


def test_deleting_removes_image_and_record_and_the_request_with_it() -> None:
    """Afterwards the id is unknown, also to a second delete."""
    service = world()
    made = submit(service).generation
    service.history.delete(made.id, owner=OWNER)
    assert service.images.objects == {}
    assert "tea" not in next(iter(service.store.items.values()))
    for again in (service.history.look_up, service.history.delete):
        with pytest.raises(errors.NotFound):
            again(made.id, owner=OWNER)
    assert service.history.page(owner=OWNER, limit=10, cursor=None).generations == ()


def test_a_deleted_key_is_gone_and_never_paid_again() -> None:
    """A duplicate that was under way must not bring it back."""
    service = world()
    service.history.delete(submit(service).generation.id, owner=OWNER)
    with pytest.raises(errors.Gone):
        submit(service)
    assert len(service.runtime.calls) == 1


def test_what_runs_cannot_be_deleted() -> None:
    """The caller is told to come back."""
    service = world()
    running = cut_off(service)
    with pytest.raises(errors.InProgress):
        service.history.delete(running.id, owner=OWNER)


@pytest.mark.parametrize("way", ["a second delete", "the sweeper"])
def test_a_delete_that_was_cut_off_is_finished(way: str) -> None:
    """The id is unknown at once, and the image follows."""
    service = world()
    made = submit(service).generation
    service.images.failures.append(DOWN)
    with pytest.raises(errors.InternalError):
        service.history.delete(made.id, owner=OWNER)
    with pytest.raises(errors.NotFound):
        service.history.look_up(made.id, owner=OWNER)
    assert service.images.objects != {}
    if way == "a second delete":
        service.history.delete(made.id, owner=OWNER)
    else:
        later(service, 121)
        service.jobs.sweep(limit=10)
    assert (service.images.objects, service.store.only().due_at) == ({}, None)


def test_one_broken_record_does_not_keep_the_others_from_being_swept() -> None:
    """It is noted as a defect."""
    service = world()
    service.queue.failures += [DOWN, DOWN, RuntimeError("unforeseen")]
    ids = {submit(service, key=None, asynchronous=True).generation.id for _ in range(2)}
    later(service, 121)
    service.jobs.sweep(limit=10)
    assert len(service.queue.sent) == 1
    assert set(service.queue.sent) < ids
    assert ("defect", "RuntimeError") in service.observer.events
