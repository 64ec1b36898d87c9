"""The worker without Lambda's decorators: decides what an event asks for, and which messages are not acknowledged.

Four kinds of event arrive: jobs, jobs that their queue gave up (from its dead-letter queue), call-backs, and the
minute's tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from imagegen.errors import ImagegenError
from imagegen.generations.jobs import Jobs, RetryLater
from imagegen.generations.ports import CLAIM
from imagegen.generations.retry import DELIVERY_BACKOFF

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from imagegen.generations.ports import Deadline, Observer, Randomness, WorkQueue

SWEPT_AT_ONCE: Final = 100
"""How many due records of one shard one sweep takes care of."""


class NotAcknowledged(Exception):
    """Tells the batch processor to report the message as failed. It has no text, which could quote a prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Takes messages one by one, and sweeps."""

    jobs: Jobs
    queue: WorkQueue
    randomness: Randomness
    observer: Observer
    dead_letter_queue_arn: str
    call_back_queue_arn: str

    def take(self, record: SQSRecord, deadline: Deadline) -> None:
        """Take one message.

        Raises:
            NotAcknowledged: the message has to come back, after a pause that grows with its number of receives.
        """
        id_ = record.body
        try:
            if record.event_source_arn == self.dead_letter_queue_arn:
                claim = record.message_attributes[CLAIM]
                self.jobs.bury(id_, claim=(claim and claim.string_value) or "")
            elif record.event_source_arn == self.call_back_queue_arn:
                self.jobs.call_back(id_)
            else:
                self.jobs.work(id_, deadline)
        except (RetryLater, ImagegenError) as exc:
            self.observer.warned("a message is not acknowledged", id_=id_, error=exc)
            self._postpone(record, at_least=exc.pause if isinstance(exc, RetryLater) else 0)
            raise NotAcknowledged from exc
        except Exception as exc:
            # Every delivery counts, so a message that meets the same defect each time ends in the dead-letter queue.
            self.observer.defect(exc)
            self._postpone(record)
            raise NotAcknowledged from exc

    def sweep(self) -> int:
        """Take care of due records; return how many there were."""
        return self.jobs.sweep(limit=SWEPT_AT_ONCE)

    def _postpone(self, record: SQSRecord, *, at_least: float = 0) -> None:
        receives = int(record.attributes.approximate_receive_count)
        # At least one second: with zero the message would be back before this invocation has ended.
        pause = DELIVERY_BACKOFF.pause(receives, fraction=self.randomness.fraction())
        seconds = 1 + int(max(pause, at_least))
        # Without this, the message would stay hidden for the queue's whole visibility time-out: minutes.
        try:
            self.queue.postpone(record.receipt_handle, queue_arn=record.event_source_arn, seconds=seconds)
        except ImagegenError as exc:
            self.observer.warned("a message comes back only after the queue's time-out", error=exc)


def is_tick(event: Mapping[str, Any]) -> bool:
    """Say whether an event is the schedule's."""
    return event.get("source") == "aws.events"
