"""The stand-in for DynamoDB of the benchmarks answers the adapters as the emulator does, but searches no items."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.table_stand_in import INDEXES, NotUnderstood, Table
from imagegen.adapters.dynamodb import DynamoDbGenerations, DynamoDbRecentRequests
from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.generations.ports import RecentList, RecentRequest
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey
from tests.local.test_adapters import (  # the emulator's tests, with the fixtures of this module
    record,
    test_a_counter_never_falls_below_zero,
    test_a_counter_stops_at_its_limit_whoever_counts_at_once,
    test_a_counters_life_ends_by_itself,
    test_a_deployments_limit_leaves_the_callers_counter_alone,
    test_a_history_is_read_page_by_page,
    test_a_write_tells_how_much_of_the_deployments_day_is_used,
    test_an_amount_that_is_not_counted_does_not_keep_the_others,
    test_of_two_versions_one_is_written,
    test_what_is_due_is_found,
)
from tests.support.bare_emulator import INDEXES as INDEXES_OF_THE_EMULATOR
from tests.support.records import NOW, RECORD
from tests.support.sdk_clients import SdkSession
from tests.support.tables import session_of

if TYPE_CHECKING:
    import botocore.session

__all__ = [
    "test_a_counter_never_falls_below_zero",
    "test_a_counter_stops_at_its_limit_whoever_counts_at_once",
    "test_a_counters_life_ends_by_itself",
    "test_a_deployments_limit_leaves_the_callers_counter_alone",
    "test_a_history_is_read_page_by_page",
    "test_a_write_tells_how_much_of_the_deployments_day_is_used",
    "test_an_amount_that_is_not_counted_does_not_keep_the_others",
    "test_of_two_versions_one_is_written",
    "test_what_is_due_is_found",
]

RECENT = RecentList(
    name="recent",
    version="first",
    requests=(RecentRequest(key="k", begun_at=NOW, connection=29, gives_up=25),),
)


@pytest.fixture
def stand_in() -> Table:
    """Return an empty stand-in."""
    return Table()


@pytest.fixture
def table_name() -> str:
    """Return the name of the table of generations."""
    return "generations"


@pytest.fixture
def owner() -> str:
    """Return an owner that no other test has."""
    return f"owner-{secrets.token_hex(8)}"


@pytest.fixture
def session(stand_in: Table) -> botocore.session.Session:
    """Return a session whose requests to DynamoDB are answered by the stand-in."""
    return session_of(stand_in)


@pytest.fixture
def stores(session: botocore.session.Session) -> SdkSession:
    """Return what makes the clients of the stores."""
    return SdkSession(session)


@pytest.fixture
def table(table_name: str, stores: SdkSession) -> DynamoDbGenerations:
    """Return the adapter of the table."""
    return DynamoDbGenerations(client=stores.table(), table=table_name)


def test_its_indexes_are_those_of_the_table() -> None:
    """The emulator's are compared with the template elsewhere."""
    ours = {(name, one.partition, one.sort, one.whole) for name, one in INDEXES.items()}
    theirs = {(*names, projection == "ALL") for *names, projection in INDEXES_OF_THE_EMULATOR}
    assert ours == theirs


def test_records_of_one_moment_are_paged_without_loss(table: DynamoDbGenerations, owner: str) -> None:
    """A cursor stands behind one of them, and each is on one page."""
    written = [record(owner) for _ in range(5)]
    for one in written:
        table.write(one, replacing=None)
    cursor, found = None, []
    for _ in range(3):
        page = table.of_owner(owner, limit=2, cursor=cursor)
        cursor = page.next_cursor
        found += [one.id for one in page.generations]
    assert cursor is None
    assert sorted(found) == sorted(one.id for one in written)


def test_a_claim_may_replace_a_record_that_was_removed(table: DynamoDbGenerations, stand_in: Table) -> None:
    """Any other write needs the version that it follows."""
    again = replace(RECORD, version="again", claim="again")
    table.write(RECORD, replacing=None)
    stand_in.remove("generations", [RECORD.id, "gen_never"])
    assert table.of_owner(RECORD.owner, limit=5, cursor=None).generations == ()
    assert table.write(again, replacing=RECORD) is again


