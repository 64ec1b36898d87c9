"""A record that this release cannot read is reported, and does not hide the other records."""

from __future__ import annotations

import pytest

from imagegen.http.app import create_app
from imagegen.worker import NotAcknowledged
from tests.support.events import event, send
from tests.support.fakes import DLQ_ARN
from tests.support.world import World, world
from tests.unit.test_worker import message

TEA = {"text_prompts": [{"text": "tea"}]}


@pytest.fixture
def broken() -> World:
    """Return a service with one good record and one that a later release wrote."""
    service = world()
    app = create_app(service.services)
    good = send(app, event("POST", "/text-to-image", TEA)).json["id"]
    bad = send(app, event("POST", "/text-to-image", TEA)).json["id"]
    service.store.items[bad] = '{"from": "the future"}'
    assert good != bad
    return service


def ids(service: World) -> tuple[str, str]:
    """Return the ids of the good record and of the bad one."""
    good, bad = service.store.items
    return good, bad


def test_the_history_shows_the_others(broken: World) -> None:
    """The log tells the operator which record is missing."""
    answer = send(create_app(broken.services), event("GET", "/generations"))
    assert [one["id"] for one in answer.json["generations"]] == [ids(broken)[0]]
    assert ("warned", "a record cannot be read by this release") in broken.observer.events


def test_looking_it_up_is_a_defect_that_is_logged(broken: World) -> None:
    """The caller's problem says nothing of the record's content."""
    answer = send(create_app(broken.services), event("GET", f"/generations/{ids(broken)[1]}"))
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert "future" not in answer.body
    assert ("defect", "UnreadableRecord") in broken.observer.events


def test_the_sweep_goes_on_with_the_others(broken: World) -> None:
    """One broken record must not keep the others waiting."""
    good, bad = ids(broken)
    broken.store.index = {bad: broken.clock.now(), good: broken.clock.now()}
    assert broken.jobs.sweep(limit=10) == 2
    assert broken.observer.events.count(("defect", "UnreadableRecord")) == 1


def test_its_message_comes_back(broken: World) -> None:
    """A worker of a release that can read the record may take the message."""
    with pytest.raises(NotAcknowledged):
        broken.worker.take(message(ids(broken)[1]), broken.deadline())
    assert ("defect", "UnreadableRecord") in broken.observer.events


def test_its_dead_letter_does_not_come_back(broken: World) -> None:
    """Otherwise the dead letter would come back for two weeks."""
    broken.worker.take(message(ids(broken)[1], arn=DLQ_ARN), broken.deadline())
    assert ("defect", "UnreadableRecord") in broken.observer.events


def test_an_event_that_cannot_be_read_gets_a_problem() -> None:
    """The reply is a problem as usual, and the log has the reason."""
    service = world()
    request = {**event("GET", "/models"), "multiValueHeaders": {"X": None}}
    answer = send(create_app(service.services), request)
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert ("defect", "TypeError") in service.observer.events
