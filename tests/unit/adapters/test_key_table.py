"""The table of keys: what an item holds, and a write that loses nobody else's change."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from imagegen.adapters import clients
from imagegen.adapters.key_table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey
from tests.support.far_side import FarSide, Reply, json_answer, refusal, session

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
KEY = ApiKey.create(secrets.token_bytes)
LIMITS = {
    "daily_images_per_caller": 20,
    "daily_usd_per_caller": 0.000001,
    "images_per_minute_per_caller": None,
}
STORED = StoredKey.of(KEY, name="alice", now=NOW, limits=LIMITS)


def table(*replies: Reply) -> tuple[DynamoDbKeys, FarSide]:
    """Return a table over these responses, and the requests that it sends."""
    client = clients.dynamodb(session())
    return DynamoDbKeys(client=client, table="keys"), FarSide(client, *replies)


def item_of(key: StoredKey) -> dict[str, Any]:
    """Return the item that a key is stored as."""
    keys, far = table(json_answer({}))
    keys.add(key)
    item: dict[str, Any] = far.sent[0]["Item"]
    return item


@pytest.mark.parametrize(
    "key",
    [
        STORED,
        StoredKey.of(KEY, name="bob", now=NOW, expires_at=NOW + timedelta(days=1)),
        STORED.rotate(KEY, now=NOW, grace=timedelta(hours=1)).revoke(now=NOW),
    ],
)
def test_a_key_is_read_as_it_was_stored(key: StoredKey) -> None:
    """Every member comes back, and a limit of None is not an absent one."""
    keys, _ = table(json_answer({"Item": item_of(key)}))
    assert keys.get(key.id) == key


def test_limits_are_numbers_without_exponent_or_null() -> None:
    """The table compares numbers by their value, whatever their spelling."""
    assert item_of(STORED)["limits"] == {
        "M": {
            "daily_images_per_caller": {"N": "20"},
            "daily_usd_per_caller": {"N": "0.000001"},
            "images_per_minute_per_caller": {"NULL": True},
        }
    }


def test_a_whole_limit_is_read_as_a_whole_number() -> None:
    """DynamoDB returns 20.0 as 20, and a number of images never has a point."""
    keys, _ = table(json_answer({"Item": item_of(STORED)}))
    stored = keys.get(KEY.id)
    assert stored is not None
    assert isinstance(stored.limits["daily_images_per_caller"], int)


@pytest.mark.parametrize(
    ("old", "revoked"),
    [
        (STORED, "attribute_not_exists(revoked_at)"),
        (STORED.revoke(now=NOW), "attribute_exists(revoked_at)"),
    ],
)
def test_a_key_is_replaced_only_as_it_was_read(old: StoredKey, revoked: str) -> None:
    """The write holds only if digest, limits and revocation are still those of the old key."""
    keys, far = table(json_answer({}))
    new = replace(old, limits={})
    assert keys.replace(old, new)
    assert far.sent[0]["Item"] == item_of(new)
    assert far.sent[0]["ConditionExpression"] == f"digest = :digest AND limits = :limits AND {revoked}"
    assert far.sent[0]["ExpressionAttributeValues"] == {
        ":digest": {"S": old.digest},
        ":limits": item_of(old)["limits"],
    }


def test_somebody_elses_change_is_not_lost() -> None:
    """Any other failure of the write is raised."""
    keys, _ = table(refusal("ConditionalCheckFailedException"), refusal("AccessDeniedException"))
    assert not keys.replace(STORED, STORED.revoke(now=NOW))
    with pytest.raises(ClientError):
        keys.replace(STORED, STORED.revoke(now=NOW))
