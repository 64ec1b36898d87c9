"""A record survives being stored, and two releases can read each other's records."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import OUTPUT_FORMATS, SIZES, Prompt, TextToImage
from imagegen.generations.generation import Bill, Failure, Generation, Moment, StoredImage
from imagegen.generations.image_formats import FORMATS
from imagegen.generations.stored_record import (
    RECORD_SCHEMA,
    UnreadableRecord,
    bill_to_json,
    from_json,
    to_json,
)
from tests.support import first_release
from tests.support.fakes import CORE
from tests.support.records import ENDED, NEXT, NOW, RECORD


def stored(one: Generation) -> dict[str, Any]:
    """Return a record's members as they are stored."""
    members: dict[str, Any] = json.loads(to_json(one))
    return members


@pytest.mark.parametrize("state", first_release.RECORDS)
def test_a_record_of_the_first_release_is_read_and_written_as_it_was(state: str) -> None:
    """In a rolling deployment, this release reads the records of the one before and loses nothing."""
    before = first_release.RECORDS[state]
    record = from_json(json.dumps(before))
    assert (record.version, record.fingerprint) == (before["stamp"], before["asked"])
    assert record.state == before["state"]
    assert stored(record) == before


@pytest.mark.parametrize("state", first_release.RECORDS)
def test_the_first_release_reads_what_this_one_writes(state: str) -> None:
    """After a rollback the records are readable, because no member is new and none is missing."""
    record = from_json(json.dumps(first_release.RECORDS[state]))
    read = first_release.from_json(to_json(record))
    assert (read.stamp, read.asked) == (record.version, record.fingerprint)
    assert read.request.image.seed == record.request.task.seed


@pytest.mark.parametrize("record", [RECORD, NEXT, ENDED], ids=lambda record: record.state)
def test_the_first_release_reads_new_records(record: Generation) -> None:
    """The first release also reads records that this release created."""
    assert first_release.from_json(to_json(record)).id == record.id


def test_members_that_another_release_added_are_kept() -> None:
    """This release ignores unknown members, and writes them back with the next version of the record."""
    later = {**stored(RECORD), "cost_micro_usd": 40_000, "charged": {"by": "model"}}
    read = from_json(json.dumps(later))
    assert read.unknown == {"cost_micro_usd": 40_000, "charged": {"by": "model"}}
    assert stored(read) == later


@pytest.mark.parametrize("place", [("request",), ("request", "image"), ("image",), ("failure",)])
def test_members_inside_a_member_are_kept_too(place: tuple[str, ...]) -> None:
    """An ended record is written back as it was, at whatever level another release added a member."""
    members = json.loads(json.dumps(first_release.RECORDS["succeeded"]))
    members["failure"] = {"code": "gone", "detail": "No.", "paid": True, "fields": []}
    inside = members
    for name in place:
        inside = inside[name]
    inside["added_later"] = {"by": 2}
    assert stored(from_json(json.dumps(members))) == members


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_parameter_that_is_not_known_is_never_dropped_from_a_job(state: str) -> None:
    """Without the parameter, the image would not be the one that was asked for."""
    members = json.loads(json.dumps(first_release.RECORDS[state]))
    members["request"]["image"]["hdr"] = True
    with pytest.raises(UnreadableRecord):
        from_json(json.dumps(members))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"request": 1}', json.dumps({**first_release.RECORDS["queued"], "due_at": 5})],
)
def test_what_is_no_record_is_unreadable(text: str) -> None:
    """Any text that does not describe a record raises `UnreadableRecord` and no other exception."""
    with pytest.raises(UnreadableRecord):
        from_json(text)


def test_a_record_of_a_later_schema_is_unreadable() -> None:
    """The members of a later schema may mean something else."""
    text = to_json(RECORD)
    assert from_json(text, schema=RECORD_SCHEMA) == RECORD
    with pytest.raises(UnreadableRecord, match="schema 2"):
        from_json(text, schema=RECORD_SCHEMA + 1)


@pytest.mark.parametrize(("paid", "code"), [(True, "outcome_unknown"), (False, "internal_error")])
def test_a_failure_with_an_unknown_code_says_what_it_means_for_the_bill(paid: bool, code: str) -> None:  # noqa: FBT001
    """A code that only a later release knows becomes one that says whether the call may have been paid."""
    failure = Failure(code="from_the_future", detail="Later.", paid=paid)
    assert failure.error().kind.code == code


def test_another_content_type_is_stored_and_png_is_not() -> None:
    """The first release refuses the member, and it knows only PNG, so PNG is left out."""
    jpeg = replace(RECORD, content_type="image/jpeg")
    assert stored(jpeg)["content_type"] == "image/jpeg"
    assert "content_type" not in stored(RECORD)


