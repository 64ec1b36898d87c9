"""The queue of asynchronous jobs. A message carries a generation's id and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from imagegen.errors import InternalError, Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_POSTPONEMENT: Final = 43_200
"""In seconds: SQS's own bound on a visibility time-out (SQS developer guide, "Amazon SQS visibility timeout")."""

_MISCONFIGURED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "QueueDoesNotExist",
        # The query protocol's name for the same error, which botocore still reports.
        "AWS.SimpleQueueService.NonExistentQueue",
    }
)


class SqsJobs:
    """The queue. A message may be delivered more than once, so whoever receives an id reads its record first."""

    def __init__(self, *, client: SQSClient, queue_url: str, dead_letter_queue_arn: str) -> None:
        self._client = client
        self._queue_url = queue_url
        # Both queues are of one account and region, so their URLs differ in the name alone.
        name = dead_letter_queue_arn.rpartition(":")[2]
        self._dead_letter_queue_url = f"{queue_url.rpartition('/')[0]}/{name}"

    def send(self, id_: str) -> None:
        """Send an id.

        Raises:
            Misconfigured: the queue is missing, or may not be used.
            InternalError: SQS did not confirm it; the message may have been sent nevertheless.
        """
        with _translated():
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=id_)

    def postpone(self, receipt: str, *, seconds: int, dead_letter: bool = False) -> None:
        """Let a received message come back after so many seconds, at most twelve hours.

        SQS accepts a receipt only with the queue that gave it, so `dead_letter` says which of the two that was.

        Raises:
            Misconfigured: the queue is missing, or may not be used.
            InternalError: SQS did not confirm it; the message comes back after the queue's own time-out.
        """
        with _translated():
            self._client.change_message_visibility(
                QueueUrl=self._dead_letter_queue_url if dead_letter else self._queue_url,
                ReceiptHandle=receipt,
                VisibilityTimeout=max(0, min(seconds, MAX_POSTPONEMENT)),
            )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        code = exc.response.get("Error", {}).get("Code") if isinstance(exc, ClientError) else None
        if code in _MISCONFIGURED:
            raise Misconfigured("The queue is missing, or the service has no right to use it.") from exc
        raise InternalError("The queue did not respond.") from exc
