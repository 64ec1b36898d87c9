"""The record as text: it survives being written, and releases read what each other wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagegen.generations.generation import Generation, Moment, from_json, to_json
from tests.support import first_release
from tests.support.records import ENDED, NEXT, NOW, RECORD


def stored(one: Generation) -> dict[str, Any]:
    """Return a record's members as they are stored."""
    members: dict[str, Any] = json.loads(to_json(one))
    return members


@pytest.mark.parametrize("state", first_release.RECORDS)
def test_a_record_of_the_first_release_is_read_and_written_as_it_was(state: str) -> None:
    """A rolling deployment reads what the release before wrote, and loses nothing of it."""
    before = first_release.RECORDS[state]
    record = from_json(json.dumps(before))
    assert (record.version, record.fingerprint) == (before["stamp"], before["asked"])
    assert record.state == before["state"]
    assert stored(record) == before


@pytest.mark.parametrize("state", first_release.RECORDS)
def test_the_first_release_reads_what_this_one_writes(state: str) -> None:
    """A rollback finds its records readable: no member is new, and none is missing."""
    record = from_json(json.dumps(first_release.RECORDS[state]))
    read = first_release.from_json(to_json(record))
    assert (read.stamp, read.asked) == (record.version, record.fingerprint)
    assert read.request.image.seed == record.request.task.seed


@pytest.mark.parametrize("record", [RECORD, NEXT, ENDED], ids=lambda record: record.state)
def test_the_first_release_reads_new_records(record: Generation) -> None:
    """Those too that it never saw before."""
    assert first_release.from_json(to_json(record)).id == record.id


def test_members_that_another_release_added_are_kept() -> None:
    """This release passes over them, and writes them back with the next version of the record."""
    later = {**stored(RECORD), "cost_micro_usd": 40_000, "charged": {"by": "model"}}
    read = from_json(json.dumps(later))
    assert read.unknown == {"cost_micro_usd": 40_000, "charged": {"by": "model"}}
    assert stored(read) == later


@pytest.mark.parametrize("member", ["request", "image", "failure"])
def test_members_inside_a_member_are_passed_over(member: str) -> None:
    """What another release wrote deeper inside does not make the record unreadable."""
    members = json.loads(json.dumps(first_release.RECORDS["succeeded"]))
    members["failure"] = {"code": "gone", "detail": "No.", "paid": True, "fields": []}
    members[member]["added_later"] = 1
    assert from_json(json.dumps(members)).id == members["id"]


def test_a_tombstone_keeps_no_member_of_another_release() -> None:
    """It might hold a prompt."""
    read = from_json(json.dumps({**first_release.RECORDS["succeeded"], "note": "secret"}))
    assert "secret" not in to_json(read.delete(Moment(now=NOW, version="next")))


def test_text_to_image_is_stored_without_its_kind() -> None:
    """The first release would refuse the member."""
    assert set(stored(RECORD)["request"]) == {"image", "model", "strict", "webhook_url"}
