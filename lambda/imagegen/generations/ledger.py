"""The transitions of `generations.py` with this deployment's clock, stamps and limits filled in.

Each method returns the next version of a record; it stands once `write` has returned it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.errors import ImagegenError
from imagegen.generations import generation as generations
from imagegen.generations.generation import Failure, Generation, StoredImage
from imagegen.generations.ports import Chance, Clock, GenerationStore, Page

_LEASE_SLACK: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers of the deployment: the functions' time-out in seconds, calls that may be paid, days kept."""

    function_timeout: float
    max_paid_attempts: int
    record_retention_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The records of one deployment."""

    store: GenerationStore
    clock: Clock
    chance: Chance
    limits: Limits

    def get(self, id_: str) -> Generation | None:
        """Return what stands."""
        return self.store.get(id_)

    def of_owner(self, owner: str, *, limit: int, cursor: str | None) -> Page:
        """Return one page of a caller's history."""
        return self.store.of_owner(owner, limit=limit, cursor=cursor)

    def due(self, *, limit: int) -> Sequence[str]:
        """Return the ids of records that something should happen to by now."""
        return self.store.due(self.clock.now(), limit=limit)

    def is_due(self, record: Generation) -> bool:
        """Tell whether something should happen to a record by now."""
        return record.due_at is not None and record.due_at <= self.clock.now()

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write a version if `replacing` still stands, and return what stands afterwards."""
        return self.store.write(new, replacing=replacing)

    def replaced(self, new: Generation, *, replacing: Generation) -> bool:
        """Write a version and tell whether it stands."""
        return self.store.write(new, replacing=replacing) is new

    def lease_is_live(self, record: Generation) -> bool:
        """Tell whether an attempt may still be running."""
        return record.lease_is_live(self.clock.now())

    def has_expired(self, record: Generation) -> bool:
        """Tell whether a record is past its retention; the table removes it some time later."""
        return record.expires_at <= self.clock.now()

    def may_pay_again(self, record: Generation) -> bool:
        """Tell whether another call that may be paid is allowed; at the HTTP door nobody waits for it."""
        return record.asynchronous and record.paid_attempts < self.limits.max_paid_attempts

    def draft(
        self, request: GenerationRequest, *, owner: str, asked: str, key: str | None, asynchronous: bool
    ) -> Generation:
        """Return a new generation: queued, or with its first call granted."""
        now = self.clock.now()
        image = replace(request.image, seed=request.image.seed or self.chance.seed())
        claim = self.chance.token()
        draft = Generation(
            id=generations.derive_id(owner, self.chance.token() if key is None else key),
            owner=owner,
            asked=asked,
            request=replace(request, image=image),
            asynchronous=asynchronous,
            created_at=now,
            expires_at=now + timedelta(days=self.limits.record_retention_days),
            state="queued",
            stamp=claim,
            claim=claim,
            quota_day=now.date().isoformat(),
            due_at=now + generations.RESEND_AFTER,
        )
        return draft if asynchronous else self.start(draft)

    def start(self, record: Generation) -> Generation:
        """Grant one call."""
        return generations.start(
            record,
            stamp=self.chance.token(),
            lease_until=self.clock.now() + self._lease,
            max_paid_attempts=self.limits.max_paid_attempts,
        )

    def succeed(self, record: Generation, image: StoredImage, *, ignored: tuple[str, ...]) -> Generation:
        """End with a stored image."""
        return generations.succeed(
            record, stamp=self.chance.token(), now=self.clock.now(), image=image, ignored=ignored
        )

    def fail(self, record: Generation, error: ImagegenError) -> Generation:
        """End without an image."""
        failure = Failure(
            code=error.kind.code,
            detail=error.detail,
            paid=error.kind.paid != "no",
            fields=tuple((item.field, item.message) for item in error.errors),
        )
        return generations.fail(record, stamp=self.chance.token(), now=self.clock.now(), failure=failure)

    def release(self, record: Generation) -> Generation:
        """Put an unbilled attempt back into the queue."""
        return generations.release(record, stamp=self.chance.token(), now=self.clock.now())

    def requeue(self, record: Generation) -> Generation:
        """Queue a generation again whose call left no image."""
        return generations.requeue(record, stamp=self.chance.token(), now=self.clock.now())

    def postpone(self, record: Generation) -> Generation:
        """Note that its message was sent again."""
        return generations.postpone(record, stamp=self.chance.token(), now=self.clock.now())

    def delete(self, record: Generation) -> Generation:
        """Leave a tombstone."""
        return generations.delete(record, stamp=self.chance.token(), now=self.clock.now())

    def end_webhook(self, record: Generation, *, delivered: bool) -> Generation:
        """Note how a call-back ended."""
        return generations.webhook_ended(record, stamp=self.chance.token(), delivered=delivered)

    def refuse_webhook(self, record: Generation) -> Generation:
        """Note that a call-back was not accepted."""
        return generations.webhook_refused(record, stamp=self.chance.token(), now=self.clock.now())

    def finish(self, record: Generation) -> Generation:
        """Note that nothing is left to do for a record."""
        return generations.settled(record, stamp=self.chance.token())

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.limits.function_timeout) + _LEASE_SLACK
