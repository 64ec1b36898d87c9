"""Requests without an idempotency key: which one counts as a repeat, and what a repeat is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from imagegen import errors
from imagegen.contracts.generation_request import fingerprint
from imagegen.generations import repeats
from imagegen.generations.batch import submit_batch
from imagegen.generations.generation import derive_id
from imagegen.generations.ports import RecentList
from tests.support.environment import CONNECTION
from tests.support.fakes import FakeClock
from tests.support.repeat_steps import (
    MARKED,
    PLAIN,
    SHORT,
    SILENT,
    ask,
    at,
    finish,
    paid,
    running,
    submitted,
    takes,
)
from tests.support.use_case import DOWN, OTHER, OWNER, PAID, REQUEST, UNBILLED, code, submit
from tests.support.world import World, world

if TYPE_CHECKING:
    from imagegen.errors import ImagegenError


class _Finishing(FakeClock):
    """A clock on which the attempt elsewhere ends as soon as somebody waits."""

    service: World

    def sleep(self, seconds: float) -> None:
        """Wait, and let the attempt end."""
        super().sleep(seconds)
        if self.service.store.only().state == "running":
            finish(self.service)


# -- marked repeats ----------------------------------------------------------------------------------------------------


def test_a_marked_repeat_gets_the_image_of_the_request_that_it_repeats() -> None:
    """OpenAI's clients number their attempts; the second one is not paid."""
    service = world()
    first, again = ask(service), ask(service, MARKED)
    assert (again.generation.id, again.replayed, paid(service)) == (first.generation.id, True, 1)


@pytest.mark.parametrize("failure", PAID, ids=code)
def test_a_marked_repeat_of_what_may_be_paid_gets_the_recorded_failure(failure: ImagegenError) -> None:
    """Nothing is called again, and the reply says that it is a replay."""
    service = world(answers=[failure])
    with pytest.raises(type(failure)):
        ask(service)
    with pytest.raises(type(failure)) as caught:
        ask(service, MARKED)
    assert (caught.value.replayed, paid(service)) == (True, 1)


@pytest.mark.parametrize("failure", UNBILLED, ids=code)
def test_a_marked_repeat_of_what_cost_nothing_is_tried_again(failure: ImagegenError) -> None:
    """A failure that was certainly unbilled is what repeats are for."""
    service = world(answers=[failure])
    with pytest.raises(type(failure)):
        ask(service)
    service.runtime.answers.clear()
    # A retired model is called again after a minute.
    service.clock.time += timedelta(seconds=61)
    assert ask(service, MARKED).replayed is False


def test_a_marked_repeat_after_a_quarter_of_an_hour_is_a_new_request() -> None:
    """No client waits that long before it repeats."""
    service = world()
    ask(service)
    service.clock.time += repeats.MARKED_FOR + timedelta(seconds=1)
    assert ask(service, MARKED).replayed is False


def test_a_marked_repeat_of_a_request_that_never_came_makes_the_image() -> None:
    """The gateway may have refused the first one."""
    service = world()
    assert ask(service, MARKED).replayed is False
    assert paid(service) == 1


def test_a_repeat_waits_for_an_image_that_is_being_made() -> None:
    """It looks again until the image is there."""
    service = world()
    running(service, seconds=2)
    clock = _Finishing(service.clock.time)
    clock.service = service
    waiting = replace(service.submitter, clock=clock)
    again = submitted(service, by=waiting, signs=MARKED)
    assert (again.generation.state, again.replayed) == ("succeeded", True)
    assert (clock.slept, paid(service)) == ([0.5], 1)


def test_a_repeat_waits_no_longer_than_its_connection_lasts() -> None:
    """Then it is told that the generation is in progress, where it is, and when to look again."""
    service = world()
    running(service, seconds=2)
    began = service.clock.time
    with pytest.raises(errors.InProgress) as caught:
        ask(service, MARKED)
    assert caught.value.generation_id == service.store.only().id
    assert timedelta(seconds=25) < service.clock.time - began < timedelta(seconds=CONNECTION)


@pytest.mark.parametrize("connection", [10.0, 60.0])
def test_a_repeat_waits_as_long_as_connections_last_in_this_deployment(connection: float) -> None:
    """Three seconds are kept for the reply; the operator's `gateway_timeout` says how long a connection lasts."""
    service = world(connection=connection)
    running(service, seconds=2)
    began = service.clock.time
    with pytest.raises(errors.InProgress):
        ask(service, MARKED)
    waited = (service.clock.time - began).total_seconds()
    assert connection - 4 < waited < connection - 2


