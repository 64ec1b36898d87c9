"""The queues of jobs and of call-backs. A message is a generation's id; its attributes are the claim and the owner.

The owner is the message's group, by which SQS keeps a caller with many messages from delaying the others' ("Amazon SQS
fair queues" in the SQS developer guide). It is the salted hash that also stands in the keys of the bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from imagegen.errors import InternalError, Misconfigured
from imagegen.generations.ports import CLAIM

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from imagegen.generations.generation import Generation

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


def sibling(queue_url: str, arn: str) -> str:
    """Return the URL of another queue of the same account and region, by its ARN."""
    return f"{queue_url.rpartition('/')[0]}/{arn.rpartition(':')[2]}"


class SqsQueue:
    """A queue. A message may be delivered more than once, so whoever receives an id reads its record first.

    `client` is called for each message, because most environments send none and need no client.
    """

    def __init__(self, *, client: Callable[[], SQSClient], queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, generation: Generation) -> None:
        """Send a generation's id.

        Raises:
            Misconfigured: the queue is missing, or may not be used.
            InternalError: SQS did not confirm it; the message may have been sent nevertheless.
        """
        with _translated():
            self._client().send_message(
                QueueUrl=self._queue_url,
                MessageBody=generation.id,
                MessageAttributes={CLAIM: {"DataType": "String", "StringValue": generation.claim}},
                MessageGroupId=generation.owner,
            )

    def postpone(self, receipt: str, *, queue_arn: str, seconds: int) -> None:
        """Let a message that came from a queue of the deployment come back after so many seconds, at most twelve hours.

        Raises:
            Misconfigured: the queue is missing, or may not be used.
            InternalError: SQS did not confirm it; the message comes back after the queue's own time-out.
        """
        with _translated():
            self._client().change_message_visibility(
                # A receipt is of the queue that the message came from; another one refuses it.
                QueueUrl=sibling(self._queue_url, queue_arn),
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
