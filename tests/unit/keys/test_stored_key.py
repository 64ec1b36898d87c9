"""A stored key accepts its own secret: not before, not after, and for a while also the one before a rotation."""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey

if TYPE_CHECKING:
    import pytest

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = ApiKey.create(secrets.token_bytes)
STORED = StoredKey.of(KEY, name="alice", now=NOW)


def test_a_key_is_accepted_and_another_secret_or_id_is_not() -> None:
    """Both parts have to be right."""
    other = ApiKey.create(secrets.token_bytes)
    assert STORED.accepts(KEY, NOW)
    assert not STORED.accepts(ApiKey(id=KEY.id, secret=other.secret), NOW)
    assert not STORED.accepts(ApiKey(id=other.id, secret=KEY.secret), NOW)


def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a refusal takes does not tell how much of the digest was right: the current one and the one before."""
    compared: list[str] = []
    compare = hmac.compare_digest

    def noting(stored: str, sent: str) -> bool:
        compared.append(stored)
        return compare(stored, sent)

    monkeypatch.setattr("imagegen.keys.stored_key.hmac.compare_digest", noting)
    second = ApiKey.create(secrets.token_bytes, id_=KEY.id)
    rotated = STORED.rotate(second, now=NOW, grace=HOUR)
    assert not rotated.accepts(ApiKey.create(secrets.token_bytes, id_=KEY.id), NOW)
    assert compared == [second.digest, KEY.digest]


def test_nothing_that_is_stored_is_the_key() -> None:
    """Whoever reads the table cannot call the API."""
    assert KEY.secret not in repr(STORED)


def test_a_key_expires_to_the_moment() -> None:
    """It is refused from the time on that was set, and its state says so."""
    stored = StoredKey.of(KEY, name="alice", now=NOW, expires_at=NOW + HOUR)
    assert stored.accepts(KEY, NOW + HOUR - timedelta(microseconds=1))
    assert not stored.accepts(KEY, NOW + HOUR)
    assert (stored.state(NOW), stored.state(NOW + HOUR)) == ("active", "expired")


def test_a_revoked_key_is_refused_for_good() -> None:
    """A second revocation changes nothing."""
    revoked = STORED.revoke(now=NOW)
    assert not revoked.accepts(KEY, NOW)
    assert revoked.state(NOW) == "revoked"
    assert revoked.revoke(now=NOW + HOUR) == revoked


def test_after_a_rotation_both_secrets_are_accepted_until_the_grace_is_over() -> None:
    """The key before the one before is not, however soon it was rotated again."""
    second = ApiKey.create(secrets.token_bytes, id_=KEY.id)
    third = ApiKey.create(secrets.token_bytes, id_=KEY.id)
    rotated = STORED.rotate(second, now=NOW, grace=HOUR)
    assert rotated.accepts(second, NOW)
    assert rotated.accepts(KEY, NOW + HOUR - timedelta(microseconds=1))
    assert not rotated.accepts(KEY, NOW + HOUR)
    assert rotated.accepts(second, NOW + HOUR)
    again = rotated.rotate(third, now=NOW, grace=HOUR)
    assert [again.accepts(key, NOW) for key in (KEY, second, third)] == [False, True, True]


def test_a_rotation_without_grace_ends_the_old_secret_at_once() -> None:
    """For a key that has leaked."""
    second = ApiKey.create(secrets.token_bytes, id_=KEY.id)
    assert not STORED.rotate(second, now=NOW, grace=timedelta()).accepts(KEY, NOW)


def test_a_revoked_key_is_refused_with_its_old_secret_too() -> None:
    """The grace of a rotation ends with the key."""
    second = ApiKey.create(secrets.token_bytes, id_=KEY.id)
    revoked = STORED.rotate(second, now=NOW, grace=HOUR).revoke(now=NOW)
    assert [revoked.accepts(key, NOW) for key in (KEY, second)] == [False, False]


def test_a_change_of_limits_leaves_the_others_as_they_are() -> None:
    """A limit of None is kept apart from an absent one."""
    limited = STORED.limit({"daily_images_per_caller": None, "daily_usd_per_caller": 12.5})
    assert limited.limits == {"daily_images_per_caller": None, "daily_usd_per_caller": 12.5}
    changed = limited.limit({"images_per_minute_per_caller": 0}, dropped=["daily_images_per_caller"])
    assert changed.limits == {"daily_usd_per_caller": 12.5, "images_per_minute_per_caller": 0}
    assert changed.limit({}, dropped=["daily_images_per_caller", *changed.limits]) == STORED
