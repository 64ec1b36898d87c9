"""The table of keys: what an item holds, and a write that loses nobody else's change."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from imagegen.adapters.key_table.items import item_of, stored_key
from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey
from tests.support import sdk_clients
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
    client = sdk_clients.dynamodb(session())
    return DynamoDbKeys(client=client, table="keys"), FarSide(client, *replies)


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
    keys, far = table(json_answer({}), json_answer({"Item": item_of(key)}))
    keys.add(key)
    assert far.sent[0]["Item"] == item_of(key)
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
    """Any other failure of the write is raised, also one whose reply has no code."""
    others = (refusal("AccessDeniedException"), json_answer({}, 300))
    keys, _ = table(refusal("ConditionalCheckFailedException"), *others)
    assert not keys.replace(STORED, STORED.revoke(now=NOW))
    for _ in others:
        with pytest.raises(ClientError):
            keys.replace(STORED, STORED.revoke(now=NOW))


@pytest.mark.parametrize(
    "changed",
    [
        {"id": {"N": "1"}},
        {"digest": None},
        {"digest": {"NULL": True}},
        {"created_at": {"S": "yesterday"}},
        {"expires_at": {"NULL": True}},
        {"revoked_at": {"S": ""}},
        {"previous_until": "2026-11-25"},
        {"limits": {"S": "none"}},
        {"limits": {"M": {"daily_images_per_caller": {"S": "20"}}}},
        {"limits": {"M": ["daily_images_per_caller"]}},
    ],
    ids=str,
)
def test_an_item_of_another_form_is_an_error(changed: dict[str, Any]) -> None:
    """Half a key must neither let anybody in nor pass for no key."""
    with pytest.raises(ValueError):  # noqa: PT011 - the words are of no concern
        stored_key({**item_of(STORED), **changed})


@pytest.mark.parametrize("member", ["id", "digest", "created_at"])
def test_an_item_without_what_every_key_has_is_an_error(member: str) -> None:
    """The other members may be absent."""
    item = {name: value for name, value in item_of(STORED).items() if name != member}
    with pytest.raises(ValueError, match=member):
        stored_key(item)


def test_a_key_of_the_first_release_has_no_limits() -> None:
    """Its limits are those of the deployment."""
    item = {name: item_of(STORED)[name] for name in ("id", "digest", "created_at")}
    assert stored_key(item) == replace(STORED, name="", limits={})
