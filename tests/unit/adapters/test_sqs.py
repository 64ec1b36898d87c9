"""The queue's adapter sends an id with its claim and owner, and postpones within the bounds of SQS."""

from __future__ import annotations

import pytest
from botocore.exceptions import ReadTimeoutError

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.sqs import SqsQueue
from imagegen.errors import ImagegenError
from tests.support.far_side import FarSide, Reply, answer, json_answer, refusal, session
from tests.support.records import ENDED

QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/jobs"
ARN = "arn:aws:sqs:us-west-2:123456789012:jobs-dead"


def far_away(*replies: Reply) -> tuple[SqsQueue, FarSide]:
    """Return a queue over these responses, and the requests that it sends."""
    client = clients.sqs(session())
    return SqsQueue(client=lambda: client, queue_url=QUEUE), FarSide(client, *replies)


def test_a_message_is_an_id_with_the_claim_and_the_owner() -> None:
    """By the claim the worker knows a stale dead letter; by the owner SQS serves callers in turn."""
    queue, far = far_away(json_answer({"MessageId": "m"}))
    queue.send(ENDED)
    assert far.sent == [
        {
            "QueueUrl": QUEUE,
            "MessageBody": ENDED.id,
            "MessageAttributes": {"claim": {"DataType": "String", "StringValue": ENDED.claim}},
            "MessageGroupId": ENDED.owner,
        }
    ]


@pytest.mark.parametrize(("asked", "sent"), [(-1, 0), (0, 0), (300, 300), (43_200, 43_200), (43_201, 43_200)])
def test_a_message_is_put_off_within_the_queues_bounds(asked: int, sent: int) -> None:
    """SQS allows at most twelve hours."""
    queue, far = far_away(answer())
    queue.postpone("receipt", queue_arn=ARN, seconds=asked)
    assert far.sent == [{"QueueUrl": f"{QUEUE}-dead", "ReceiptHandle": "receipt", "VisibilityTimeout": sent}]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (refusal("InvalidMessageContents"), errors.InternalError),
        (answer(400, b"\xff"), errors.InternalError),
        (answer(403, b"<html>"), errors.InternalError),
        (refusal("AccessDeniedException"), errors.Misconfigured),
        (refusal("QueueDoesNotExist"), errors.Misconfigured),
    ],
    ids=["refused", "no text", "HTML", "no right", "no queue"],
)
def test_a_refusal_is_told_by_whose_fault_it_is(failure: Reply, error: type[ImagegenError]) -> None:
    """Each call sends one request, and raises an error of the deployment or of the service."""
    queue, far = far_away(failure, failure)
    with pytest.raises(error):
        queue.send(ENDED)
    with pytest.raises(error):
        queue.postpone("receipt", queue_arn=ARN, seconds=1)
    assert len(far.requests) == 2


def test_a_message_whose_answer_is_lost_is_sent_again() -> None:
    """A second message does no harm, because the worker looks at the record first."""
    queue, far = far_away(ReadTimeoutError(endpoint_url=QUEUE), json_answer({"MessageId": "m"}))
    queue.send(ENDED)
    assert len(far.requests) == 2
