"""The table: one conditional write for each version, lost responses, pages and cursors."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from imagegen import errors
from imagegen.adapters.dynamodb import DUE_SHARDS, DynamoDbGenerations
from imagegen.errors import ImagegenError
from imagegen.generations.generation import Generation
from tests.support import sdk_clients
from tests.support.far_side import FarSide, Reply, answer, json_answer, refusal, session
from tests.support.records import NEXT, NOW, RECORD

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

URL = "https://far.example"
FAILED = "ConditionalCheckFailedException"


def table(*replies: Reply) -> tuple[DynamoDbGenerations, FarSide]:
    """Return a table over these responses, and the requests that it sends."""
    client = sdk_clients.dynamodb(session())
    return DynamoDbGenerations(client=client, table="generations"), FarSide(client, *replies)


def item_of(record: Generation) -> dict[str, Any]:
    """Return the item that a record is stored as."""
    generations, far = table(json_answer({}))
    generations.write(record, replacing=None)
    item: dict[str, Any] = far.sent[0]["Item"]
    return item


def refused_over(record: Generation) -> AWSResponse:
    """Return the response to a write that is refused because this version stands."""
    return refusal(FAILED, Item=item_of(record))


def test_a_record_is_read_consistently_as_it_was_written() -> None:
    """Every member of the record comes back."""
    generations, far = table(json_answer({"Item": item_of(RECORD)}))
    assert generations.get(RECORD.id) == RECORD
    assert far.sent == [{"TableName": "generations", "Key": {"id": {"S": RECORD.id}}, "ConsistentRead": True}]


def test_what_is_not_there_is_none() -> None:
    """A response without an item means that there is no record."""
    generations, _ = table(json_answer({}))
    assert generations.get("gen_x") is None


def test_a_counter_is_not_a_record() -> None:
    """A message with the id of a counter finds no record."""
    counter = {"id": {"S": "quota#alice#2026-11-25"}, "images": {"N": "5"}}
    generations, _ = table(json_answer({"Item": counter}))
    assert generations.get("quota#alice#2026-11-25") is None


def test_an_item_has_what_is_indexed_beside_the_record() -> None:
    """Times are text that sorts; only the expiry is in seconds, as the table's TTL needs it."""
    item = item_of(RECORD)
    assert {name: value for name, value in item.items() if name != "record"} == {
        "id": {"S": RECORD.id},
        "stamp": {"S": "first"},
        "schema": {"N": "1"},
        "bill": {"S": '{"each":0,"calls":0,"spent":0,"model":"","key_id":""}'},
        "state": {"S": "queued"},
        "owner": {"S": "alice"},
        "created_at": {"S": "2026-11-25T12:00:00.000000+00:00"},
        "due_at": {"S": "2026-11-25T12:02:00.000000+00:00"},
        "due_shard": {"S": "1"},
        "expires_at": {"N": str(int(RECORD.expires_at.timestamp()))},
    }


def test_what_is_not_due_and_what_is_deleted_is_in_no_index() -> None:
    """Both indexes have only items with their attributes."""
    assert not {"due_at", "due_shard"} & set(item_of(replace(RECORD, due_at=None)))
    assert "owner" not in item_of(replace(RECORD, state="deleted"))


