"""Submitting a request: whether an image is made, whether the reply is replayed, and what is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.errors import ImagegenError
from imagegen.generations.charges import QuotaLimits
from imagegen.generations.submit import Submission
from tests.support.fakes import CORE, SDXL, png, sdxl_answer
from tests.support.interrupted_store import interrupted
from tests.support.tasks import text_to_image
from tests.support.use_case import (
    DOWN,
    HOOKED,
    OTHER,
    OWNER,
    PAID,
    REQUEST,
    UNBILLED,
    code,
    counted,
    cut_off,
    later,
    submit,
    work,
)
from tests.support.world import world

# -- one request ------------------------------------------------------------------------------------------------------


def test_a_request_makes_one_image_and_says_what_it_is() -> None:
    """One request makes one call, one object, one record and one counted quota unit."""
    service = world()
    made = submit(service)
    assert (made.replayed, made.generation.state) == (False, "succeeded")
    assert service.store.only() == made.generation
    assert list(service.images.objects) == [(OWNER, made.generation.id)]
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


def test_the_record_describes_the_image_that_came_and_not_the_one_asked_for() -> None:
    """Size and seed come from the model's answer."""
    service = world(answers=[sdxl_answer(png(640, 1536), seed=99)])
    image = submit(service).generation.image
    assert image is not None
    assert (image.width, image.height, image.seed, image.model) == (640, 1536, 99, SDXL)


def test_requests_without_a_key_are_generations_of_their_own() -> None:
    """Nothing is replayed without an idempotency key."""
    service = world()
    ids = {submit(service, key=None).generation.id for _ in range(3)}
    assert (len(ids), len(service.runtime.calls)) == (3, 3)


def test_the_service_draws_the_seed_and_keeps_it() -> None:
    """The service chooses a seed and keeps it in the record, so that the same image can be made again."""
    service = world()
    seed = text_to_image(submit(service).generation.request).seed
    assert seed > 0
    assert service.runtime.calls[0][1]["seed"] == seed


def test_a_request_that_no_model_could_serve_leaves_nothing_behind() -> None:
    """No record is written, no quota unit is counted, and no model is called."""
    service = world()
    with pytest.raises(errors.UnknownModel):
        submit(service, request=replace(REQUEST, model="of-somebody-else"))
    assert (list(service.store.all()), counted(service), service.runtime.calls) == ([], 0, [])


def test_an_asynchronous_request_is_recorded_then_sent_then_made() -> None:
    """The message has the generation's id and nothing else."""
    service = world()
    waiting = submit(service, asynchronous=True)
    assert (waiting.generation.state, service.runtime.calls) == ("queued", [])
    assert service.queue.sent == [waiting.generation.id]
    work(service)
    assert service.store.only().state == "succeeded"


# -- the same idempotency key again -----------------------------------------------------------------------------------


def test_the_same_key_returns_the_same_generation_without_a_second_call() -> None:
    """A repeated request is replayed a day later, and counts no second quota unit."""
    service = world()
    first = submit(service)
    later(service, 86_400)
    again = submit(service)
    assert again == Submission(generation=first.generation, replayed=True)
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


def test_the_same_key_with_another_body_is_a_conflict() -> None:
    """The conflict does not depend on the outcome of the first request."""
    service = world()
    submit(service)
    with pytest.raises(errors.IdempotencyConflict):
        submit(service, fingerprint="something else")


def test_the_same_key_of_another_caller_is_another_generation() -> None:
    """An idempotency key means something only together with its owner."""
    service = world()
    assert submit(service).generation.id != submit(service, owner=OTHER).generation.id
    assert len(service.runtime.calls) == 2


def test_a_key_outlives_the_model_that_served_it() -> None:
    """An ended generation is replayed even if its model is no longer enabled."""
    request = replace(REQUEST, model=SDXL)
    service = world()
    made = submit(service, request=request)
    service.attempts.caller.refs = service.attempts.caller.refs[1:]
    assert submit(service, request=request).generation == made.generation


def test_a_failure_tells_where_its_generation_is() -> None:
    """The error names the generation, so that a client without an idempotency key finds a late image."""
    service = world(answers=[errors.OutcomeUnknown("No answer.")])
    with pytest.raises(errors.OutcomeUnknown) as failed:
        submit(service, key=None)
    assert failed.value.generation_id == service.store.only().id


