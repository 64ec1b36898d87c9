"""Makes, lists, limits, revokes and rotates the API keys of a stage."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import MAX_NAME_LENGTH, StoredKey
from tools.failures import LocalError


def _to_nobody(_: ApiKey) -> None:
    """Show a key to nobody: the caller has it."""


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
        show: Callable[[ApiKey], None] = _to_nobody,
    ) -> ApiKey:
        """Store a new key, hand it to `show`, and return it; nobody can read it again.

        Raises:
            LocalError: the name cannot be used, or an active key has it; or the key could not be shown.
        """
        _check_name(name)
        if any(key.name == name and key.state(self.now()) == "active" for key in self.table.all()):
            raise LocalError(f"There is a key named {name}: rotate or revoke it, or choose another NAME.")
        key, now = ApiKey.create(self.random_bytes), self.now()
        expires_at = now + expires_in if expires_in else None
        stored = StoredKey.of(key, name=name, now=now, expires_at=expires_at, limits=limits)
        self._add(stored)
        _hand_over(
            key,
            show,
            undo=lambda: self._replace(stored, stored.revoke(now=self.now())),
            undone="so it is revoked",
            left=f"and could not be revoked either: run `make revoke KEY={key.id}`",
        )
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

        return self._change(id_, limited)[1]

    def revoke(self, id_: str) -> StoredKey:
        """Revoke a key; it is refused everywhere within 30 seconds.

        Raises:
            LocalError: there is no such key.
        """
        return self._change(id_, lambda stored: stored.revoke(now=self.now()))[1]

    def rotate(self, id_: str, *, grace: timedelta, show: Callable[[ApiKey], None] = _to_nobody) -> ApiKey:
        """Give a key a new secret, hand it to `show`, and return it; the old one is accepted for `grace` longer.

        Raises:
            LocalError: there is no such key, or it is revoked or has expired; or the new one could not be shown.
        """
        key = ApiKey.create(self.random_bytes, id_=id_)

        def rotated(stored: StoredKey) -> StoredKey:
            self._check_active(stored)
            return stored.rotate(key, now=self.now(), grace=grace)

        before, after = self._change(id_, rotated)
        _hand_over(
            key,
            show,
            # Whoever has the old secret needs it for longer than `grace`, because there is no other one.
            undo=lambda: self._replace(after, before),
            undone="so its old secret holds again",
            left="and its old secret could not be restored: rotate it again",
        )
        return key

    def _check_active(self, stored: StoredKey) -> None:
        state = stored.state(self.now())
        if state != "active":
            raise LocalError(f"The key {stored.id} is {state}: make a new one with `make key`.")

    def _change(self, id_: str, change: Callable[[StoredKey], StoredKey]) -> tuple[StoredKey, StoredKey]:
        """Return the key before the change and after it."""
        stored = self.table.get(id_)
        if stored is None:
            raise LocalError(f"There is no key {id_!r}: `make keys` lists the ids.")
        changed = change(stored)
        if not self._replace(stored, changed):
            raise LocalError(
                f"Somebody else has just changed the key {id_}: look at `make keys`, then try again."
            )
        return stored, changed

    def _add(self, stored: StoredKey) -> None:
        try:
            self.table.add(stored)
        except (BotoCoreError, ClientError):
            # The answer may have been lost, and a repeated attempt is refused because of the first one.
            if self.table.get(stored.id) != stored:
                raise

    def _replace(self, old: StoredKey, new: StoredKey) -> bool:
        try:
            return self.table.replace(old, new) or self.table.get(old.id) == new
        except (BotoCoreError, ClientError):
            if self.table.get(old.id) != new:  # likewise
                raise
            return True


def _hand_over(
    key: ApiKey, show: Callable[[ApiKey], None], *, undo: Callable[[], bool], undone: str, left: str
) -> None:
    """Show a key; if that is not possible, undo what made it, because its secret is lost."""
    try:
        show(key)
    except (OSError, KeyboardInterrupt) as error:
        try:
            is_undone = undo()
        except (BotoCoreError, ClientError):
            is_undone = False
        why = error.strerror if isinstance(error, OSError) else "interrupted"
        raise LocalError(
            f"The key {key.id} could not be shown ({why}), {undone if is_undone else left}."
        ) from error


def _check_name(name: str) -> None:
    if not (1 <= len(name) <= MAX_NAME_LENGTH and name.isprintable() and name == name.strip()):
        raise LocalError(
            f"NAME must be 1 to {MAX_NAME_LENGTH} printable characters without spaces at its ends, such as alice."
        )
