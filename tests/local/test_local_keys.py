"""The two keys of the local service: they outlive the emulator, and one that no longer works is replaced."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey
from local.keys import NAMES, ensure
from operating.keys import Keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bare_emulator import Emulator


NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.fixture
def table(emulator: Emulator) -> DynamoDbKeys:
    """Return an empty table of keys."""
    client = boto3.client("dynamodb", **emulator.aws())
    return DynamoDbKeys(client=client, table=emulator.create_table())


def accepted(table: DynamoDbKeys, text: str) -> bool:
    """Say whether the table has a key that it would accept now."""
    key = ApiKey.parse(text)
    assert key is not None
    stored = table.get(key.id)
    return stored is not None and stored.accepts(key, datetime.now(tz=UTC))


def test_the_keys_stay_and_only_their_owner_can_read_them(table: DynamoDbKeys, tmp_path: Path) -> None:
    """A second `up` returns the same keys, and stores nothing more."""
    keys = ensure(table, folder=tmp_path)
    assert ensure(table, folder=tmp_path) == keys
    assert sorted(key.name for key in Keys(table=table).list()) == sorted(NAMES)
    assert all(accepted(table, key) for key in keys)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_a_new_emulator_gets_the_same_keys(table: DynamoDbKeys, emulator: Emulator, tmp_path: Path) -> None:
    """The folder remembers what the emulator has forgotten."""
    keys = ensure(table, folder=tmp_path)
    empty = DynamoDbKeys(client=boto3.client("dynamodb", **emulator.aws()), table=emulator.create_table())
    assert ensure(empty, folder=tmp_path) == keys
    assert all(accepted(empty, key) for key in keys)


@pytest.mark.parametrize("change", ["revoke", "rotate"])
def test_a_key_that_no_longer_works_is_replaced(table: DynamoDbKeys, tmp_path: Path, change: str) -> None:
    """Otherwise `up` would wait for a caller that nobody lets in. The other key stays."""
    first, second = ensure(table, folder=tmp_path)
    key = ApiKey.parse(first)
    assert key is not None
    if change == "revoke":
        Keys(table=table).revoke(key.id)
    else:
        Keys(table=table).rotate(key.id, grace=timedelta())
    renewed = ensure(table, folder=tmp_path)
    assert renewed[0] != first
    assert renewed[1] == second
    assert all(accepted(table, each) for each in renewed)


CHANGES: Mapping[str, Callable[[StoredKey], StoredKey]] = {
    "limit": lambda key: key.limit({"daily_usd_per_caller": 0.000001}),
    "drop": lambda key: key.limit({}, dropped=["images_per_minute_per_caller"]),
    "none": lambda key: key.limit({"daily_images_per_caller": None}),
    "rotate": lambda key: key.rotate(
        ApiKey.create(secrets.token_bytes, id_=key.id), now=NOW, grace=timedelta(hours=1)
    ),
    "revoke": lambda key: key.revoke(now=NOW),
}


@pytest.mark.parametrize("first", CHANGES)
@pytest.mark.parametrize("second", CHANGES)
def test_of_two_changes_at_once_the_second_is_refused(table: DynamoDbKeys, first: str, second: str) -> None:
    """Both read the same key. Whoever writes last would undo what the other wrote."""
    key = StoredKey.of(
        ApiKey.create(secrets.token_bytes),
        name="alice",
        now=NOW,
        limits={
            "daily_images_per_caller": 20,
            "daily_usd_per_caller": 14.0,
            "images_per_minute_per_caller": None,
        },
    )
    table.add(key)
    read = table.get(key.id)
    assert read == key
    changed = CHANGES[first](read)
    assert table.replace(read, changed)
    assert not table.replace(read, CHANGES[second](read))
    assert table.get(key.id) == changed
    assert table.replace(changed, CHANGES[second](changed))


def test_the_limits_of_a_key_are_changed_one_by_one(table: DynamoDbKeys) -> None:
    """The table keeps each as it was given: a number, none at all, or the stage's."""
    keys = Keys(table=table)
    key = keys.create(
        name="alice", limits={"daily_images_per_caller": 20, "images_per_minute_per_caller": None}
    )
    keys.limit(key.id, changed={"daily_usd_per_caller": 0.000001})
    (stored,) = keys.list()
    assert stored.limits == {
        "daily_images_per_caller": 20,
        "daily_usd_per_caller": 0.000001,
        "images_per_minute_per_caller": None,
    }
    keys.limit(key.id, changed={"daily_images_per_caller": None}, dropped=["images_per_minute_per_caller"])
    keys.rotate(key.id, grace=timedelta())
    keys.revoke(key.id)
    (stored,) = keys.list()
    assert stored.limits == {"daily_images_per_caller": None, "daily_usd_per_caller": 0.000001}
