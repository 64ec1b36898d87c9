"""A caller's own generations are looked up, listed and deleted."""

from __future__ import annotations

import pytest

from imagegen import errors
from tests.support.use_case import DOWN, OTHER, OWNER, cut_off, later, submit
from tests.support.world import world


@pytest.mark.parametrize("owner", [OTHER, ""])
def test_a_generation_is_shown_to_its_owner_alone(owner: str) -> None:
    """Others get the same error as for an id that does not exist."""
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
    """The table removes an expired record up to two days later."""
    service = world()
    made = submit(service).generation
    later(service, 30 * 86_400)
    with pytest.raises(errors.NotFound):
        service.history.look_up(made.id, owner=OWNER)


@pytest.mark.parametrize("days", [7, 365])
def test_a_record_is_shown_for_as_long_as_the_deployment_says(days: int) -> None:
    """The record is shown until its last second, and unknown from then on."""
    service = world(record_retention_days=days)
    made = submit(service).generation
    later(service, days * 86_400 - 1)
    assert service.history.look_up(made.id, owner=OWNER) == made
    later(service, 1)
    with pytest.raises(errors.NotFound):
        service.history.look_up(made.id, owner=OWNER)


def test_an_image_that_was_removed_is_gone() -> None:
    """The bucket's retention may remove an image before its record expires."""
    service = world()
    made = submit(service).generation
    service.history.require_image(made)
    service.images.objects.clear()
    with pytest.raises(errors.Gone):
        service.history.require_image(made)


def test_deleting_removes_image_and_record_and_the_request_with_it() -> None:
    """Afterwards the id is unknown, so a second delete fails as well."""
    service = world()
    made = submit(service).generation
    service.history.delete(made.id, owner=OWNER)
    assert service.images.objects == {}
    assert "tea" not in next(iter(service.store.items.values()))
    for again in (service.history.look_up, service.history.delete):
        with pytest.raises(errors.NotFound):
            again(made.id, owner=OWNER)
    assert service.history.page(owner=OWNER, limit=10, cursor=None).generations == ()


def test_what_runs_cannot_be_deleted() -> None:
    """The error tells the caller to come back later."""
    service = world()
    running = cut_off(service)
    with pytest.raises(errors.InProgress):
        service.history.delete(running.id, owner=OWNER)


@pytest.mark.parametrize("way", ["a second delete", "the sweeper"])
def test_a_delete_that_was_cut_off_is_finished(way: str) -> None:
    """The id is unknown at once; the image is removed later."""
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
