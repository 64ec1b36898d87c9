"""The authorizer's decisions, over a table in memory."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from imagegen.keys.api_key import ApiKey
from imagegen.keys.authorizer import CACHE_FOR, CACHED_KEYS, READ_AGAIN_AFTER, AmbiguousKeys, Authorizer
from imagegen.keys.stored_key import StoredKey
from tests.support.fakes import FakeClock

KEY = ApiKey.create(secrets.token_bytes)
OTHER = ApiKey.create(secrets.token_bytes)


@dataclass
class Table:
    """The keys in memory, and how often each was read."""

    keys: dict[str, StoredKey] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def get(self, id_: str) -> StoredKey | None:
        """Return what is stored of a key."""
        self.reads.append(id_)
        return self.keys.get(id_)


@dataclass
class Gate:
    """An authorizer over a table in which `KEY` is good."""

    table: Table
    clock: FakeClock
    authorizer: Authorizer

    def decide(self, **headers: str | Sequence[str]) -> str:
        """Return `Allow` or `Deny` for a request with these headers."""
        return str(effect(self.authorizer.decide(asking(**headers))))


def asking(**headers: str | Sequence[str]) -> dict[str, Any]:
    """Return the gateway's question about a request; an underscore in a name stands for a hyphen."""
    sent = {
        name.replace("_", "-"): [value] if isinstance(value, str) else list(value)
        for name, value in headers.items()
    }
    return {"type": "REQUEST", "methodArn": "arn:aws:execute-api:…", "multiValueHeaders": sent}


def effect(policy: dict[str, Any]) -> Any:
    """Return what a policy says."""
    (statement,) = policy["policyDocument"]["Statement"]
    return statement["Effect"]


@pytest.fixture
def gate() -> Gate:
    """Return an authorizer that knows one key."""
    clock = FakeClock()
    table = Table({KEY.id: StoredKey.of(KEY, name="alice", now=clock.now())})
    return Gate(table=table, clock=clock, authorizer=Authorizer(keys=table, clock=clock))


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": KEY.text},
        {"X_Api_Key": KEY.text},
        {"Authorization": f"Bearer {KEY.text}"},
        {"authorization": f"bearer   {KEY.text} "},
        {"Authorization": f"Bearer {KEY.text}", "x_api_key": KEY.text},
        {"x_api_key": [KEY.text, KEY.text]},
        {"x_api_key": f" {KEY.text} "},
        {"Authorization": "Basic dXNlcjpwYXNz", "x_api_key": KEY.text},
        {"Authorization": f"Bearer {KEY.text}", "x_api_key": ""},
    ],
    ids=" ".join,
)
def test_one_good_key_is_let_in_in_either_spelling(gate: Gate, headers: dict[str, str]) -> None:
    """A client that can set only a bearer token and one that can set only a header both get in."""
    assert gate.decide(**headers) == "Allow"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_api_key": ""},
        {"Authorization": "Bearer"},
        {"Authorization": KEY.text},
        {"Authorization": f"Basic {KEY.text}"},
        {"x_api_key": OTHER.text},
        {"x_api_key": ApiKey(id=KEY.id, secret=OTHER.secret).text},
        {"x_api_key": KEY.id},
        {"x_api_key": KEY.text.upper()},
        {"x_api_key": f"{KEY.text}, {KEY.text}"},
        {"x_owner": KEY.text},
        {"x_api_key": "sk-1234567890"},
    ],
)
def test_everything_else_is_refused(gate: Gate, headers: dict[str, str]) -> None:
    """No key, an unknown one, a wrong secret, or a key at another place."""
    assert gate.decide(**headers) == "Deny"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": KEY.text, "Authorization": f"Bearer {OTHER.text}"},
        {"x_api_key": [KEY.text, OTHER.text]},
        {"Authorization": [f"Bearer {KEY.text}", "Bearer undefined"]},
    ],
)
def test_two_different_keys_are_an_error_of_their_own(gate: Gate, headers: dict[str, str]) -> None:
    """The service does not guess which of them is meant; API Gateway knows the error by this text."""
    with pytest.raises(AmbiguousKeys) as caught:
        gate.decide(**headers)
    assert str(caught.value) == "Unauthorized"


