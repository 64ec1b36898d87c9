"""The queue's adapter sends messages that are only an id, and postpones within the bounds of SQS."""

from __future__ import annotations

import pytest
from botocore.exceptions import ReadTimeoutError

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.sqs import SqsJobs
from imagegen.errors import ImagegenError
from tests.support.far_side import FarSide, Reply, answer, json_answer, refusal, session

QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/jobs"
DEAD_LETTERS = "https://sqs.us-west-2.amazonaws.com/123456789012/jobs-dead"
DEAD_LETTERS_ARN = "arn:aws:sqs:us-west-2:123456789012:jobs-dead"


def far_away(*replies: Reply) -> tuple[SqsJobs, FarSide]:
    """Return a queue over these responses, and the requests that it sends."""
    client = clients.sqs(session())
    queue = SqsJobs(client=client, queue_url=QUEUE, dead_letter_queue_arn=DEAD_LETTERS_ARN)
    return queue, FarSide(client, *replies)


def test_a_message_is_an_id() -> None:
    """The message has no attributes."""
    queue, far = far_away(json_answer({"MessageId": "m"}))
    queue.send("gen_1")
    assert far.sent == [{"QueueUrl": QUEUE, "MessageBody": "gen_1"}]


@pytest.mark.parametrize(("asked", "sent"), [(-1, 0), (0, 0), (300, 300), (43_200, 43_200), (43_201, 43_200)])
def test_a_message_is_put_off_within_the_queues_bounds(asked: int, sent: int) -> None:
    """SQS allows at most twelve hours."""
    queue, far = far_away(answer())
    queue.postpone("receipt", seconds=asked)
    assert far.sent == [{"QueueUrl": QUEUE, "ReceiptHandle": "receipt", "VisibilityTimeout": sent}]


def test_a_dead_letter_is_put_off_in_its_own_queue() -> None:
    """SQS refuses a receipt that another queue gave."""
    queue, far = far_away(answer())
    queue.postpone("receipt", seconds=1, dead_letter=True)
    assert far.sent == [{"QueueUrl": DEAD_LETTERS, "ReceiptHandle": "receipt", "VisibilityTimeout": 1}]


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
        queue.send("gen_1")
    with pytest.raises(error):
        queue.postpone("receipt", seconds=1)
    assert len(far.requests) == 2


def test_a_message_whose_answer_is_lost_is_sent_again() -> None:
    """A second message does no harm, because the worker looks at the record first."""
    queue, far = far_away(ReadTimeoutError(endpoint_url=QUEUE), json_answer({"MessageId": "m"}))
    queue.send("gen_1")
    assert len(far.requests) == 2
