"""Submits a request: finds what its idempotency key made before, or claims a record and makes or queues the image.

Whatever is cut off in between is found again: by its lease if it ran, by its due time if its message was lost.
`generation.py` shows the races.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.errors import ImagegenError
from imagegen.generations.attempts import Attempts
from imagegen.generations.charges import Charge, OwnLimits, QuotaLimits, Remaining
from imagegen.generations.generation import Bill, Generation, derive_id
from imagegen.generations.ledger import Ledger
from imagegen.generations.ports import Clock, Deadline, Observer, Quotas, WorkQueue
from imagegen.generations.repeats import Chosen, Repeats, RepeatSigns

NO_LIMITS: Final[OwnLimits] = {}

POLL_AFTER: Final = 2
"""Seconds after which a client may look again at a generation that is not done."""

# A repeat looks again after this many seconds.
_LOOK_EVERY: Final = 0.5
# Seconds that are left for the reply when a repeat has waited as long as it may.
_REPLY_RESERVE: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A generation as it is after a request; `replayed` if an earlier request with the same idempotency key made it.

    `chosen` is how the service chose the key of a request without one.
    """

    generation: Generation
    replayed: bool
    chosen: Chosen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was counted for a caller by day, the limits that hold for it, and what is left of today."""

    days: tuple[tuple[str, Charge], ...]
    limits: QuotaLimits
    remaining: Remaining


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One request while it is submitted; `began` is when."""

    request: GenerationRequest
    owner: str
    fingerprint: str
    asynchronous: bool
    own: OwnLimits
    key_id: str
    deadline: Deadline
    began: datetime
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitter:
    """Accepts requests for new generations."""

    attempts: Attempts
    ledger: Ledger
    quotas: Quotas
    repeats: Repeats
    queue: WorkQueue
    clock: Clock
    observer: Observer

    def submit(
        self,
        request: GenerationRequest,
        *,
        owner: str,
        fingerprint: str,
        key: str | None,
        asynchronous: bool,
        deadline: Deadline,
        own: OwnLimits = NO_LIMITS,
        key_id: str = "",
        signs: RepeatSigns = RepeatSigns(),  # noqa: B008 - frozen
        position: int = 0,
        waits: bool = False,
    ) -> Submission:
        """Make the image, or queue it, or return what the same idempotency key made before.

        `fingerprint` is of the caller's own request. A synchronous generation comes back succeeded. `own` are the
        limits of the caller's API key, and `key_id` is its id.

        A synchronous request without a key may be a repeat by its `signs` (`repeats.py`); then it returns what the
        repeated one call. `position` tells the images of one request apart. With `waits`, a request whose key is still
        running waits for the image, as every repeat without a key does.

        Raises:
            ImagegenError: the generation failed, now or when the key was first used; or another request of the
                same key is still running (`InProgress`) or was a different one (`IdempotencyConflict`).
        """
        call = _Call(
            request=request,
            owner=owner,
            fingerprint=fingerprint,
            asynchronous=asynchronous,
            own=own,
            key_id=key_id,
            deadline=deadline,
            began=signs.began(self.clock.now(), connection=self.ledger.limits.connection),
            waits=waits,
        )
        # A repeat without a key changes nothing for asynchronous requests: their replies come at once.
        if key is not None or asynchronous:
            return self._submit(call, key=key, may_stand=key is not None)
        name = f"{owner}#{fingerprint}#{position}"
        chosen = self.repeats.chosen(name, owner=owner, signs=signs, began=call.began)
        submission = self._submit(
            replace(call, waits=True), key=chosen.request.key, may_stand=chosen.is_repeat
        )
        return replace(submission, chosen=chosen)

    @contextmanager
    def replying(self, *made: Submission) -> Iterator[None]:
        """Make the reply to submissions inside: whether that succeeds decides what a repeat of their request gets.

        Raises:
            ImagegenError: what was raised inside, as `undelivered` returns it.
        """
        try:
            yield
        except ImagegenError as exc:
            raise self.undelivered(exc, *made) from exc
        except Exception as exc:
            self.observer.defect(exc)
            error = errors.InternalError("The service has a defect, and could not make the reply.")
            raise self.undelivered(error, *made) from exc
        for one in made:
            if one.chosen is not None and one.chosen.is_repeat and one.replayed:
                self.repeats.handed_over(one.chosen)

    def undelivered(self, error: ImagegenError, *made: Submission) -> ImagegenError:
        """Return why images do not reach their caller, as an error that says they are paid; a repeat gets them."""
        # An image that was removed is not lost by this request.
        gone = isinstance(error, errors.Gone)
        images = [one for one in made if one.generation.state == "succeeded" and not gone]
        for one in images:
            if one.chosen is not None:
                self.repeats.not_delivered(one.chosen)
        if not images:
            return error
        id_ = error.generation_id or images[0].generation.id
        return replace(error, charged="yes", generation_id=id_)

    def _submit(self, call: _Call, *, key: str | None, may_stand: bool) -> Submission:
        owner = call.owner
        # The id derives from owner and key, so a repeated request meets its record by the id.
        draft = self.ledger.draft(
            call.request,
            owner=owner,
            fingerprint=call.fingerprint,
            key=key,
            asynchronous=call.asynchronous,
        )
        standing = self.ledger.get(draft.id) if may_stand else None
        if standing is not None and not self._is_free(standing, call):
            return self._replayed(standing, call)
        # Before the quota: a request that no model can serve must not cost a unit.
        price = self.attempts.caller.price(call.request)
        # A worker may repeat a call that may have been paid; a synchronous request has one.
        calls = self.ledger.limits.max_paid_attempts if call.asynchronous else 1
        # Whether a client has lost its connection is told by when it asked, and choosing the key took time.
        draft = replace(draft, created_at=call.began, bill=Bill(each=price, calls=calls, key_id=call.key_id))
        try:
            self.quotas.take(owner, draft.quota_day, draft.counted, own=call.own)
        except (errors.QuotaExceeded, errors.RateLimited):
            # A duplicate of this request may have taken the last unit. Then this one is a replay, not one too many.
            standing = self._seen(draft.id) if key else None
            if standing is None or self._is_free(standing, call):
                raise
            return self._replayed(standing, call)
        stands = self._claim(draft, replacing=standing)
        if stands is not draft:
            return self._replayed(stands, call)
        if not call.asynchronous:
            return Submission(generation=self._run(draft, call.deadline), replayed=False)
        send(draft, queue=self.queue, observer=self.observer)
        return Submission(generation=draft, replayed=False)

    def images_left(self, owner: str, *, own: OwnLimits = NO_LIMITS) -> int | None:
        """Return how many images a caller may still make today (UTC), or None if nothing is limited.

        Of a budget in dollars, as many as it covers at the highest price of the dearest model.
        """
        left = self.quotas.left(owner, self._today(), own=own)
        if left.micro_usd is None:
            return left.images
        covered = left.micro_usd // max(1, self.attempts.caller.dearest())
        return covered if left.images is None else min(left.images, covered)

    def usage(self, owner: str, *, days: int, own: OwnLimits = NO_LIMITS) -> Usage:
        """Return what was counted for a caller on the last days, today first, and what is left of today."""
        today = self.ledger.clock.now().date()
        dates = [(today - timedelta(days=ago)).isoformat() for ago in range(days)]
        counted = self.quotas.usage(owner, dates)
        return Usage(
            days=tuple(zip(dates, counted, strict=True)),
            limits=self.quotas.limits(own),
            remaining=self.quotas.left(owner, dates[0], own=own),
        )

    def _today(self) -> str:
        return self.ledger.clock.now().date().isoformat()

    def refuse_other_use(self, key: str, *, owner: str, fingerprint: str) -> None:
        """Make sure that an idempotency key is free, or was used for the same request.

        Raises:
            IdempotencyConflict: it was used before with another request.
        """
        standing = self.ledger.get(derive_id(owner, key))
        if standing is not None and not self.ledger.is_forgotten(standing):
            _check_same(standing, fingerprint)

    def _is_free(self, standing: Generation, call: _Call) -> bool:
        """Say whether a key that was used before may be claimed again."""
        # A failure that cost nothing frees its key: see docs/decisions/0004-an-unpaid-failure-frees-its-key.md.
        same = standing.fingerprint == call.fingerprint
        return (same and standing.restartable) or self.ledger.is_forgotten(standing)

    def _run(self, record: Generation, deadline: Deadline) -> Generation:
        try:
            return self.attempts.run(record, deadline)
        except ImagegenError as exc:
            raise replace(exc, generation_id=record.id) from exc

    def _seen(self, id_: str) -> Generation | None:
        """Return a record if the table responds."""
        try:
            return self.ledger.get(id_)
        except ImagegenError as exc:
            self.observer.warned("a refused request was not looked for", id_=id_, error=exc)
            return None

    def _claim(self, draft: Generation, *, replacing: Generation | None) -> Generation:
        stands = self._write_claim(draft, replacing=replacing)
        # Another request with the same key was faster, and took a unit of its own. If the claim is ours, the first try
        # of this write was written after all, and somebody has gone on from there: then the unit is in use.
        if stands.claim != draft.claim:
            self.ledger.give_back(draft)
        return stands

    def _write_claim(self, draft: Generation, *, replacing: Generation | None) -> Generation:
        try:
            return self.ledger.claim(draft, replacing=replacing)
        except ImagegenError as exc:
            # The claim may have been written, and a worker may pay for it. A second write shows whether it was. If that
            # fails as well, the quota unit stays counted: a unit too many is better than an image too many.
            self.observer.warned("a claim is written again", id_=draft.id, error=exc)
        try:
            return self.ledger.claim(draft, replacing=replacing)
        except errors.InternalError as exc:
            # If the record was written after all, the sweep sends its message, and a worker pays for it. A
            # synchronous record has no call to a model without this request.
            if draft.asynchronous:
                raise errors.OutcomeUnknown(
                    "The table did not respond, but the job may have been queued."
                ) from exc
            raise

    def _replayed(self, standing: Generation, call: _Call) -> Submission:
        _check_same(standing, call.fingerprint)
        _check_webhook(standing, call.request.webhook_url)
        standing = self.attempts.refresh(standing)
        if call.waits:
            standing = self._awaited(standing, call)
        if standing.state == "deleted":
            raise errors.Gone("The generation that this request repeats was deleted.")
        if standing.failure is not None:
            raise standing.failure.error(generation_id=standing.id, replayed=True)
        # An asynchronous repetition gets the 202 again:
        # see docs/decisions/0052-a-repeated-asynchronous-request-is-accepted-again.md.
        if not standing.terminal and not call.asynchronous:
            raise errors.in_progress(standing.id, retry_after=POLL_AFTER)
        return Submission(generation=standing, replayed=True)

    def _awaited(self, standing: Generation, call: _Call) -> Generation:
        """Return a generation as it is when it has ended, or when the connection of this request will not last."""
        until = call.began + timedelta(seconds=self.ledger.limits.connection - _REPLY_RESERVE)
        while not standing.terminal:
            if self.clock.now() >= until or call.deadline.remaining() < _REPLY_RESERVE:
                break
            self.clock.sleep(_LOOK_EVERY)
            standing = self.attempts.refresh(self.ledger.get(standing.id) or standing)
        return standing


def send(generation: Generation, *, queue: WorkQueue, observer: Observer) -> None:
    """Send a generation's message; if that fails, the sweep sends it when the record is due."""
    try:
        queue.send(generation)
    except ImagegenError as exc:
        # No failure for the client: the record is written, and becomes due in two minutes.
        observer.warned("a message was not sent; the sweep sends it again", id_=generation.id, error=exc)


def _check_same(standing: Generation, fingerprint: str) -> None:
    if standing.fingerprint != fingerprint:
        raise errors.IdempotencyConflict("The Idempotency-Key was used before with another request.")


def _check_webhook(standing: Generation, webhook_url: str | None) -> None:
    # The end is announced once, to the first URL; a second one would be dropped without a word. A tombstone has none.
    if webhook_url is None or standing.state == "deleted" or webhook_url == standing.request.webhook_url:
        return
    raise errors.IdempotencyConflict(
        "The Idempotency-Key was used before with another webhook_url, or with none."
    )
