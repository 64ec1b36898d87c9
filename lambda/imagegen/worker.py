"""The worker without Lambda's decorators: which event asks for what, and which messages are not acknowledged.

Three kinds of event arrive: jobs, jobs that the queue gave up (from the dead-letter queue), and the minute's tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from imagegen.errors import ImagegenError
from imagegen.generations.jobs import Jobs, RetryLater
from imagegen.generations.retry import Backoff

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from imagegen.generations.ports import Deadline, JobQueue, Observer, Randomness

SWEPT_AT_ONCE: Final = 100
"""Due records of one shard that one tick deals with."""

BACKOFF: Final = Backoff(first=2, longest=60)
"""Between two deliveries of a message that was not acknowledged."""


class NotAcknowledged(Exception):
    """Tells the batch processor to report the message as failed; says nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Takes jobs one by one."""

    jobs: Jobs
    queue: JobQueue
    randomness: Randomness
    observer: Observer
    dead_letter_queue_arn: str

    def take(self, record: SQSRecord, deadline: Deadline) -> None:
        """Take one message.

        Raises:
            NotAcknowledged: it must come back; a job's message after a back-off by its number of receives.
        """
        id_ = record.body
        try:
            if record.event_source_arn == self.dead_letter_queue_arn:
                self.jobs.bury(id_)
            else:
                self.jobs.work(id_, deadline)
        except (RetryLater, ImagegenError) as exc:
            self.observer.warned("a message is not acknowledged", id_=id_, error=exc)
            self._postpone(record)
            raise NotAcknowledged from exc
        except Exception as exc:
            self.observer.defect(exc)
            self._postpone(record)
            raise NotAcknowledged from exc

    def sweep(self) -> int:
        """Deal with what is due and has no message; return how many records were due."""
        return self.jobs.sweep(limit=SWEPT_AT_ONCE)

    def _postpone(self, record: SQSRecord) -> None:
        receives = int(record.attributes.approximate_receive_count)
        seconds = 1 + int(BACKOFF.pause(receives, fraction=self.randomness.fraction()))
        try:
            self.queue.postpone(record.receipt_handle, seconds=seconds)
        except ImagegenError as exc:
            self.observer.warned("a message comes back only after the queue's time-out", error=exc)


def is_tick(event: Mapping[str, Any]) -> bool:
    """Tell whether an event is the schedule's."""
    return event.get("source") == "aws.events"
