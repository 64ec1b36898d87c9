"""The records of a deployment: reads the current version, writes the next one, and keeps the counters in step.

`Generation` has the transitions. This module adds the store, the moment of a transition, and the deployment's limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.errors import ImagegenError
from imagegen.generations.charges import NOTHING, Charge
from imagegen.generations.generation import RESEND_AFTER, Generation, Moment, derive_id
from imagegen.generations.ports import Clock, GenerationStore, Observer, Page, Quotas, Randomness

# A lease must outlive its function, whose time-out Lambda measures by a clock of its own.
_LEASE_SLACK: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The deployment's limits: time-outs in seconds, calls of one generation that may be paid, days of retention.

    `connection` is how long the connection of a synchronous request lasts at most.
    """

    function_timeout: float
    model_timeout: float
    connection: float
    max_paid_attempts: int
    record_retention_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The records of one deployment. A version is current once `write` has returned it."""

    store: GenerationStore
    quotas: Quotas
    clock: Clock
    randomness: Randomness
    observer: Observer
    limits: Limits

    def get(self, id_: str) -> Generation | None:
        """Return the current version of a record, or None if there is no record."""
        return self.store.get(id_)

    def of_owner(self, owner: str, *, limit: int, cursor: str | None) -> Page:
        """Return one page of a caller's history."""
        return self.store.of_owner(owner, limit=limit, cursor=cursor)

    def due(self, *, limit: int) -> Sequence[str]:
        """Return the ids of records that something should happen to by now; the index may lag behind the records."""
        return self.store.due(self.clock.now(), limit=limit)

    def claim(self, draft: Generation, *, replacing: Generation | None) -> Generation:
        """Write the first version for a key, for which a unit was taken; return the version that is current then."""
        return self.store.write(draft, replacing=replacing)

    def write(self, new: Generation, *, replacing: Generation) -> Generation:
        """Write a version if `replacing` is still current, and return the version that is current afterwards.

        Whoever's version is written also corrects the counters by what it changes.
        """
        stands = self.store.write(new, replacing=replacing)
        # Identity is enough: the store returns `new` itself if, and only if, it is the current version.
        if stands is new:
            self._correct(replacing, new)
        return stands

    def replaced(self, new: Generation, *, replacing: Generation) -> bool:
        """Write a version and say whether it was written."""
        return self.write(new, replacing=replacing) is new

    def give_back(self, draft: Generation) -> None:
        """Give back what was taken for a draft that is not claimed."""
        self._change(draft, NOTHING - draft.counted)

    def _correct(self, old: Generation, new: Generation) -> None:
        self._change(new, new.counted - old.counted)
        before, after = old.bill, new.bill
        if (before.spent, before.model) == (after.spent, after.model):
            return
        for model, amount in ((before.model, -before.spent), (after.model, after.spent)):
            if amount:
                self.observer.charged(new.id, model=model, key_id=after.key_id, micro_usd=amount)

    def _change(self, record: Generation, change: Charge) -> None:
        if not change:
            return
        try:
            self.quotas.correct(record.owner, record.quota_day, change)
        except ImagegenError as exc:
            # What was to be given back stays counted: a unit too many is better than an image too many.
            self.observer.warned("a counter was not corrected", id_=record.id, error=exc)

    def moment(self) -> Moment:
        """Return the moment of a transition: now, and a version that no record has had."""
        return Moment(now=self.clock.now(), version=self.randomness.token())

    def is_due(self, record: Generation) -> bool:
        """Say whether something should happen to a record by now."""
        return record.due_at is not None and record.due_at <= self.clock.now()

    def lease_is_live(self, record: Generation) -> bool:
        """Say whether an attempt may still be running."""
        return record.lease_is_live(self.clock.now())

    def is_forgotten(self, record: Generation) -> bool:
        """Say whether a record is past its retention: its id is unknown, and its key is free.

        The table removes it some time later. While an attempt is running, it is not forgotten yet.
        """
        return record.expires_at <= self.clock.now() and not self.lease_is_live(record)

    def may_pay_again(self, record: Generation) -> bool:
        """Say whether another call that may be paid is allowed; a synchronous request does not wait for one."""
        return record.asynchronous and record.may_be_paid_again(self.limits.max_paid_attempts)

    def draft(
        self, request: GenerationRequest, *, owner: str, fingerprint: str, key: str | None, asynchronous: bool
    ) -> Generation:
        """Return a new generation: queued, or with its first call granted."""
        moment = self.moment()
        # The seed is chosen here and not by the model, so that a second attempt makes the same image.
        seeded = request.task.with_seed(request.task.seed or self.randomness.seed())
        draft = Generation(
            id=derive_id(owner, self.randomness.token() if key is None else key),
            owner=owner,
            fingerprint=fingerprint,
            request=replace(request, task=seeded),
            asynchronous=asynchronous,
            created_at=moment.now,
            expires_at=moment.now + timedelta(days=self.limits.record_retention_days),
            state="queued",
            content_type=request.task.content_type,
            version=moment.version,
            claim=moment.version,
            quota_day=moment.now.date().isoformat(),
            # If the message is never sent, the sweep finds the record by this time.
            due_at=moment.now + RESEND_AFTER,
        )
        return draft if asynchronous else self.start(draft)

    def start(self, record: Generation) -> Generation:
        """Grant a queued record one call, under a lease that outlives the function."""
        return record.start(
            self.moment(),
            # Nobody else may touch the record while this function can still be alive.
            lease=timedelta(seconds=self.limits.function_timeout) + _LEASE_SLACK,
            max_paid_attempts=self.limits.max_paid_attempts,
        )