@pytest.mark.parametrize("error", PAID, ids=code)
def test_a_failure_that_may_be_paid_is_replayed_and_stays_counted(error: ImagegenError) -> None:
    """The second error repeats the first one, and is marked as replayed."""
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
    """The same request succeeds the next time, and is counted once."""
    service = world(answers=[error], models=(CORE,))
    with pytest.raises(type(error)):
        submit(service)
    assert (service.store.only().restartable, counted(service)) == (True, 0)
    service.attempts.caller._retired.clear()
    service.runtime.answers.clear()
    assert submit(service).generation.state == "succeeded"
    assert counted(service) == 1


def test_a_freed_key_still_belongs_to_its_body() -> None:
    """Otherwise two different requests could share one id."""
    service = world(answers=[errors.Misconfigured("No.")])
    with pytest.raises(errors.Misconfigured):
        submit(service)
    with pytest.raises(errors.IdempotencyConflict):
        submit(service, fingerprint="something else")


def test_a_duplicate_of_a_running_request_is_told_where_to_look() -> None:
    """The duplicate is refused at once, and pays for nothing."""
    service = world()
    running = cut_off(service)
    with pytest.raises(errors.InProgress) as caught:
        submit(service)
    assert caught.value.generation_id == running.id
    assert caught.value.retry_after
    assert (service.runtime.calls, counted(service)) == ([], 1)


def test_a_duplicate_that_asks_asynchronously_gets_the_running_generation() -> None:
    """The duplicate gets the running generation instead of an error."""
    service = world()
    running = cut_off(service)
    assert submit(service, asynchronous=True) == Submission(generation=running, replayed=True)


def test_a_deleted_key_is_gone_and_never_paid_again() -> None:
    """A late duplicate must not bring a deleted generation back."""
    service = world()
    service.history.delete(submit(service).generation.id, owner=OWNER)
    with pytest.raises(errors.Gone):
        submit(service)
    assert len(service.runtime.calls) == 1


# -- the claim --------------------------------------------------------------------------------------------------------


def test_of_two_claims_that_race_one_is_written_and_one_replayed() -> None:
    """The second request read the table before the first wrote its claim; it gives its quota unit back."""
    service = world()
    slow = interrupted(service, after_get=lambda: cut_off(service))
    with pytest.raises(errors.InProgress):
        submit(slow)
    assert (service.store.only().state, service.runtime.calls, counted(service)) == ("running", [], 1)


def test_a_claim_that_went_on_before_its_answer_came_keeps_its_unit() -> None:
    """The response of the write is lost, and the second write finds a job that a worker has started."""
    service = world()

    def started_and_lost() -> None:
        ledger = service.ledger
        ledger.write(ledger.start(service.store.only()), replacing=service.store.only())
        raise DOWN

    made = submit(interrupted(service, after_write=started_and_lost), asynchronous=True)
    assert (made.generation.state, counted(service)) == ("running", 1)


def test_a_claim_whose_answer_is_lost_is_written_again_and_found_to_be_its_own() -> None:
    """The repeated write leaves one record, one call and one quota unit."""
    service = world()
    service.store.lost_answers = 1
    assert submit(service).generation.state == "succeeded"
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


def test_a_claim_that_may_stand_keeps_its_unit() -> None:
    """A worker may find the claim and pay for its image, so the quota unit stays counted."""
    service = world()
    service.store.lost_answers = 2
    with pytest.raises(errors.OutcomeUnknown):
        submit(service, asynchronous=True)
    assert counted(service) == 1
    later(service, 121)
    service.jobs.sweep(limit=10)
    work(service)
    assert (service.store.only().state, counted(service)) == ("succeeded", 1)


# -- the quota --------------------------------------------------------------------------------------------------------


def test_the_quota_is_checked_before_the_model() -> None:
    """A request beyond the quota costs nothing and leaves no record."""
    service = world(quota=1)
    submit(service)
    with pytest.raises(errors.QuotaExceeded) as caught:
        submit(service, key=None)
    assert caught.value.retry_after
    assert (len(service.runtime.calls), counted(service)) == (1, 1)
    assert service.store.only().state == "succeeded"


def test_a_quota_of_nothing_is_the_kill_switch() -> None:
    """A quota of 0 stops all calls; earlier images are still replayed."""
    service = world()
    made = submit(service)
    service.quotas.ceilings = QuotaLimits(daily_images_per_caller=0)
    with pytest.raises(errors.QuotaExceeded):
        submit(service, key=None)
    assert submit(service).generation == made.generation
    assert len(service.runtime.calls) == 1


def test_a_duplicate_is_answered_though_the_quota_is_used_up() -> None:
    """A duplicate needs no quota, because it asks for no new image."""
    service = world(quota=1)
    cut_off(service)
    with pytest.raises(errors.InProgress):
        submit(service)


