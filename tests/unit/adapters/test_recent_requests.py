"""The recent requests without a key, in the table: written under a condition, and read back as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from imagegen import errors
from imagegen.adapters.dynamodb import DynamoDbRecentRequests
from imagegen.generations.ports import RecentList, RecentRequest
from tests.support import sdk_clients
from tests.support.far_side import FarSide, Reply, json_answer, refusal, session
from tests.support.records import NOW

if TYPE_CHECKING:
    from typing import Any

FAILED = "ConditionalCheckFailedException"
ONE = RecentRequest(key="a" * 26, begun_at=NOW, connection=29.0, gives_up=1.0)
SEEN = RecentList(name="alice#print#0", version="first", requests=(ONE,))
NEXT = replace(
    SEEN,
    version="second",
    requests=(replace(ONE, key="b" * 26, by_repeat=True), replace(ONE, repeated=True, handed_at=NOW)),
)


def table(*replies: Reply) -> tuple[DynamoDbRecentRequests, FarSide]:
    """Return the table over these responses, and the requests that it sends."""
    client = sdk_clients.dynamodb(session())
    return DynamoDbRecentRequests(client=client, table="generations"), FarSide(client, *replies)


def item_of(recent: RecentList) -> dict[str, Any]:
    """Return the item that a list is stored as."""
    recents, far = table(json_answer({}))
    recents.put(recent, replacing=None)
    item: dict[str, Any] = far.sent[0]["Item"]
    return item


@pytest.mark.parametrize("recent", [SEEN, NEXT], ids=["new", "handed over"])
def test_it_is_read_consistently_as_it_was_written(recent: RecentList) -> None:
    """Every member comes back."""
    recents, far = table(json_answer({"Item": item_of(recent)}))
    assert recents.get(SEEN.name) == recent
    assert far.sent[0]["ConsistentRead"] is True


def test_what_is_not_there_is_none() -> None:
    """A response without an item means that there is no request."""
    recents, _ = table(json_answer({}))
    assert recents.get("alice#print#0") is None


def test_the_first_one_is_written_only_if_there_is_none() -> None:
    """Of two at once, one sees the other."""
    recents, far = table(json_answer({}))
    assert recents.put(SEEN, replacing=None) is SEEN
    assert far.sent[0]["ConditionExpression"] == "attribute_not_exists(id)"


def test_the_next_one_is_written_only_over_the_one_that_was_read() -> None:
    """The condition names its version."""
    recents, far = table(json_answer({}))
    recents.put(NEXT, replacing=SEEN)
    assert far.sent[0]["ExpressionAttributeValues"] == {":stamp": {"S": "first"}}


def test_a_refused_write_returns_what_stands() -> None:
    """The item comes back with the refusal."""
    recents, _ = table(refusal(FAILED, Item=item_of(NEXT)))
    assert recents.put(replace(SEEN, version="third"), replacing=SEEN) == NEXT


def test_a_refused_write_without_the_item_looks_for_it() -> None:
    """It is read again."""
    recents, _ = table(refusal(FAILED), json_answer({"Item": item_of(NEXT)}))
    assert recents.put(replace(SEEN, version="third"), replacing=SEEN) == NEXT


def test_a_table_that_does_not_respond_is_an_error_of_ours() -> None:
    """A request that could not be written down is refused, and nothing is paid."""
    recents, _ = table(
        refusal("InternalServerError"), refusal("InternalServerError"), refusal("InternalServerError")
    )
    with pytest.raises(errors.InternalError):
        recents.put(SEEN, replacing=None)


def test_it_is_kept_for_an_hour_and_holds_no_word_of_the_prompt() -> None:
    """The table removes it by its time."""
    item = item_of(SEEN)
    assert int(item["expires_at"]["N"]) == int(NOW.timestamp()) + 3600
    assert set(item) == {"id", "stamp", "requests", "expires_at"}
    (stored,) = json.loads(item["requests"]["S"])
    assert set(stored) == {
        *("key", "begun_at", "connection", "gives_up"),
        *("by_repeat", "repeated", "handed_at"),
    }
