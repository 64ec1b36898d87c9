"""Asynchronous work: works on queued generations, sends call-backs, ends what was given up, and sweeps due records.

Call-backs have a queue of their own, so a receiver that is slow holds no worker that could make an image: see
`docs/decisions/0062-call-backs-have-a-queue-of-their-own.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations.attempts import Attempts
from imagegen.generations.generation import Generation
from imagegen.generations.ledger import Ledger
from imagegen.generations.ports import Deadline, Observer, Quotas, WebhookSender, WorkQueue
from imagegen.generations.stored_record import UnreadableRecord
from imagegen.generations.submit import send
from imagegen.generations.turns import Turns


class RetryLater(Exception):
    """The job cannot be finished now; its message has to come back later, and not before `pause` seconds are over."""

    def __init__(self, why: str, *, pause: float = 0) -> None:
        super().__init__(why)
        self.pause = pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Does what the queue's messages and the minute's tick ask for."""

    attempts: Attempts
    ledger: Ledger
    quotas: Quotas
    queue: WorkQueue
    call_backs: WorkQueue
    webhook: WebhookSender
    observer: Observer
    turns: Turns = field(default_factory=Turns)

    def work(self, id_: str, deadline: Deadline) -> None:
        """Do what a queued id's record asks for: start it or recover it; when it has ended, have its webhook called.

        Raises:
            RetryLater: the message must not be acknowledged.
        """
        record = self._settled(id_)
        if record is not None and record.state == "queued":
            record = self._work_queued(record, deadline)
        if record is not None and record.webhook == "pending":
            send(record, queue=self.call_backs, observer=self.observer)

    def call_back(self, id_: str) -> None:
        """Call the webhook of a generation that has ended, unless it was called already.

        Raises:
            RetryLater: the message must not be acknowledged.
        """
        record = self.ledger.get(id_)
        if record is None or record.webhook != "pending":
            return
        if self.turns.has(record.owner, self.ledger.clock.now()):
            self._call_webhook(record)
        else:
            self._wait_for_turn(record)

    def bury(self, id_: str, *, claim: str = "") -> None:
        """End a job whose message was given up, unless it has ended already; the sweep sends its call-back.

        `claim` is the one that the message was sent for. A key that was claimed again since has a message of its own.
        It is empty if the release before sent the message.

        Raises:
            RetryLater: an attempt is still running.
        """
        try:
            record = self._settled(id_)
        except UnreadableRecord as exc:
            # Nobody can end it before its retention does; until then the dead letter would only come back.
            self.observer.defect(exc)
            return
        if record is not None and record.state == "queued" and claim in {"", record.claim}:
            self._give_up(record, "The job was tried too often and never ended.")

    def sweep(self, *, limit: int) -> int:
        """Take care of due records, which may have no message any more; return how many ids the index had."""
        due = self.ledger.due(limit=limit)
        for id_ in due:
            try:
                self._sweep(id_)
            except ImagegenError as exc:
                self.observer.warned("a due record is swept again later", id_=id_, error=exc)
            except Exception as exc:  # noqa: BLE001 - one broken record must not keep the others waiting
                self.observer.defect(exc)
        return len(due)

    def _give_up(self, record: Generation, why: str) -> None:
        # Without a paid attempt the failure costs nothing, so the idempotency key may start the generation again.
        error = errors.OutcomeUnknown(why) if record.paid_attempts else errors.ModelUnavailable(why)
        self.attempts.end_failed(record, error)

    def _settled(self, id_: str) -> Generation | None:
        record = self.ledger.get(id_)
        if record is None or record.state != "running":
            return record
        if self.ledger.lease_is_live(record):
            # Somebody is at it. If that attempt dies, this message comes back after its lease and settles the record.
            raise RetryLater("the lease is live")
        return self.attempts.settle(record)

    def _work_queued(self, record: Generation, deadline: Deadline) -> Generation | None:
        # Its quota unit was taken when it was queued, but the switch stops everything that is not paid yet.
        if self.quotas.stopped():
            raise RetryLater("the deployment is switched off")
        if record.may_succeed:
            # A given-up attempt may have stored its image since. Look before a second call is paid.
            record = self.attempts.heal(record)
            if record.state != "queued":
                return record
        if self.ledger.is_forgotten(record):
            # Nobody can look it up any more, so nothing may be paid for it.
            self._give_up(record, "The job waited for longer than its record is kept.")
            return self.ledger.get(record.id)
        if not self.ledger.may_pay_again(record):
            error = errors.OutcomeUnknown(
                "The outcome of the last call is unknown, and the job has no call left that may be paid."
            )
            self.attempts.end_failed(record, error, deadline)
            return self.ledger.get(record.id)
        # A message may be delivered twice, so two workers may be here. The conditional write lets one of them call.
        started = self.ledger.start(record)
        if not self.ledger.replaced(started, replacing=record):
            raise RetryLater("another worker took the job")
        try:
            return self.attempts.run(started, deadline)
        except errors.WaitError as exc:
            # `end_failed` has queued it again; this message brings it back.
            raise RetryLater(exc.kind.code) from exc
        except ImagegenError as exc:
            ended = self.ledger.get(record.id)
            if ended is not None and ended.state == "queued":
                # Another call is allowed, and may be paid: this message brings it back as well.
                raise RetryLater(exc.kind.code) from exc
            return ended

    def _sweep(self, id_: str) -> None:
        record = self.ledger.get(id_)
        # The index lags behind the records. What it calls due may be running by now.
        if record is None or not self.ledger.is_due(record):
            return
        if record.state == "deleted":
            self.attempts.remove_image(record)
        elif record.state == "running":
            record = self.attempts.settle(record)
        elif record.may_heal:
            record = self.attempts.heal(record)
            # The sweep looks only once for a late image. After that, a look-up by the caller still heals the record.
            if record.may_heal and record.webhook != "pending":
                self.ledger.write(record.finish(self.ledger.moment()), replacing=record)
        # Postponed before it is sent: if the send is lost, the record becomes due again.
        if record.wants_message and self._postponed(record):
            queue = self.queue if record.state == "queued" else self.call_backs
            send(record, queue=queue, observer=self.observer)

    def _postponed(self, record: Generation) -> bool:
        # A record that was settled or healed just now has a due time of its own already.
        if not self.ledger.is_due(record):
            return True
        return self.ledger.replaced(record.postpone(self.ledger.moment()), replacing=record)

    def _wait_for_turn(self, record: Generation) -> None:
        """Free this worker: the receivers of the record's owner held it for too long already."""
        moment = self.ledger.moment()
        if record.gives_up_turn(moment.now):
            self.ledger.write(record.end_webhook(moment, delivered=False), replacing=record)
            return
        pause = record.webhook_pause(moment.now)
        # Due only after its message should be back, so that the sweep sends no second one.
        self.ledger.write(record.await_webhook(moment, pause=pause), replacing=record)
        raise RetryLater("the receivers of its owner rest", pause=pause.total_seconds())

    def _call_webhook(self, record: Generation) -> None:
        since = self.ledger.clock.now()
        try:
            delivery = self.webhook.deliver(record.request.webhook_url or "", generation=record)
        except ImagegenError as exc:
            # Our fault, so it is none of the receiver's tries; the message comes back.
            self.observer.fault("a webhook could not be called", id_=record.id, error=exc)
            self.ledger.write(record.await_webhook(self.ledger.moment()), replacing=record)
            raise RetryLater(exc.kind.code) from exc
        accepted = delivery == "delivered"
        # Noted before the record is written, which may fail.
        self.turns.took(record.owner, since=since, now=self.ledger.clock.now(), accepted=accepted)
        # Counted in the record and not by the message: see docs/decisions/0032-call-backs-are-counted-in-the-record.md.
        moment = self.ledger.moment()
        if delivery != "again":
            ended = record.end_webhook(moment, delivered=accepted)
            self.ledger.write(ended, replacing=record)
        elif self.ledger.write(record.refuse_webhook(moment), replacing=record).webhook == "pending":
            raise RetryLater("the webhook's receiver did not accept")
