"""Makes, lists, limits, revokes and rotates the API keys of a stage."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imagegen.adapters.key_table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import MAX_NAME_LENGTH, StoredKey
from tools.failures import LocalError


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys of one stage."""

    table: DynamoDbKeys
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    random_bytes: Callable[[int], bytes] = secrets.token_bytes

    def create(
        self,
        *,
        name: str,
        expires_in: timedelta | None = None,
        limits: Mapping[str, float | None] | None = None,
    ) -> ApiKey:
        """Store a new key and return it; nobody can read it again.

        Raises:
            LocalError: the name cannot be used, or an active key has it.
        """
        _check_name(name)
        if any(key.name == name and key.state(self.now()) == "active" for key in self.table.all()):
            raise LocalError(f"There is a key named {name}: rotate or revoke it, or choose another NAME.")
        key, now = ApiKey.create(self.random_bytes), self.now()
        expires_at = now + expires_in if expires_in else None
        self.table.add(StoredKey.of(key, name=name, now=now, expires_at=expires_at, limits=limits))
        return key

    def list(self) -> Sequence[StoredKey]:
        """Return every key, oldest first."""
        return sorted(self.table.all(), key=lambda key: (key.created_at, key.id))

    def limit(
        self, id_: str, *, changed: Mapping[str, float | None], dropped: Collection[str] = ()
    ) -> StoredKey:
        """Change limits of a key, and return it; of those that are dropped the stage's hold again.

        Raises:
            LocalError: there is no such key, or it is revoked or has expired.
        """

        def limited(stored: StoredKey) -> StoredKey:
            self._check_active(stored)
            return stored.limit(changed, dropped=dropped)

        return self._change(id_, limited)

    def revoke(self, id_: str) -> StoredKey:
        """Revoke a key; it is refused everywhere within 30 seconds.

        Raises:
            LocalError: there is no such key.
        """
        return self._change(id_, lambda stored: stored.revoke(now=self.now()))

    def rotate(self, id_: str, *, grace: timedelta) -> ApiKey:
        """Give a key a new secret and return it; the old one is accepted for `grace` longer.

        Raises:
            LocalError: there is no such key, or it is revoked or has expired.
        """
        key = ApiKey.create(self.random_bytes, id_=id_)

        def rotated(stored: StoredKey) -> StoredKey:
            self._check_active(stored)
            return stored.rotate(key, now=self.now(), grace=grace)

        self._change(id_, rotated)
        return key

    def _check_active(self, stored: StoredKey) -> None:
        state = stored.state(self.now())
        if state != "active":
            raise LocalError(f"The key {stored.id} is {state}: make a new one with `make key`.")

    def _change(self, id_: str, change: Callable[[StoredKey], StoredKey]) -> StoredKey:
        stored = self.table.get(id_)
        if stored is None:
            raise LocalError(f"There is no key {id_!r}: `make keys` lists the ids.")
        changed = change(stored)
        if not self.table.replace(stored, changed):
            raise LocalError(
                f"Somebody else has just changed the key {id_}: look at `make keys`, then try again."
            )
        return changed


def _check_name(name: str) -> None:
    if not (1 <= len(name) <= MAX_NAME_LENGTH and name.isprintable() and name == name.strip()):
        raise LocalError(
            f"NAME must be 1 to {MAX_NAME_LENGTH} printable characters without spaces at its ends, such as alice."
        )