def test_recent_requests_are_replaced_only_as_they_were_read(stores: SdkSession) -> None:
    """The loser gets the list that is stored."""
    recent = DynamoDbRecentRequests(client=stores.table(), table="generations")
    second, third = replace(RECENT, version="second"), replace(RECENT, version="third")
    assert recent.put(RECENT, replacing=None) is RECENT
    assert recent.put(second, replacing=None) == RECENT
    assert recent.put(second, replacing=RECENT) is second
    assert recent.put(third, replacing=RECENT) == second
    assert recent.get("recent") == second


def test_a_key_is_added_replaced_and_listed(stores: SdkSession) -> None:
    """A limit of 20 is also 20.0, and a key that somebody else changed is not replaced."""
    keys = DynamoDbKeys(client=stores.table(), table="keys")
    key = StoredKey.of(
        ApiKey.create(secrets.token_bytes), name="a", now=NOW, limits={"daily_usd_per_caller": 20.0}
    )
    revoked = key.revoke(now=NOW + timedelta(days=1))
    keys.add(key)
    assert keys.get("nobody") is None
    assert keys.replace(replace(key, limits={"daily_usd_per_caller": 20}), revoked)
    assert not keys.replace(key, revoked)
    assert list(keys.all()) == [revoked]


def test_only_requests_are_counted(stand_in: Table) -> None:
    """Items that are filled in or removed without a request do not count."""
    item = {"id": {"S": "gen_1"}}
    get = {"TableName": "generations", "Key": item}
    stand_in.fill("generations", [item])
    assert stand_in.answer("GetItem", get) == (200, {"Item": item})
    stand_in.remove("generations", ["gen_1"])
    assert stand_in.answer("GetItem", get) == (200, {})
    assert dict(stand_in.counts) == {"GetItem": 2}


def test_a_copy_changes_by_itself(table: DynamoDbGenerations, stand_in: Table, owner: str) -> None:
    """A write to one is not in the other, nor in its indexes."""
    first = record(owner)
    table.write(first, replacing=None)
    copied = stand_in.copy()
    stand_in.remove("generations", [first.id])
    query = {
        "TableName": "generations",
        "IndexName": "by_owner",
        "KeyConditionExpression": "owner = :o",
        "ExpressionAttributeValues": {":o": {"S": owner}},
        "Limit": 3,
    }
    assert [item["id"]["S"] for item in copied.answer("Query", query)[1]["Items"]] == [first.id]
    assert stand_in.answer("Query", query)[1]["Items"] == []


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("DeleteItem", {}),
        ("PutItem", {"Item": {"id": {"S": "a"}}, "ConditionExpression": "size(id) > :a"}),
        ("PutItem", {"Item": {"id": {"S": "a"}}, "ConditionExpression": "stamp = :absent"}),
        ("Scan", {"Limit": 5}),
        (
            "Query",
            {"IndexName": "by_owner", "KeyConditionExpression": "state = :a", "Limit": 5},
        ),
        (
            "UpdateItem",
            {
                "Key": {"id": {"S": "a"}},
                "ConditionExpression": "attribute_not_exists(id)",
                "UpdateExpression": "REMOVE stamp",
                "ReturnValues": "UPDATED_NEW",
            },
        ),
    ],
    ids=["operation", "condition", "value", "filtered scan", "other index", "update"],
)
def test_what_the_adapters_never_send_is_not_answered(operation: str, members: dict[str, Any]) -> None:
    """A guess could look like a measurement."""
    with pytest.raises(NotUnderstood):
        Table().answer(operation, {"TableName": "generations", **members})


def test_a_page_of_a_large_history_costs_no_look_at_the_other_records() -> None:
    """Only the items of the page are read: the other items are damaged here."""
    stand_in = Table()
    stand_in.fill(
        "generations",
        [
            {"id": {"S": f"gen_{n}"}, "owner": {"S": "o"}, "created_at": {"S": f"{n:06}"}}
            for n in range(1_000)
        ],
    )
    for n in range(997):
        stand_in._items["generations"].stored[f"gen_{n}"] = "damaged"
    query = {
        "TableName": "generations",
        "IndexName": "by_owner",
        "KeyConditionExpression": "#o = :o",
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":o": {"S": "o"}},
        "ScanIndexForward": False,
        "Limit": 3,
    }
    status, answer = stand_in.answer("Query", query)
    assert (status, [item["id"]["S"] for item in answer["Items"]]) == (200, ["gen_999", "gen_998", "gen_997"])
    assert answer["LastEvaluatedKey"] == answer["Items"][-1]