@pytest.mark.parametrize(("connection", "is_lost"), [(29.0, True), (60.0, False)])
def test_a_longer_connection_is_lost_later(connection: float, *, is_lost: bool) -> None:
    """An image that took 40 seconds was received where connections last a minute."""
    service = world(connection=connection)
    takes(service, 40)
    ask(service)
    assert ask(service).replayed is is_lost


@pytest.mark.parametrize(("connection", "told"), [(29.0, 29.0), (60.0, 60.0), (60.0, 5.0)])
def test_a_request_is_written_down_with_the_connection_that_it_has(connection: float, told: float) -> None:
    """It ends when the client or the gateway gives up, whoever is first."""
    service = world(connection=connection)
    ask(service, PLAIN if told == connection else SHORT)
    (listed,) = service.recent.items.values()
    assert listed.requests[0].connection == told


@pytest.mark.parametrize("seconds", [3, 20])
def test_a_request_that_its_own_repeat_overtook_is_not_paid_again(seconds: float) -> None:
    """A cold start may hold the first one up until a warm function has served the repeat."""
    service = world()
    repeat = ask(service, MARKED)
    service.clock.time += timedelta(seconds=seconds)
    assert ask(service, at(seconds + 1, service)).generation.id == repeat.generation.id
    # Whoever asks after that wants another picture.
    assert ask(service).replayed is False


def test_a_request_that_comes_while_its_repeat_runs_is_not_paid_again() -> None:
    """The network may hold the first one up on its way to the gateway."""
    service = world()
    running(service, seconds=3, by=MARKED)
    with pytest.raises(errors.InProgress):
        ask(service)
    assert paid(service) == 1


def test_whoever_asks_after_a_repeat_has_its_image_gets_another_picture() -> None:
    """The first request may never have come: the gateway refused it."""
    service = world()
    ask(service, MARKED)
    service.clock.time += timedelta(seconds=3)
    assert ask(service).replayed is False


# -- unmarked repeats --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", PAID, ids=code)
def test_a_failure_that_may_be_paid_is_the_reply_for_five_minutes(failure: ImagegenError) -> None:
    """The AI SDK, curl and wget repeat a 502 and a 504; nothing is called again."""
    service = world(answers=[failure])
    for _ in range(3):
        with pytest.raises(type(failure)):
            ask(service)
        service.clock.time += timedelta(seconds=90)
    assert paid(service) == 1
    service.clock.time += timedelta(seconds=90)
    with pytest.raises(type(failure)):
        ask(service)
    assert paid(service) == 2


def test_a_person_who_asks_again_gets_another_picture() -> None:
    """An image that came in time was received, so the next request is a new one."""
    service = world()
    takes(service, 20)
    assert [ask(service).replayed for _ in range(3)] == [False, False, False]
    assert paid(service) == 3


@pytest.mark.parametrize(("seconds", "lost"), [(26, False), (27, True), (29, True)])
def test_an_image_that_came_at_the_last_moment_counts_as_lost(seconds: int, *, lost: bool) -> None:
    """The reply needs time as well, and so did the function's start."""
    service = world()
    takes(service, seconds)
    ask(service)
    assert ask(service).replayed is lost


def test_an_image_that_outlived_its_connection_is_returned_to_the_repeat() -> None:
    """The gateway closed the first connection after 29 seconds."""
    service = world()
    takes(service, 35)
    first = ask(service)
    again = ask(service)
    assert (again.generation.id, again.replayed, paid(service)) == (first.generation.id, True, 1)


def test_whoever_asks_a_minute_after_having_received_it_gets_another_picture() -> None:
    """A repeat has the image by then; before that, its connection may have been lost as well."""
    service = world()
    takes(service, 35)
    ask(service)
    ask(service)
    service.clock.time += timedelta(seconds=59)
    assert ask(service).replayed is True
    service.clock.time += timedelta(seconds=2)
    assert ask(service).replayed is False


def test_two_requests_at_once_stay_two_pictures() -> None:
    """An equal request that has just begun belongs to somebody who wants two."""
    service = world()
    running(service, seconds=20)
    assert ask(service).replayed is False
    assert paid(service) == 2


def test_a_running_request_that_outlived_its_connection_is_waited_for() -> None:
    """Its client has certainly lost it."""
    service = world()
    running(service, seconds=CONNECTION)
    with pytest.raises(errors.InProgress):
        ask(service)
    assert paid(service) == 1