def test_the_format_that_was_asked_for_is_stored_only_if_it_is_not_png() -> None:
    """The first release refuses the member, and the fingerprints of PNGs must not change."""
    request = replace(RECORD.request, task=TextToImage(text_prompts=(), output_format="webp"))
    assert stored(replace(RECORD, request=request))["request"]["image"]["output_format"] == "webp"
    assert from_json(to_json(replace(RECORD, request=request))).request.task.content_type == "image/webp"
    assert "output_format" not in stored(RECORD)["request"]["image"]


def test_an_image_of_an_unknown_format_makes_its_record_unreadable() -> None:
    """After a rollback, such a record's image cannot be found, and the history must still show the others."""
    with pytest.raises(UnreadableRecord):
        from_json(to_json(replace(RECORD, content_type="image/avif")))
    members = json.loads(json.dumps(first_release.RECORDS["succeeded"]))
    members["image"]["content_type"] = "image/avif"
    with pytest.raises(UnreadableRecord):
        from_json(json.dumps(members))


def test_a_tombstone_keeps_no_member_of_another_release() -> None:
    """Unknown members might hold a prompt, so deleting removes them."""
    read = from_json(json.dumps({**first_release.RECORDS["succeeded"], "note": "secret"}))
    assert "secret" not in to_json(read.delete(Moment(now=NOW, version="next")))


def test_text_to_image_is_stored_without_its_kind() -> None:
    """The first release refuses the member `kind`, so it is left out."""
    assert set(stored(RECORD)["request"]) == {"image", "model", "strict", "webhook_url"}


TEXTS = st.text(max_size=40)
TIMES = st.datetimes(timezones=st.just(UTC))
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
REQUESTS = st.builds(
    GenerationRequest,
    task=st.builds(
        lambda size, **rest: TextToImage(width=size[0], height=size[1], **rest),
        size=st.sampled_from(SIZES),
        output_format=st.sampled_from(OUTPUT_FORMATS),
        text_prompts=st.lists(
            st.builds(Prompt, text=TEXTS, weight=st.floats(allow_nan=False, allow_infinity=False)), max_size=3
        ).map(tuple),
        seed=st.integers(0, 4_294_967_295),
        sampler=st.sampled_from([None, "DDIM"]),
        style_preset=st.sampled_from([None, "anime"]),
        extras=st.dictionaries(TEXTS, PLAIN, max_size=2),
    ),
    model=st.none() | TEXTS,
    strict=st.booleans(),
    webhook_url=st.none() | TEXTS,
)
GENERATIONS = st.builds(
    Generation,
    id=TEXTS,
    owner=TEXTS,
    fingerprint=TEXTS,
    request=REQUESTS,
    asynchronous=st.booleans(),
    created_at=TIMES,
    expires_at=TIMES,
    state=st.sampled_from(["queued", "running", "succeeded", "failed", "deleted"]),
    version=TEXTS,
    claim=TEXTS,
    quota_day=TEXTS,
    due_at=st.none() | TIMES,
    paid_attempts=st.integers(0, 10),
    lease_until=st.none() | TIMES,
    image=st.none()
    | st.builds(StoredImage, model=TEXTS, sha256=TEXTS, content_type=st.sampled_from([*FORMATS])),
    ignored=st.lists(TEXTS, max_size=3).map(tuple),
    failure=st.none()
    | st.builds(
        Failure,
        code=TEXTS,
        detail=TEXTS,
        paid=st.booleans(),
        fields=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    ),
    webhook=st.sampled_from([None, "pending", "delivered", "failed"]),
    webhook_tries=st.integers(0, 10),
)


@pytest.mark.slow
@given(GENERATIONS)
def test_a_record_survives_being_text(one: Generation) -> None:
    """A record of any values is the same after it was written and read."""
    assert from_json(to_json(one)) == one


BILLED = replace(RECORD, bill=Bill(each=80_000, calls=1, spent=40_000, model=CORE, key_id="alicealice22"))


def test_the_bill_is_stored_beside_the_record() -> None:
    """The first release would refuse a record with a member more."""
    assert "bill" not in stored(BILLED)
    assert from_json(to_json(BILLED), bill=bill_to_json(BILLED)) == BILLED


def test_a_member_of_the_bill_that_another_release_added_is_passed_over() -> None:
    """A rollback must not make records unreadable."""
    later = json.dumps({**json.loads(bill_to_json(BILLED)), "tax": 1})
    assert from_json(to_json(BILLED), bill=later) == BILLED


@pytest.mark.parametrize(("state", "spent"), [("queued", 0), ("succeeded", 40_000)])
def test_a_record_without_a_bill_costs_what_its_image_costs(state: str, spent: int) -> None:
    """The first release wrote none."""
    assert from_json(json.dumps(first_release.RECORDS[state])).bill.spent == spent
