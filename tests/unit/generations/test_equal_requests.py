"""Several equal requests without an idempotency key: when each came, which one is repeated, and replies that fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from imagegen import errors
from imagegen.generations.ports import RecentList
from imagegen.generations.repeats import RepeatSigns
from tests.support.environment import CONNECTION
from tests.support.repeat_steps import (
    MARKED,
    SHORT,
    SILENT,
    ask,
    at,
    paid,
    running,
    submitted,
    takes,
)
from tests.support.use_case import DOWN, submit
from tests.support.world import world

# -- when a request came -----------------------------------------------------------------------------------------------


def test_two_commands_at_once_are_two_pictures_though_a_function_starts_slowly() -> None:
    """What counts is when the gateway received them."""
    service = world()
    running(service, seconds=4, by=SILENT)
    assert ask(service, at(3.8, service, SILENT)).replayed is False


def test_a_connection_is_as_old_as_the_gateway_says() -> None:
    """The function of the first one started 5 seconds after the gateway had received it."""
    service = world()
    running(service, seconds=CONNECTION - 5, by=at(5, service))
    with pytest.raises(errors.InProgress):
        ask(service)
    assert paid(service) == 1


def test_an_image_that_was_finished_while_the_function_of_the_repeat_started_is_returned() -> None:
    """When the gateway received the repeat, the first one was running and given up."""
    service = world()
    takes(service, 6)
    first = ask(service, SILENT)
    service.clock.time += timedelta(seconds=2)
    assert ask(service, at(3, service, SILENT)).generation.id == first.generation.id
    assert paid(service) == 1


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_gateway_with_another_clock_makes_no_request_older_than_a_connection(seconds: float) -> None:
    """Nor younger than now."""
    service = world()
    began = ask(service, at(seconds, service)).generation.created_at
    assert service.clock.time - began in {timedelta(0), timedelta(seconds=CONNECTION)}


# -- several equal requests --------------------------------------------------------------------------------------------


def test_a_lost_request_is_found_behind_a_newer_one_that_was_delivered() -> None:
    """Somebody asked for the same picture in between, and has it."""
    service = world()
    running(service, seconds=1, by=SILENT)
    lost = service.store.only().id
    assert ask(service).replayed is False
    with pytest.raises(errors.InProgress) as caught:
        ask(service, SILENT)
    assert (caught.value.generation_id, paid(service)) == (lost, 2)


@pytest.mark.parametrize("signs", [SHORT, replace(SHORT, marked=True)], ids=["unmarked", "marked"])
def test_a_lost_request_is_found_behind_a_newer_one_that_was_refused(signs: RepeatSigns) -> None:
    """Only the refused one has to be made again."""
    service = world(quota=1)
    running(service, seconds=1, by=SHORT)
    with pytest.raises(errors.QuotaExceeded):
        ask(service, SHORT)
    service.clock.time += timedelta(seconds=4.5)
    with pytest.raises(errors.InProgress):
        ask(service, signs)
    assert paid(service) == 1


def test_a_marked_repeat_of_a_refused_request_is_no_repeat_of_the_one_before() -> None:
    """The one before was delivered. The refused one is made when there is room again."""
    service = world(quota=1)
    ask(service)
    with pytest.raises(errors.QuotaExceeded):
        ask(service)
    service.clock.time += timedelta(days=1)
    service.clock.time -= timedelta(hours=23, minutes=59)
    service.quotas.taken.clear()
    assert ask(service, MARKED).replayed is False
    assert paid(service) == 2


def test_at_most_ten_requests_are_kept() -> None:
    """A list has a bound, whatever is running."""
    service = world()
    for _ in range(12):
        running(service, seconds=1)
    assert [len(kept.requests) for kept in service.recent.items.values()] == [10]


def test_of_two_that_a_repeat_overtook_one_is_new() -> None:
    """Both find the repeat at the same time; only the one that notes it first is the request that was overtaken."""
    service = world()
    repeat = ask(service, MARKED)
    early = at(1, service)
    puts, second = service.recent.put, []

    def between(new: RecentList, *, replacing: RecentList | None) -> RecentList:
        service.recent.put = puts  # type: ignore[method-assign]  # only the first time
        second.append(ask(service, early))
        return puts(new, replacing=replacing)

    service.recent.put = between  # type: ignore[method-assign]
    first = ask(service, early)
    assert (second[0].generation.id, first.replayed) == (repeat.generation.id, False)


# -- replies that could not be made ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [DOWN, RuntimeError("defect")], ids=["error", "defect"])
def test_an_image_whose_reply_failed_is_told_as_paid_and_returned_to_the_repeat(reason: Exception) -> None:
    """It is in the bucket; an unmarked repeat gets it, which is free."""
    service = world()
    made = submitted(service)
    with pytest.raises(errors.InternalError) as caught, service.submitter.replying(made):
        raise reason
    assert (caught.value.paid, caught.value.generation_id) == ("yes", made.generation.id)
    service.clock.time += timedelta(seconds=20)
    again = ask(service)
    assert (again.generation.id, again.replayed, paid(service)) == (made.generation.id, True, 1)


def test_a_repeat_whose_reply_failed_as_well_has_not_received_it() -> None:
    """It stays available for as long as nobody has it."""
    service = world()
    takes(service, 35)
    ask(service)
    ask(service)
    with pytest.raises(errors.InternalError), service.submitter.replying(submitted(service)):
        raise DOWN
    service.clock.time += timedelta(seconds=200)
    assert (ask(service).replayed, paid(service)) == (True, 1)


def test_a_reply_that_failed_is_told_though_the_table_fails_as_well() -> None:
    """Then a repeat without a mark is paid again; the warning says so."""
    service = world()
    made = submitted(service)
    service.recent.failures = [DOWN]
    with pytest.raises(errors.InternalError) as caught, service.submitter.replying(made):
        raise DOWN
    assert caught.value.paid == "yes"
    assert ("warned", "a repeat was not noted") in service.observer.events


def test_a_reply_without_an_image_fails_as_it_is() -> None:
    """An accepted job has cost nothing yet."""
    service = world()
    made = submit(service, asynchronous=True)
    with pytest.raises(errors.InternalError) as caught, service.submitter.replying(made):
        raise DOWN
    assert (caught.value.paid, caught.value.generation_id) == ("no", None)
