"""What the table keeps of an API key, and when a key that was sent is the one that was stored."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Self

from imagegen.keys.api_key import ApiKey

LIMITS: Final = ("daily_images_per_caller", "daily_usd_per_caller", "images_per_minute_per_caller")
"""The settings of the deployment that a key may override with a number of its own."""

MAX_NAME_LENGTH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """One key of the table. Times are in UTC.

    `digest` is the SHA-256 of the key. After a rotation `previous_digest` is that of the key before, which is accepted
    until `previous_until`. A key is refused from `expires_at` on, and from the moment when it has `revoked_at`.
    `limits` overrides limits of the deployment for this key, by the name of the setting. None means that the key has no
    such limit, whatever the deployment's is. For a name that is absent the deployment's limit holds.
    """

    id: str
    name: str
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    previous_digest: str = ""
    previous_until: datetime | None = None
    limits: Mapping[str, float | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        key: ApiKey,
        *,
        name: str,
        now: datetime,
        expires_at: datetime | None = None,
        limits: Mapping[str, float | None] | None = None,
    ) -> Self:
        """Return what is stored of a new key."""
        return cls(
            id=key.id,
            name=name,
            digest=key.digest,
            created_at=now,
            expires_at=expires_at,
            limits=limits or {},
        )

    def rotate(self, key: ApiKey, *, now: datetime, grace: timedelta) -> Self:
        """Return it with a new secret; the secret of now is accepted for `grace` longer."""
        return replace(self, digest=key.digest, previous_digest=self.digest, previous_until=now + grace)

    def revoke(self, *, now: datetime) -> Self:
        """Return it revoked; a key that was revoked before keeps its time."""
        return self if self.revoked_at else replace(self, revoked_at=now)

    def limit(self, changed: Mapping[str, float | None], *, dropped: Collection[str] = ()) -> Self:
        """Return it with these limits changed; of those that are dropped the deployment's hold again."""
        kept = {name: number for name, number in self.limits.items() if name not in dropped}
        return replace(self, limits={**kept, **changed})

    def state(self, now: datetime) -> str:
        """Return `active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def accepts(self, key: ApiKey, now: datetime) -> bool:
        """Say whether a key that was sent is this one, and is accepted now."""
        if self.id != key.id or self.state(now) != "active":
            return False
        if hmac.compare_digest(self.digest, key.digest):
            return True
        in_grace = self.previous_until is not None and now < self.previous_until
        return in_grace and hmac.compare_digest(self.previous_digest, key.digest)
