"""The worker tells events apart, and decides which message comes back and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.generations.generation import RESEND_AFTER
from imagegen.generations.retry import DELIVERY_BACKOFF
from imagegen.worker import NotAcknowledged, Worker, is_tick
from tests.support.fakes import CALL_BACK_ARN, DLQ_ARN, FakeRandomness
from tests.support.world import World, world

QUEUE_ARN: Final = "arn:aws:sqs:us-east-1:000000000000:jobs"
REQUEST: Final = GenerationRequest(task=TextToImage(text_prompts=(Prompt(text="tea"),)))
BUSY: Final = errors.ModelThrottled("Busy.")


@dataclass
class Fixed(FakeRandomness):
    """Always chooses the same fraction."""

    value: float = 0.0

    def fraction(self) -> float:
        """Return that fraction."""
        return self.value


def message(id_: str, *, receives: int = 1, arn: str = QUEUE_ARN, claim: str = "") -> SQSRecord:
    """Return one received message."""
    return SQSRecord(
        {
            "messageId": "m-1",
            "receiptHandle": "receipt-1",
            "body": id_,
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "messageAttributes": {"claim": {"dataType": "String", "stringValue": claim}} if claim else {},
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": "us-east-1",
        }
    )


def queued(service: World, request: GenerationRequest = REQUEST) -> str:
    """Queue one generation and return its id."""
    made = service.submitter.submit(
        request,
        owner="o" * 26,
        fingerprint="fingerprint",
        key=None,
        asynchronous=True,
        deadline=service.deadline(),
    )
    return made.generation.id


def with_fraction(service: World, value: float) -> Worker:
    """Return the worker with a fixed fraction for its jitter."""
    return replace(service.worker, randomness=Fixed(value=value))


def test_a_message_of_the_queue_is_worked() -> None:
    """The worker acknowledges a message by returning."""
    service = world()
    service.worker.take(message(queued(service)), service.deadline())
    assert service.store.only().state == "succeeded"
    assert service.queue.postponed == []


def test_a_message_of_the_dead_letter_queue_is_buried() -> None:
    """The worker tells the two queues apart by the message's source ARN."""
    service = world()
    service.worker.take(message(queued(service), arn=DLQ_ARN), service.deadline())
    assert (service.store.only().state, service.runtime.calls) == ("failed", [])


def test_a_dead_letter_of_an_older_claim_is_acknowledged() -> None:
    """The message says which claim it was sent for."""
    service = world()
    id_ = queued(service)
    service.worker.take(message(id_, arn=DLQ_ARN, claim="older"), service.deadline())
    assert service.store.only().state == "queued"
    service.worker.take(message(id_, arn=DLQ_ARN, claim=service.queue.claims[0]), service.deadline())
    assert service.store.only().state == "failed"


def test_a_message_of_the_queue_of_call_backs_makes_no_image() -> None:
    """A job that is named there has not ended, so nobody is called either."""
    service = world()
    service.worker.take(message(queued(service), arn=CALL_BACK_ARN), service.deadline())
    assert (service.store.only().state, service.runtime.calls, service.webhook.told) == ("queued", [], [])


@pytest.mark.parametrize("arn", [QUEUE_ARN, DLQ_ARN])
def test_a_message_is_postponed_in_the_queue_that_it_came_from(arn: str) -> None:
    """A receipt is of one queue, and another one refuses it."""
    service = world()
    id_ = queued(service)
    running = service.ledger.start(service.store.only())
    service.ledger.write(running, replacing=service.store.only())
    with pytest.raises(NotAcknowledged):
        service.worker.take(message(id_, arn=arn), service.deadline())
    assert service.queue.postponed_in == [arn]


def test_a_call_back_that_was_not_accepted_is_postponed_in_its_own_queue() -> None:
    """It comes back there, and holds no worker that makes images."""
    service = world()
    made = service.submitter.submit(
        replace(REQUEST, webhook_url="https://receiver.example/hook"),
        owner="o" * 26,
        fingerprint="fingerprint",
        key=None,
        asynchronous=True,
        deadline=service.deadline(),
    )
    service.worker.take(message(made.generation.id), service.deadline())
    service.webhook.answers.append("again")
    with pytest.raises(NotAcknowledged):
        service.worker.take(message(made.generation.id, arn=CALL_BACK_ARN), service.deadline())
    assert service.queue.postponed_in == [CALL_BACK_ARN]


def test_a_job_that_cannot_be_done_now_is_postponed_and_not_acknowledged() -> None:
    """The message stays in the queue."""
    service = world(answers=[BUSY])
    with pytest.raises(NotAcknowledged):
        service.worker.take(message(queued(service)), service.deadline())
    ((receipt, _),) = service.queue.postponed
    assert receipt == "receipt-1"