@pytest.mark.parametrize(
    ("replacing", "condition", "values"),
    [
        (None, "attribute_not_exists(id)", None),
        (RECORD, "stamp = :stamp", {":stamp": {"S": "first"}}),
    ],
    ids=["the first version", "the next version"],
)
def test_a_version_is_written_only_over_the_one_it_follows_from(
    replacing: Generation | None, condition: str, values: dict[str, Any] | None
) -> None:
    """A refused write asks for the version that stands."""
    generations, far = table(json_answer({}))
    assert generations.write(NEXT, replacing=replacing) is NEXT
    (sent,) = far.sent
    assert sent["ConditionExpression"] == condition
    assert sent.get("ExpressionAttributeValues") == values
    assert sent["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_a_new_claim_replaces_a_record_or_comes_after_it_was_removed() -> None:
    """The table removes what is past its retention at a time of its own choice; any other version needs its record."""
    generations, far = table(json_answer({}))
    generations.write(replace(RECORD, version="again", claim="again"), replacing=RECORD)
    assert far.sent[0]["ConditionExpression"] == "stamp = :stamp OR attribute_not_exists(id)"
    assert far.sent[0]["ExpressionAttributeValues"] == {":stamp": {"S": RECORD.version}}


def test_a_version_that_came_too_late_returns_what_stands() -> None:
    """If two versions race, only one is written."""
    other = replace(RECORD, state="running", version="other")
    generations, far = table(refused_over(other))
    assert generations.write(NEXT, replacing=RECORD) == other
    assert len(far.requests) == 1


@pytest.mark.parametrize(
    "lost",
    [ReadTimeoutError(endpoint_url=URL), ConnectionClosedError(endpoint_url=URL), answer(500, b"{}")],
    ids=["time-out", "closed", "500"],
)
def test_a_write_whose_answer_was_lost_is_recognised_by_its_stamp(lost: Reply) -> None:
    """The SDK repeats the write, which then fails its own condition."""
    generations, far = table(lost, refused_over(NEXT))
    assert generations.write(NEXT, replacing=RECORD) is NEXT
    assert len(far.requests) == 2
    assert far.bodies[0] == far.bodies[1]


def test_where_the_refusal_does_not_say_what_stands_the_table_is_asked() -> None:
    """The record is read again, consistently."""
    generations, far = table(refusal(FAILED), json_answer({"Item": item_of(NEXT)}))
    assert generations.write(NEXT, replacing=RECORD) is NEXT
    assert far.sent[1]["ConsistentRead"] is True


def test_a_record_that_vanished_while_it_was_written_is_an_error() -> None:
    """The retention of the record ended between two requests."""
    generations, _ = table(refusal(FAILED), json_answer({}))
    with pytest.raises(errors.InternalError):
        generations.write(NEXT, replacing=RECORD)


@pytest.mark.parametrize(
    ("failure", "error", "requests"),
    [
        (refusal("ProvisionedThroughputExceededException"), errors.InternalError, 3),
        (refusal("ThrottlingException"), errors.InternalError, 3),
        (answer(503, b"<html>"), errors.InternalError, 3),
        (ReadTimeoutError(endpoint_url=URL), errors.InternalError, 3),
        (answer(400, b"\xff"), errors.InternalError, 1),
        (refusal("AccessDeniedException"), errors.Misconfigured, 1),
        (refusal("ResourceNotFoundException"), errors.Misconfigured, 1),
        (refusal("ValidationException"), errors.Misconfigured, 1),
    ],
    ids=["capacity", "throttled", "503", "time-out", "no text", "no right", "no table", "no such schema"],
)
def test_a_table_that_does_not_answer_is_an_error(
    failure: Reply, error: type[ImagegenError], requests: int
) -> None:
    """The client sends three requests if another one could help, otherwise one."""
    generations, far = table(failure, failure, failure)
    with pytest.raises(error):
        generations.get(RECORD.id)
    assert len(far.requests) == requests


def page_of(*names: str, last: str | None = None) -> AWSResponse:
    """Return a response with records of these ids, and maybe the key where the table stopped."""
    items = [item_of(replace(RECORD, id=f"gen_{name * 26}")) for name in names]
    key = {name: items[-1][name] for name in ("id", "owner", "created_at")} if last and items else None
    return json_answer({"Items": items, **({"LastEvaluatedKey": key} if key else {})})


def test_a_page_ends_with_a_cursor_where_more_follows() -> None:
    """The next page begins after the cursor, and has records of the caller who sends it."""
    generations, far = table(page_of("c", "b", "a"), page_of("a"))
    first = generations.of_owner("alice", limit=2, cursor=None)
    assert [one.id[4] for one in first.generations] == ["c", "b"]
    second = generations.of_owner("bob", limit=2, cursor=first.next_cursor)
    assert second.next_cursor is None
    assert far.sent[0]["ScanIndexForward"] is False
    assert far.sent[1]["ExclusiveStartKey"] == {
        "id": {"S": "gen_" + "b" * 26},
        "owner": {"S": "bob"},
        "created_at": {"S": "2026-11-25T12:00:00.000000+00:00"},
    }


def test_a_last_page_that_is_full_has_no_cursor() -> None:
    """The adapter asks for one record more, because DynamoDB does not say that a full page is the last."""
    generations, far = table(page_of("b", "a"))
    assert generations.of_owner("alice", limit=2, cursor=None).next_cursor is None
    assert far.sent[0]["Limit"] == 3


def test_a_page_that_the_table_cut_short_has_a_cursor() -> None:
    """DynamoDB ends a response after a megabyte."""
    generations, _ = table(page_of("b", "a", last="a"), json_answer({"Items": []}))
    page = generations.of_owner("alice", limit=5, cursor=None)
    assert generations.of_owner("alice", limit=5, cursor=page.next_cursor).generations == ()


def sealed(value: Any) -> str:
    """Return a value in the encoding of cursors."""
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "%%%",
        "\N{HOT BEVERAGE}",
        "AAAA",
        sealed(None),
        sealed([]),
        sealed({"a": 1, "b": 2}),
        sealed(["2026-11-25T12:00:00.000000+00:00"]),
        sealed([1, RECORD.id]),
        sealed(["2026-11-25T12:00:00.000000+00:00", 1]),
        sealed(["2026-11-25T12:00:00.000000+00:00", {"S": "x"}]),
        sealed(["2026-11-25T12:00:00.000000+00:00", "quota#alice#2026-11-25"]),
        sealed(["2026-11-25T12:00:00.000000+00:00", "gen_\ud800"]),
        sealed(["2026-11-25T12:00:00", RECORD.id]),
        sealed(["2026-11-25T12:00:00.000000+01:00", RECORD.id]),
        sealed(["0001-01-01T00:00:00+23:59", RECORD.id]),
        sealed(["9999-12-31T23:59:59.999999-23:59", RECORD.id]),
        urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_a_cursor_that_is_not_ours_is_the_callers_mistake(cursor: str) -> None:
    """The cursor is refused before the table is called."""
    generations, far = table()
    with pytest.raises(errors.InvalidParameter) as raised:
        generations.of_owner("alice", limit=5, cursor=cursor)
    assert [error.field for error in raised.value.errors] == ["cursor"]
    assert far.requests == []


def test_due_records_are_asked_for_shard_by_shard() -> None:
    """Each shard returns its oldest records, up to the limit."""
    shards = [json_answer({"Items": [{"id": {"S": f"gen_{shard}"}}]}) for shard in range(DUE_SHARDS)]
    generations, far = table(*shards)
    assert generations.due(NOW, limit=25) == [f"gen_{shard}" for shard in range(8)]
    assert [sent["ExpressionAttributeValues"][":shard"]["S"] for sent in far.sent] == list("01234567")
    assert {sent["Limit"] for sent in far.sent} == {25}
    assert {sent["ExpressionAttributeValues"][":now"]["S"] for sent in far.sent} == {
        "2026-11-25T12:00:00.000000+00:00"
    }


def test_an_answer_without_items_is_an_error() -> None:
    """Such a response must not pass for an empty history."""
    generations, _ = table(json_answer({}), json_answer({}))
    with pytest.raises(errors.InternalError):
        generations.of_owner("alice", limit=5, cursor=None)
    with pytest.raises(errors.InternalError):
        generations.due(NOW, limit=5)