def test_its_connection_is_as_old_as_the_request() -> None:
    """Time that passed while the key was chosen counts as well: the gateway closes the connection all the same."""
    service = world()
    writes = service.recent.put

    def slowly(new: RecentList, *, replacing: RecentList | None) -> RecentList:
        service.recent.put = writes  # type: ignore[method-assign]  # only the first time
        service.clock.sleep(2)
        return writes(new, replacing=replacing)

    service.recent.put = slowly  # type: ignore[method-assign]
    running(service, seconds=CONNECTION - 2)
    with pytest.raises(errors.InProgress):
        ask(service)
    assert paid(service) == 1


@pytest.mark.parametrize(("seconds", "once"), [(28, False), (29, True), (300, True), (301, False)])
def test_a_lost_request_that_has_no_record_yet_is_not_paid_beside_its_repeat(
    seconds: float,
    once: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """It was held up before its claim; the repeat claims under the same key, so one of the two pays."""
    service = world()
    name = f"{OWNER}#fingerprint#0"
    first = service.submitter.repeats.chosen(name, owner=OWNER, signs=PLAIN, began=service.clock.time)
    service.clock.time += timedelta(seconds=seconds)
    again = ask(service)
    assert (again.generation.id == derive_id(OWNER, first.request.key)) is once


def test_a_client_that_says_how_long_it_waits_has_given_up_after_that() -> None:
    """LiteLLM's router repeats without a mark, and OpenAI's header names its time-out."""
    service = world()
    running(service, seconds=6, by=SHORT)
    with pytest.raises(errors.InProgress):
        ask(service, SHORT)
    assert paid(service) == 1


def test_a_client_that_waits_longer_has_not() -> None:
    """The same request of a client with a longer time-out is a second picture."""
    service = world()
    running(service, seconds=4, by=SHORT)
    assert ask(service, SHORT).replayed is False


def test_a_tool_that_repeats_silently_attaches_to_what_is_running() -> None:
    """A repeat of curl begins a second after the lost connection, at the earliest."""
    service = world()
    running(service, seconds=2, by=SILENT)
    with pytest.raises(errors.InProgress):
        ask(service, SILENT)
    assert paid(service) == 1


def test_its_third_attempt_gets_the_image_as_well() -> None:
    """The second attempt may have been lost before the image was there."""
    service = world()
    running(service, seconds=2, by=SILENT)
    with pytest.raises(errors.InProgress):
        ask(service, SILENT)
    finish(service)
    assert (ask(service, SILENT).replayed, paid(service)) == (True, 1)


def test_another_client_with_less_patience_is_no_repeat() -> None:
    """A repeat comes from the same client, so both have to be impatient."""
    service = world()
    takes(service, 6)
    ask(service)
    assert ask(service, SHORT).replayed is False
    for first, second in ((PLAIN, SILENT), (SILENT, PLAIN), (SILENT, SHORT)):
        service = world()
        running(service, seconds=2, by=first)
        assert ask(service, second).replayed is False


def test_two_commands_at_once_are_two_pictures() -> None:
    """Two equal requests of a silent tool within half a second are no repeat."""
    service = world()
    running(service, seconds=0.4, by=SILENT)
    assert ask(service, SILENT).replayed is False


# -- what is never a repeat --------------------------------------------------------------------------------------------


def test_another_callers_request_is_never_repeated() -> None:
    """The name has the owner in it."""
    service = world()
    mine = ask(service)
    theirs = submit(service, key=None, owner=OTHER, signs=MARKED)
    assert (theirs.replayed, theirs.generation.id == mine.generation.id) == (False, False)


def test_another_request_is_never_a_repeat() -> None:
    """Neither is one with another fingerprint."""
    service = world()
    ask(service)
    assert ask(service, MARKED, text="another").replayed is False


def test_a_request_with_a_key_goes_by_its_key_alone() -> None:
    """The caller's own word counts, whatever its client marks."""
    service = world()
    ask(service)
    assert submit(service, signs=MARKED).replayed is False
    assert paid(service) == 2


def test_a_deleted_generation_is_not_made_again_by_its_repeat() -> None:
    """Its owner wanted it gone, and it was paid. Whoever asks anew gets a new one."""
    service = world()
    first = ask(service)
    service.history.delete(first.generation.id, owner=OWNER)
    with pytest.raises(errors.Gone):
        ask(service, MARKED)
    assert paid(service) == 1
    assert ask(service).replayed is False


def test_each_image_of_a_batch_is_repeated_by_its_place() -> None:
    """A marked repeat of a request for three images gets the same three."""
    service = world()
    batches = [
        submit_batch(
            service.submitter,
            service.history,
            REQUEST,
            images=3,
            owner=OWNER,
            key=None,
            deadline=service.deadline(),
            signs=signs,
        )
        for signs in (PLAIN, MARKED)
    ]
    first, again = ([one.generation.id for one in batch] for batch in batches)
    assert (again, len(set(first)), paid(service)) == (first, 3, 3)


# -- faults ------------------------------------------------------------------------------------------------------------


def test_without_the_table_nothing_is_paid() -> None:
    """A request that could not be written down could be paid twice."""
    service = world()
    service.recent.failures = [DOWN]
    with pytest.raises(errors.InternalError):
        ask(service)
    assert (paid(service), list(service.store.all())) == (0, [])


def test_a_request_that_was_written_down_without_an_answer_is_made() -> None:
    """The list shows that the write has arrived, so nobody has to send the request again."""
    service = world()
    writes = service.recent.put

    def lost(new: RecentList, *, replacing: RecentList | None) -> RecentList:
        writes(new, replacing=replacing)
        raise DOWN

    service.recent.put = lost  # type: ignore[method-assign]
    assert (ask(service).replayed, paid(service)) == (False, 1)


def test_a_request_whose_claim_was_not_written_yet_is_claimed_once() -> None:
    """The repeat comes between the two writes of the first one: they share the key, so one of them is refused."""
    service = world()
    name = f"{OWNER}#fingerprint#0"
    first = service.submitter.repeats.chosen(name, owner=OWNER, signs=PLAIN, began=service.clock.time)
    again = ask(service, MARKED)
    draft = service.ledger.draft(
        REQUEST, owner=OWNER, fingerprint="fingerprint", key=first.request.key, asynchronous=False
    )
    assert service.ledger.claim(draft, replacing=None).id == again.generation.id
    assert paid(service) == 1


def test_who_comes_in_between_is_looked_at_again() -> None:
    """A repeat that is written down before the first one is recognised, and not paid beside it."""
    service = world()
    name = f"{OWNER}#fingerprint#0"
    writes = service.recent.put

    def overtaken(new: RecentList, *, replacing: RecentList | None) -> RecentList:
        service.recent.put = writes  # type: ignore[method-assign]  # only the first time
        service.clock.sleep(0.2)
        ask(service, MARKED)
        return writes(new, replacing=replacing)

    service.recent.put = overtaken  # type: ignore[method-assign]
    chosen = service.submitter.repeats.chosen(name, owner=OWNER, signs=PLAIN, began=service.clock.time)
    assert (chosen.is_repeat, paid(service)) == (True, 1)


def test_a_note_that_another_request_overtakes_is_written_again() -> None:
    """Both are in the list, and the first one is known to be without its image."""
    service = world()
    name = f"{OWNER}#fingerprint#0"
    chosen = service.submitter.repeats.chosen(name, owner=OWNER, signs=PLAIN, began=service.clock.time)
    reads = service.recent.get

    def overtaken(name_: str) -> RecentList | None:
        seen = reads(name_)
        service.recent.get = reads  # type: ignore[method-assign]  # only the first time
        ask(service)
        return seen

    service.recent.get = overtaken  # type: ignore[method-assign,assignment]
    service.submitter.repeats.not_delivered(chosen)
    repeated = {one.key: one.repeated for one in service.recent.items[name].requests}
    assert (len(repeated), repeated[chosen.request.key]) == (2, True)


def test_a_repeat_that_cannot_be_noted_is_replied_to_all_the_same() -> None:
    """Its own request, which it overtook, gets the image; the operator is told that the table failed."""
    service = world()
    ask(service, MARKED)
    writes, failures = service.recent.put, [DOWN, DOWN]

    def failing(new: RecentList, *, replacing: RecentList | None) -> RecentList:
        if failures:
            raise failures.pop()
        return writes(new, replacing=replacing)

    service.recent.put = failing  # type: ignore[method-assign]
    service.clock.time += timedelta(seconds=3)
    assert ask(service, at(4, service)).replayed
    assert paid(service) == 1
    assert service.observer.events.count(("warned", "a repeat was not noted")) == 1


def test_the_name_of_a_real_request_is_its_fingerprint() -> None:
    """Two notations of one request are one request."""
    service = world()
    submit(service, key=None, fingerprint=fingerprint(REQUEST))
    assert list(service.recent.items) == [f"{OWNER}#{fingerprint(REQUEST)}#0"]
