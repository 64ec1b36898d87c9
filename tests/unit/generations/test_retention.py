"""A record that is past its retention is unknown and its key is free, also while the table still holds it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imagegen import errors
from tests.support.fakes import sdxl_answer
from tests.support.interrupted_store import interrupted
from tests.support.use_case import KEY, OWNER, PAID, counted, cut_off, later, submit, work
from tests.support.world import World, world

DAYS = 5
RETENTION = timedelta(days=DAYS).total_seconds()


def knows(service: World, id_: str) -> bool:
    """Say whether a look-up finds the id."""
    try:
        return service.history.look_up(id_, owner=OWNER) is not None
    except errors.NotFound:
        return False


def key_is_free(service: World) -> bool:
    """Say whether another request may use the key."""
    try:
        service.submitter.refuse_other_use(KEY, owner=OWNER, fingerprint="another")
    except errors.IdempotencyConflict:
        return False
    return True


@pytest.mark.parametrize("seconds", [-1, 0, 1])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_key_is_free_exactly_when_its_id_is_unknown(*, seconds: int, asynchronous: bool) -> None:
    """The table removes the record up to two days later, so both go by its retention."""
    service = world(record_retention_days=DAYS)
    id_ = submit(service, asynchronous=asynchronous).generation.id
    later(service, RETENTION + seconds)
    assert knows(service, id_) is not key_is_free(service)
    assert key_is_free(service) is (seconds >= 0)


def test_a_key_whose_record_is_forgotten_makes_another_image() -> None:
    """It may be another one; it is paid once, as a new key would be."""
    service = world(record_retention_days=DAYS)
    first = submit(service).generation
    later(service, RETENTION)
    second = submit(service, fingerprint="another")
    assert (second.replayed, second.generation.state) == (False, "succeeded")
    assert second.generation.created_at > first.created_at
    assert submit(service, fingerprint="another").replayed
    assert len(service.runtime.calls) == 2


def test_of_two_requests_for_a_forgotten_key_one_pays() -> None:
    """The second one is faster; the first one finds its claim, and gives its unit back."""
    service = world(record_retention_days=DAYS)
    submit(service)
    later(service, RETENTION)
    before = counted(service)
    slow = interrupted(service, after_get=lambda: submit(service))
    assert submit(slow).replayed
    assert (len(service.runtime.calls), counted(service)) == (2, before + 1)


def test_a_record_that_the_table_removes_meanwhile_is_replaced_all_the_same() -> None:
    """The claim was computed from it, and there is nothing to replace any more."""
    service = world(record_retention_days=DAYS)
    submit(service)
    later(service, RETENTION)
    slow = interrupted(service, after_get=service.store.items.clear)
    assert not submit(slow).replayed
    assert service.store.only().state == "succeeded"


def test_an_attempt_that_is_running_is_not_forgotten() -> None:
    """Its job waited until its record was nearly past its retention; its image will be the caller's."""
    service = world(record_retention_days=DAYS)
    id_ = submit(service, asynchronous=True).generation.id
    later(service, RETENTION - 1)
    seen = []

    def look() -> None:
        later(service, 2)
        seen.append((knows(service, id_), key_is_free(service)))

    service.runtime.before = look
    work(service)
    assert seen == [(True, False)]
    assert (knows(service, id_), key_is_free(service)) == (False, True)


@pytest.mark.parametrize(("paid", "code"), [(False, "model_unavailable"), (True, "outcome_unknown")])
def test_nothing_is_paid_for_a_job_that_nobody_can_look_up(*, paid: bool, code: str) -> None:
    """The deployment was switched off for longer than the record is kept."""
    service = world(record_retention_days=DAYS, max_paid_attempts=2)
    if paid:
        id_ = cut_off(service, asynchronous=True).id
        later(service)
        service.history.look_up(id_, owner=OWNER)
    else:
        id_ = submit(service, asynchronous=True).generation.id
    later(service, RETENTION)
    service.jobs.work(id_, service.deadline())
    failure = service.store.only().failure
    assert failure is not None
    assert (failure.code, service.runtime.calls, counted(service)) == (code, [], int(paid))


def test_a_used_up_quota_does_not_bring_a_forgotten_image_back() -> None:
    """A duplicate of a request that took the last unit is a replay; an old record is none."""
    service = world(quota=0, record_retention_days=DAYS)
    service.quotas.ceilings = service.quotas.ceilings.overridden({"daily_images_per_caller": 1})
    submit(service)
    later(service, RETENTION)
    service.quotas.ceilings = service.quotas.ceilings.overridden({"daily_images_per_caller": 0})
    with pytest.raises(errors.QuotaExceeded):
        submit(service)


def test_a_paid_failure_is_replayed_only_as_long_as_its_record_is_kept() -> None:
    """Afterwards its key is like a new one."""
    service = world(answers=[PAID[1], sdxl_answer()], record_retention_days=DAYS)
    for _ in range(2):
        with pytest.raises(errors.ModelTimeout):
            submit(service)
    later(service, RETENTION)
    assert submit(service).generation.state == "succeeded"
    assert len(service.runtime.calls) == 2