def test_the_gateway_learns_the_id_and_the_limits_and_never_the_key(gate: Gate) -> None:
    """The access log and the function see what the policy holds."""
    limits = {
        "daily_images_per_caller": 3,
        "daily_usd_per_caller": 12.5,
        "images_per_minute_per_caller": None,
    }
    gate.table.keys[KEY.id] = StoredKey.of(KEY, name="alice", now=gate.clock.now(), limits=limits)
    policy = gate.authorizer.decide(asking(x_api_key=KEY.text))
    assert policy["principalId"] == policy["context"]["keyId"] == KEY.id
    assert json.loads(policy["context"]["limits"]) == limits
    assert KEY.secret not in json.dumps(policy)
    assert KEY.digest not in json.dumps(policy)


def test_a_revoked_key_is_refused_within_half_a_minute_by_a_process_that_knows_it(gate: Gate) -> None:
    """What was read is believed for half a minute."""
    assert gate.decide(x_api_key=KEY.text) == "Allow"
    gate.table.keys[KEY.id] = gate.table.keys[KEY.id].revoke(now=gate.clock.now())
    assert CACHE_FOR.total_seconds() <= 30
    gate.clock.sleep(CACHE_FOR.total_seconds())
    assert gate.decide(x_api_key=KEY.text) == "Deny"


def test_a_key_is_read_once_in_half_a_minute(gate: Gate) -> None:
    """Requests one after the other wait for the table once."""
    for _ in range(5):
        gate.decide(x_api_key=KEY.text)
    gate.clock.sleep(CACHE_FOR.total_seconds())
    gate.decide(x_api_key=KEY.text)
    assert gate.table.reads == [KEY.id, KEY.id]


def test_a_rotated_key_works_within_seconds_of_a_process_that_knows_the_old_one(gate: Gate) -> None:
    """What it remembers does not accept the new secret, so it reads the key again, but not at once every time."""
    rotated = ApiKey(id=KEY.id, secret=OTHER.secret)
    assert gate.decide(x_api_key=KEY.text) == "Allow"
    gate.table.keys[KEY.id] = gate.table.keys[KEY.id].rotate(
        rotated, now=gate.clock.now(), grace=timedelta(hours=1)
    )
    assert [gate.decide(x_api_key=rotated.text) for _ in range(5)] == ["Deny"] * 5
    assert gate.table.reads == [KEY.id]
    gate.clock.sleep(READ_AGAIN_AFTER.total_seconds())
    assert [gate.decide(x_api_key=key.text) for key in (rotated, KEY)] == ["Allow", "Allow"]
    assert gate.table.reads == [KEY.id, KEY.id]


def test_a_key_expires_also_while_it_is_remembered(gate: Gate) -> None:
    """The clock is asked anew for each request."""
    soon = gate.clock.now() + timedelta(seconds=5)
    gate.table.keys[KEY.id] = StoredKey.of(KEY, name="alice", now=gate.clock.now(), expires_at=soon)
    assert gate.decide(x_api_key=KEY.text) == "Allow"
    gate.clock.sleep(5)
    assert gate.decide(x_api_key=KEY.text) == "Deny"


def test_a_new_key_works_at_once_also_if_it_was_tried_before(gate: Gate) -> None:
    """Unknown ids are not remembered."""
    assert gate.decide(x_api_key=OTHER.text) == "Deny"
    gate.table.keys[OTHER.id] = StoredKey.of(OTHER, name="bob", now=gate.clock.now())
    assert gate.decide(x_api_key=OTHER.text) == "Allow"


def test_what_does_not_look_like_a_key_costs_no_read(gate: Gate) -> None:
    """Strangers who try words do not reach the table."""
    for text in ("", "password", KEY.text[:-1], "ig_" + "1" * 52):
        gate.decide(x_api_key=text, Authorization=f"Bearer {text}")
    assert gate.table.reads == []


def test_the_memory_is_bounded(gate: Gate) -> None:
    """A process remembers a thousand keys, the latest ones."""
    made = [ApiKey.create(secrets.token_bytes) for _ in range(CACHED_KEYS + 1)]
    now = gate.clock.now()
    gate.table.keys = {key.id: StoredKey.of(key, name="x", now=now) for key in made}
    for key in (*made, made[-1], made[0]):
        assert gate.decide(x_api_key=key.text) == "Allow"
    assert len(gate.table.reads) == CACHED_KEYS + 2


def test_headers_of_a_single_value_count_where_the_lists_are_absent(gate: Gate) -> None:
    """The gateway sends both forms; some programs send one."""
    assert effect(gate.authorizer.decide({"headers": {"X-API-Key": KEY.text}})) == "Allow"
    assert effect(gate.authorizer.decide({"headers": None})) == "Deny"