def test_a_duplicate_of_the_request_that_took_the_last_image_is_no_quota_error() -> None:
    """The duplicate read the table before the first request wrote its claim there."""
    service = world(quota=1)
    with pytest.raises(errors.InProgress):
        submit(interrupted(service, after_get=lambda: cut_off(service)))
    assert counted(service) == 1


def test_a_refusal_stays_a_refusal_though_the_table_fails() -> None:
    """Whether a duplicate took the last image cannot be seen then; the refusal is true all the same."""
    service = world(quota=0)
    looks: list[str] = []

    def fails(id_: str) -> None:
        looks.append(id_)
        if len(looks) > 1:
            raise DOWN

    service.store.get = fails  # type: ignore[method-assign]
    with pytest.raises(errors.QuotaExceeded):
        submit(service)
    assert ("warned", "a refused request was not looked for") in service.observer.events


def test_a_freed_key_needs_quota_again() -> None:
    """The failed request gave its quota unit back, and another request took it."""
    service = world(answers=[errors.Misconfigured("No."), sdxl_answer()], quota=1)
    with pytest.raises(errors.Misconfigured):
        submit(service)
    submit(service, key=None)
    with pytest.raises(errors.QuotaExceeded):
        submit(service)


def test_a_counter_that_does_not_answer_refuses() -> None:
    """The service refuses requests that it cannot count, because an unbounded bill is worse than an error."""
    service = world()
    service.quotas.failures.append(DOWN)
    with pytest.raises(errors.InternalError):
        submit(service)
    assert (service.runtime.calls, list(service.store.all())) == ([], [])


def test_a_unit_that_cannot_be_given_back_stays_counted() -> None:
    """The caller still gets the error of the model, not the one of the counter."""
    service = world(answers=[errors.Misconfigured("No.")])
    service.runtime.before = lambda: service.quotas.failures.append(DOWN)
    with pytest.raises(errors.Misconfigured):
        submit(service)
    assert counted(service) == 1


CORRECTED = replace(HOOKED, webhook_url="https://receiver.example/corrected")


@pytest.mark.parametrize("first", [HOOKED, REQUEST], ids=["another", "none"])
@pytest.mark.parametrize("ended", [True, False])
def test_a_corrected_webhook_is_not_dropped_without_a_word(*, first: GenerationRequest, ended: bool) -> None:
    """The end is announced to the first URL; the caller learns that the second one needs another key."""
    service = world()
    submit(service, request=first, asynchronous=True)
    if ended:
        work(service)
    with pytest.raises(errors.IdempotencyConflict, match="webhook_url"):
        submit(service, request=CORRECTED, asynchronous=True)
    assert service.store.only().request.webhook_url == first.webhook_url


@pytest.mark.parametrize("again", [HOOKED, REQUEST], ids=["the same", "none"])
def test_a_repeat_with_the_same_webhook_or_none_is_a_repeat(again: GenerationRequest) -> None:
    """Who asks for no call-back is not deprived of one."""
    service = world()
    submit(service, request=HOOKED, asynchronous=True)
    assert submit(service, request=again, asynchronous=True).replayed


def test_a_webhook_may_be_corrected_after_a_failure_that_cost_nothing() -> None:
    """The key is free, so the request starts anew with the corrected URL."""
    service = world(answers=[errors.Misconfigured("No.")])
    submit(service, request=HOOKED, asynchronous=True)
    work(service)
    assert not submit(service, request=CORRECTED, asynchronous=True).replayed
    assert service.store.only().request.webhook_url == CORRECTED.webhook_url


def test_a_deleted_generation_is_gone_whatever_webhook_is_named() -> None:
    """A tombstone has no request to compare with."""
    service = world()
    id_ = submit(service, request=HOOKED, asynchronous=True).generation.id
    service.history.delete(id_, owner=OWNER)
    with pytest.raises(errors.Gone):
        submit(service, request=CORRECTED, asynchronous=True)


def test_a_job_that_no_model_can_serve_is_refused_before_anything_is_written() -> None:
    """This process has learnt that the model has ended; a worker would learn it again, and call a webhook for it."""
    service = world(answers=[errors.ModelRetired("Retired.")])
    pinned = replace(HOOKED, model=SDXL)
    with pytest.raises(errors.ModelRetired):
        submit(service, request=replace(pinned, webhook_url=None))
    written = dict(service.store.items)
    with pytest.raises(errors.ModelRetired):
        submit(service, key="another-key-of-sixteen", request=pinned, asynchronous=True)
    assert (service.store.items, service.queue.sent, counted(service)) == (written, [], 0)
