"""The use case: make an image once, keep it, and say what happened. Two doors call it: HTTP and the queue.

Only this module and `attempts.py`, which runs the attempt itself, talk to more than one port. A new image is counted
against the quota, then claims its record, then is made or queued. Whatever is cut off in between is found again: by
its lease if it ran, by its due time if its message was lost (`generations.py` draws the races).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.errors import ImagegenError
from imagegen.generations import generation as generations
from imagegen.generations.attempts import Attempts
from imagegen.generations.generation import Generation
from imagegen.generations.ledger import Ledger
from imagegen.generations.ports import (
    Deadline,
    ImageStore,
    JobQueue,
    Observer,
    Page,
    Quotas,
    SignedUrl,
    WebhookSender,
)

POLL_AFTER: Final = 2
"""Seconds after which a client may look again at a generation that is not done."""

_DELETE_TRIES: Final = 3


class NotYet(Exception):
    """The job cannot be finished now, and its message must come back later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A generation as it stands after a request; `replayed` if an earlier request of the same key made it."""

    generation: Generation
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """The use case with everything that it needs, passed by name."""

    attempts: Attempts
    images: ImageStore
    ledger: Ledger
    quotas: Quotas
    queue: JobQueue
    webhook: WebhookSender
    observer: Observer

    # -- the HTTP door ---------------------------------------------------------------------------------------------

    def submit(
        self,
        request: GenerationRequest,
        *,
        owner: str,
        asked: str,
        key: str | None,
        asynchronous: bool,
        deadline: Deadline,
    ) -> Submission:
        """Make the image, or queue it, or find what the same key made before.

        `asked` is the fingerprint of the caller's own request. Synchronously, the generation comes back succeeded.

        Raises:
            ImagegenError: the generation failed, now or when the key was first used; or another request of the
                same key is still running (`InProgress`) or asked for something else (`IdempotencyConflict`).
        """
        draft = self.ledger.draft(request, owner=owner, asked=asked, key=key, asynchronous=asynchronous)
        standing = self.ledger.get(draft.id) if key else None
        if standing is not None and not (standing.asked == asked and standing.restartable):
            return self._replayed(standing, asked=asked, asynchronous=asynchronous)
        self.attempts.caller.check(request)
        try:
            self.quotas.take(owner, draft.quota_day)
        except errors.QuotaExceeded:
            # a duplicate of the request that took the last image is answered like any other duplicate
            standing = self.ledger.get(draft.id) if key else None
            if standing is None or standing.restartable:
                raise
            return self._replayed(standing, asked=asked, asynchronous=asynchronous)
        stands = self._claim(draft, replacing=standing)
        if stands is not draft:
            if stands.claim != draft.claim:
                self.attempts.give_back(draft)
            return self._replayed(stands, asked=asked, asynchronous=asynchronous)
        if not asynchronous:
            return Submission(generation=self._made(draft, deadline), replayed=False)
        self._send(draft.id)
        return Submission(generation=draft, replayed=False)

    def refuse_other_use(self, key: str, *, owner: str, asked: str) -> None:
        """Make sure that an idempotency key is free, or was used for the same request.

        Raises:
            IdempotencyConflict: it was used before with another request.
        """
        standing = self.ledger.get(generations.derive_id(owner, key))
        if standing is not None:
            _check_asked(standing, asked)

    def look_up(self, id_: str, *, owner: str) -> Generation:
        """Return a caller's own generation, settled if its attempt was cut off.

        Raises:
            NotFound: it is unknown, deleted, past its retention, or another caller's; all look the same.
        """
        record = self._settled(self._own(id_, owner=owner))
        if record.state == "deleted":
            raise errors.no_such_generation()
        return record

    def history(self, *, owner: str, limit: int, cursor: str | None) -> Page:
        """Return one page of a caller's generations, newest first; the last may hold fewer than `limit`."""
        page = self.ledger.of_owner(owner, limit=limit, cursor=cursor)
        # the table removes a record some time after its retention; until then it is as unknown here as in `look_up`
        kept = tuple(record for record in page.generations if not self.ledger.has_expired(record))
        return replace(page, generations=kept)

    def url(self, generation: Generation) -> SignedUrl:
        """Return a fresh presigned URL of a generation's image, without looking whether it is there."""
        return self.images.url(generation.owner, generation.id)

    def read(self, generation: Generation) -> bytes:
        """Return the bytes of a succeeded generation's image.

        Raises:
            Gone: as `require_image`.
        """
        png = self.images.read(generation.owner, generation.id)
        if png is None:
            raise errors.Gone("The image has been removed.")
        return png

    def require_image(self, generation: Generation) -> None:
        """Make sure that a succeeded generation's image is still there.

        Raises:
            Gone: the image has been removed, by its lifecycle or by hand.
        """
        if self.images.find(generation.owner, generation.id) is None:
            raise errors.Gone("The image has been removed.")

    def delete(self, id_: str, *, owner: str) -> None:
        """Remove a generation, then its image; cut off in between it can be repeated, and the sweeper finishes it.

        Raises:
            NotFound: as `look_up`.
            InProgress: it is not done yet.
        """
        for _ in range(_DELETE_TRIES):
            record = self._settled(self._own(id_, owner=owner))
            if record.state == "deleted" and record.due_at is None:
                raise errors.no_such_generation()
            if not record.terminal:
                break
            tombstone = record if record.state == "deleted" else self.ledger.delete(record)
            # the record first: removing the image of one that is restarted or healed meanwhile would lose it
            if tombstone is record or self.ledger.replaced(tombstone, replacing=record):
                self._remove_image(tombstone)
                return
        raise errors.in_progress(id_, retry_after=POLL_AFTER)

    # -- the queue's door ------------------------------------------------------------------------------------------

    def work(self, id_: str, deadline: Deadline) -> None:
        """Do what a queued id's record asks for: start it, recover it, or call its webhook.

        Raises:
            NotYet: the message must not be acknowledged.
        """
        record = self._settled_or_not_yet(id_)
        if record is not None and record.state == "queued":
            record = self._work_queued(record, deadline)
        if record is not None and record.webhook == "pending":
            self._call_webhook(record)

    def bury(self, id_: str) -> None:
        """End a job whose message was given up, unless it ended by itself; the sweeper tells its webhook.

        Raises:
            NotYet: it is still running.
        """
        record = self._settled_or_not_yet(id_)
        if record is not None and record.state == "queued":
            why = "The job was tried too often without an end."
            error = errors.OutcomeUnknown(why) if record.paid_attempts else errors.ModelUnavailable(why)
            self.attempts.end_failed(record, error)

    def sweep(self, *, limit: int) -> int:
        """Deal with what is due and may have no message; return how many records were due."""
        due = self.ledger.due(limit=limit)
        for id_ in due:
            try:
                self._sweep(id_)
            except ImagegenError as exc:
                self.observer.noted("a due record is swept again later", id_=id_, error=exc)
            except Exception as exc:  # noqa: BLE001 - one broken record must not keep the others waiting
                self.observer.defect(exc)
        return len(due)

    # -- the steps -------------------------------------------------------------------------------------------------

    def _made(self, record: Generation, deadline: Deadline) -> Generation:
        try:
            return self.attempts.run(record, deadline)
        except ImagegenError as exc:
            raise replace(exc, generation_id=record.id) from exc

    def _claim(self, draft: Generation, *, replacing: Generation | None) -> Generation:
        try:
            return self.ledger.write(draft, replacing=replacing)
        except ImagegenError as exc:
            # It may stand, and a worker may pay for it: asked once more, the write tells. If that fails, too, the
            # quota unit stays counted, since a unit too many is better than an image too many.
            self.observer.noted("a claim is written again", id_=draft.id, error=exc)
        try:
            return self.ledger.write(draft, replacing=replacing)
        except errors.InternalError as exc:
            if draft.asynchronous:
                raise errors.OutcomeUnknown("The job may have been queued all the same.") from exc
            raise

    def _replayed(self, standing: Generation, *, asked: str, asynchronous: bool) -> Submission:
        _check_asked(standing, asked)
        standing = self._settled(standing)
        if standing.state == "deleted":
            raise errors.Gone("The generation of this Idempotency-Key was deleted.")
        if standing.failure is not None:
            raise generations.recorded_error(standing.failure, generation_id=standing.id, replayed=True)
        if not standing.terminal and not asynchronous:
            raise errors.in_progress(standing.id, retry_after=POLL_AFTER)
        return Submission(generation=standing, replayed=True)

    def _own(self, id_: str, *, owner: str) -> Generation:
        record = self.ledger.get(id_)
        if record is None or record.owner != owner or self.ledger.has_expired(record):
            raise errors.no_such_generation()
        return record

    def _settled(self, record: Generation) -> Generation:
        """Return what becomes of a record when somebody looks; while the stores do not answer, it stays as it is."""
        try:
            if record.may_heal:
                return self.attempts.heal(record)
            if record.state == "running" and not self.ledger.lease_is_live(record):
                return self.attempts.settle(record)
        except ImagegenError as exc:
            self.observer.noted("a generation could not be settled", id_=record.id, error=exc)
        return record

    def _settled_or_not_yet(self, id_: str) -> Generation | None:
        record = self.ledger.get(id_)
        if record is None or record.state != "running":
            return record
        if self.ledger.lease_is_live(record):
            raise NotYet("the lease is live")
        return self.attempts.settle(record)

    def _work_queued(self, record: Generation, deadline: Deadline) -> Generation | None:
        if self.quotas.stopped():
            raise NotYet("the deployment is switched off")
        if record.may_succeed:
            # an attempt that was given up may have put its image since
            record = self.attempts.heal(record)
            if record.state != "queued":
                return record
        if not self.ledger.may_pay_again(record):
            self.attempts.end_failed(record, errors.OutcomeUnknown("No attempt is left."), deadline)
            return self.ledger.get(record.id)
        started = self.ledger.start(record)
        if not self.ledger.replaced(started, replacing=record):
            raise NotYet("another worker took the job")
        try:
            return self.attempts.run(started, deadline)
        except errors.WaitError as exc:
            raise NotYet(exc.kind.code) from exc
        except ImagegenError:
            return self.ledger.get(record.id)

    def _send(self, id_: str) -> None:
        try:
            self.queue.send(id_)
        except ImagegenError as exc:
            self.observer.noted("a message was not sent; the sweeper sends it again", id_=id_, error=exc)

    def _sweep(self, id_: str) -> None:
        record = self.ledger.get(id_)
        if record is None or not self.ledger.is_due(record):
            return
        if record.state == "deleted":
            self._remove_image(record)
        elif record.state == "running":
            record = self.attempts.settle(record)
        elif record.may_heal:
            record = self.attempts.heal(record)
            if record.may_heal and record.webhook != "pending":
                self.ledger.write(self.ledger.finish(record), replacing=record)
        if record.wants_message and self._postponed(record):
            self._send(id_)

    def _postponed(self, record: Generation) -> bool:
        if not self.ledger.is_due(record):
            return True
        return self.ledger.replaced(self.ledger.postpone(record), replacing=record)

    def _remove_image(self, tombstone: Generation) -> None:
        self.images.delete(tombstone.owner, tombstone.id)
        self.ledger.write(self.ledger.finish(tombstone), replacing=tombstone)

    def _call_webhook(self, record: Generation) -> None:
        try:
            delivery = self.webhook.deliver(record.request.webhook_url or "", generation=record)
        except ImagegenError as exc:
            self.observer.noted("a webhook could not be called", id_=record.id, error=exc)
            delivery = "again"
        if delivery != "again":
            ended = self.ledger.end_webhook(record, delivered=delivery == "delivered")
            self.ledger.write(ended, replacing=record)
        elif self.ledger.write(self.ledger.refuse_webhook(record), replacing=record).webhook == "pending":
            raise NotYet("the webhook's receiver did not accept")


def _check_asked(standing: Generation, asked: str) -> None:
    if standing.asked != asked:
        raise errors.IdempotencyConflict("The Idempotency-Key was used before with another request.")