@pytest.mark.parametrize(
    ("receives", "soonest", "latest"),
    [(1, 2, 3), (2, 3, 5), (3, 5, 9), (5, 17, 33), (6, 31, 61), (7, 31, 61), (10_000, 31, 61)],
)
def test_the_back_off_doubles_with_every_receive_up_to_a_bound(
    receives: int, soonest: int, latest: int
) -> None:
    """Half of the wait is jitter, so that jobs that failed together do not come back together."""
    waits = []
    for fraction in (0.0, 1.0):
        service = world(answers=[BUSY])
        with pytest.raises(NotAcknowledged):
            with_fraction(service, fraction).take(
                message(queued(service), receives=receives), service.deadline()
            )
        waits.append(service.queue.postponed[0][1])
    assert waits == [soonest, latest]
    assert latest <= DELIVERY_BACKOFF.longest + 1


def test_a_store_that_does_not_answer_brings_the_message_back() -> None:
    """The message comes back if the store is down, so the job is not lost."""
    service = world()
    id_ = queued(service)
    service.store.failures += [errors.InternalError("The table did not answer.")]
    with pytest.raises(NotAcknowledged):
        service.worker.take(message(id_), service.deadline())
    assert (service.store.only().state, service.runtime.calls) == ("queued", [])


def test_a_defect_is_noted_and_brings_the_message_back() -> None:
    """A defect is reported, so a record that causes one does not vanish silently."""
    service = world()
    broken = replace(service.jobs, ledger=None)  # type: ignore[arg-type]  # a defect of ours
    with pytest.raises(NotAcknowledged):
        replace(service.worker, jobs=broken).take(message("gen_1"), service.deadline())
    assert service.observer.events == [("defect", "AttributeError")]
    assert [receipt for receipt, _ in service.queue.postponed] == ["receipt-1"]


def test_a_message_that_cannot_be_postponed_comes_back_by_the_queues_own_time() -> None:
    """The worker does not acknowledge the message, so the queue's own time-out brings it back."""
    service = world(answers=[BUSY])
    id_ = queued(service)
    service.queue.failures.append(errors.InternalError("The queue did not answer."))
    with pytest.raises(NotAcknowledged):
        service.worker.take(message(id_), service.deadline())
    assert service.store.only().state == "queued"


def test_a_dead_letter_of_a_running_job_comes_back() -> None:
    """The running attempt may still end the record, so the message is kept until then."""
    service = world()
    id_ = queued(service)
    ledger = service.ledger
    ledger.write(ledger.start(service.store.only()), replacing=service.store.only())
    with pytest.raises(NotAcknowledged):
        service.worker.take(message(id_, arn=DLQ_ARN), service.deadline())
    assert service.store.only().state == "running"
    assert service.queue.postponed_in == [DLQ_ARN]


def test_what_is_raised_says_nothing_of_the_job() -> None:
    """The batch processor logs the exception, and a model's error could quote a prompt."""
    service = world(answers=[BUSY])
    with pytest.raises(NotAcknowledged) as caught:
        service.worker.take(message(queued(service)), service.deadline())
    assert str(caught.value) == ""


def test_a_sweep_tells_how_many_records_were_due() -> None:
    """The sweep returns the number of due records, which is the tick's reply."""
    service = world()
    service.queue.failures.append(errors.InternalError("The queue did not answer."))
    queued(service)
    assert service.worker.sweep() == 0
    service.clock.sleep(121)
    assert service.worker.sweep() == 1
    assert len(service.queue.sent) == 1


@pytest.mark.parametrize(
    ("event", "tick"),
    [
        ({"source": "aws.events", "detail-type": "Scheduled Event"}, True),
        ({"Records": [{"eventSource": "aws:sqs"}]}, False),
        ({}, False),
    ],
    ids=["a tick", "messages", "nothing"],
)
def test_a_tick_is_told_from_messages(event: dict[str, object], *, tick: bool) -> None:
    """An event is a tick if its source is `aws.events`."""
    assert is_tick(event) is tick


def test_a_message_that_must_rest_does_not_come_back_before() -> None:
    """The back-off by its receives would be a few seconds."""
    service = world()
    id_ = queued(service, replace(REQUEST, webhook_url="https://receiver.example/hook"))
    service.worker.take(message(id_), service.deadline())
    now = service.clock.now()
    service.jobs.turns.took("o" * 26, since=now - timedelta(seconds=5), now=now, accepted=False)
    with pytest.raises(NotAcknowledged):
        service.worker.take(message(id_, arn=CALL_BACK_ARN), service.deadline())
    ((_, seconds),) = service.queue.postponed
    assert seconds >= RESEND_AFTER.total_seconds()
