"""Messages of jobs and of call-backs go through queues of their own; what they carry survives a real queue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen import errors
from imagegen.generations.generation import Generation
from imagegen.worker import NotAcknowledged
from tests.support import real_parts
from tests.support.bare_emulator import Emulator
from tests.support.fakes import FakeClock, FakeDeadline, FakeObserver, FakeRuntime, FakeWebhook
from tests.support.use_case import HOOKED, KEY, OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(kw_only=True)
class Deployment:
    """The service over queues of its own, with a runtime and a receiver that a test scripts."""

    service: real_parts.Wired
    jobs: real_parts.Poller
    call_backs: real_parts.Poller
    runtime: FakeRuntime
    webhook: FakeWebhook
    observer: FakeObserver

    def submit(self) -> Generation:
        """Queue a generation with a webhook, under the key that every test uses."""
        made = self.service.service.submitter.submit(
            HOOKED,
            owner=OWNER,
            fingerprint="fingerprint",
            key=KEY,
            asynchronous=True,
            deadline=FakeDeadline(FakeClock()),
        )
        assert not made.replayed
        return made.generation

    def take(self, record: Mapping[str, Any]) -> None:
        """Take a message as the worker does."""
        self.service.worker.take(SQSRecord(dict(record)), FakeDeadline(FakeClock()))

    def record(self, id_: str) -> Generation:
        """Return a record as the table has it."""
        found = self.service.service.submitter.ledger.get(id_)
        assert found is not None
        return found


@pytest.fixture
def deployment(emulator: Emulator) -> Iterator[Deployment]:
    """Yield a deployment on the emulator."""
    variables = real_parts.own_environment(emulator)
    call_backs = variables["CALL_BACK_QUEUE_ARN"].rpartition(":")[2]
    runtime, webhook, observer = FakeRuntime(), FakeWebhook(), FakeObserver()
    instead: dict[str, Any] = {"runtime": runtime, "webhook": webhook}
    with real_parts.entered(variables):
        whole = real_parts.wired(variables, observer=observer)
        url = f"{variables['QUEUE_URL'].rpartition('/')[0]}/{call_backs}"
        yield Deployment(
            service=real_parts.rewired(whole, instead.get),
            jobs=real_parts.poller(emulator, variables["QUEUE_URL"]),
            call_backs=real_parts.poller(emulator, url),
            runtime=runtime,
            webhook=webhook,
            observer=observer,
        )


def test_a_job_is_done_before_its_receiver_is_called(deployment: Deployment) -> None:
    """Its message is used up; the call-back is a message of the other queue, which makes no image."""
    id_ = deployment.submit().id
    (job,) = deployment.jobs.receive()
    assert deployment.call_backs.receive() == []
    deployment.take(job)
    assert (deployment.record(id_).webhook, deployment.webhook.told) == ("pending", [])
    assert deployment.jobs.receive() == []
    (call_back,) = deployment.call_backs.receive()
    assert call_back["body"] == id_
    deployment.take(call_back)
    assert (deployment.record(id_).webhook, len(deployment.runtime.calls)) == ("delivered", 1)
    assert deployment.webhook.told == [(HOOKED.webhook_url, "succeeded")]


def test_a_call_back_that_is_not_accepted_is_postponed_in_its_own_queue(deployment: Deployment) -> None:
    """The queue takes the receipt; one of another queue would be refused, and the worker would warn."""
    deployment.submit()
    (job,) = deployment.jobs.receive()
    deployment.take(job)
    (call_back,) = deployment.call_backs.receive()
    deployment.webhook.answers.append("again")
    with pytest.raises(NotAcknowledged):
        deployment.take(call_back)
    assert [event for event in deployment.observer.events if event[0] == "warned"] == [
        ("warned", "a message is not acknowledged")
    ]


def test_a_dead_letter_of_an_older_claim_ends_nothing_new(deployment: Deployment) -> None:
    """The key failed without cost and was used again; the first job's message was given up meanwhile."""
    deployment.runtime.answers.append(errors.Misconfigured("No."))
    first = deployment.submit()
    (stale,) = deployment.jobs.receive()
    deployment.take(stale)
    second = deployment.submit()
    assert (second.id, second.claim == first.claim) == (first.id, False)
    (own,) = deployment.jobs.receive()
    dead = {"eventSourceARN": deployment.service.settings.dead_letter_queue_arn}
    deployment.take({**stale, **dead})
    assert deployment.record(first.id).state == "queued"
    deployment.take({**own, **dead})
    assert deployment.record(first.id).state == "failed"
