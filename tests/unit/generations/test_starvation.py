"""What one caller does takes no images from another: a simulation of the workers in the time of a fake clock.

One caller asks for images as steadily as the workers can make them. Another one asks in a tight loop for jobs that fail
without cost, each with a webhook that never answers. The simulation has the queues, the two concurrencies and the real
worker; each call takes the fake clock's time, so nothing depends on the machine. The queues are first come, first
served, which is worse than SQS with message groups.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Final

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations.charges import QuotaLimits
from imagegen.generations.generation import Generation
from imagegen.generations.jobs import Jobs
from imagegen.generations.ports import Deadline, Delivery
from imagegen.models.registry import ModelRef
from imagegen.wiring import assemble
from imagegen.worker import NotAcknowledged
from stacks.stage import StageConfig
from tests.support.depth import at_depth
from tests.support.fakes import CALL_BACK_ARN, CORE, SDXL, FakeClock, FakeDeadline, stable_image_answer
from tests.support.use_case import OTHER, OWNER, REQUEST
from tests.support.world import World, world

pytestmark = pytest.mark.slow

JOBS_ARN: Final = "arn:aws:sqs:us-east-1:000000000000:jobs"
IMAGE_WORKERS: Final = 3
CALL_BACK_WORKERS: Final = 5
IMAGE: Final = 10.0
"""Seconds that an image takes."""
OVERHEAD: Final = 0.3
"""Seconds that a worker is busy with any message, beside its calls."""
SLOW_RECEIVER: Final = 5.0
"""Seconds that a call-back to a receiver takes that never answers."""
STEADY: Final = 4.2
"""The steady caller asks once in so many seconds: four fifths of what the workers can make."""
LOOP: Final = 0.2
"""The other caller asks once in so many seconds: as often as the throttle of `dev` lets anybody."""
MINUTES: Final = at_depth(thorough=10, usual=3)
SLOW: Final = replace(REQUEST, model=SDXL, webhook_url="https://slow.example/hook")
STEADY_REQUEST: Final = replace(REQUEST, model=CORE)
PER_MINUTE: Final = StageConfig(name="dev").images_per_minute_per_caller


@dataclass
class Message:
    """A message, and when it may be received."""

    id: str
    visible_at: datetime
    receives: int = 0


@dataclass
class Queues:
    """All queues of the deployment, each first come, first served."""

    clock: FakeClock
    waiting: dict[str, list[Message]] = field(default_factory=lambda: {JOBS_ARN: [], CALL_BACK_ARN: []})
    postponed: float | None = None

    def receive(self, arn: str) -> Message | None:
        """Take the first message that is visible."""
        for message in self.waiting[arn]:
            if message.visible_at <= self.clock.now():
                self.waiting[arn].remove(message)
                message.receives += 1
                return message
        return None

    def postpone(self, receipt: str, *, queue_arn: str, seconds: int) -> None:  # noqa: ARG002 - the port's shape
        """Note after how many seconds the message that is being worked on comes back."""
        self.postponed = seconds


@dataclass
class Queue:
    """One of the queues, as whoever sends to it sees it."""

    queues: Queues
    arn: str

    def send(self, generation: Generation) -> None:
        """Send a message, which is visible from now on."""
        self.queues.waiting[self.arn].append(Message(generation.id, self.queues.clock.now()))

    def postpone(self, receipt: str, *, queue_arn: str, seconds: int) -> None:
        """Let the message come back."""
        self.queues.postpone(receipt, queue_arn=queue_arn, seconds=seconds)


@dataclass
class TimedRuntime:
    """A runtime in which one model has ended, and the other one takes its time."""

    clock: FakeClock

    def invoke(self, ref: ModelRef, body: bytes) -> bytes:  # noqa: ARG002 - the port's shape
        """Refuse at once, or draw."""
        if ref.id == SDXL:
            raise errors.ModelRetired("Retired.")
        self.clock.sleep(IMAGE)
        return stable_image_answer(seed=7)


@dataclass
class SlowReceiver:
    """A receiver that accepts connections, and never answers."""

    clock: FakeClock

    def deliver(self, url: str, *, generation: Generation) -> Delivery:  # noqa: ARG002 - the port's shape
        """Hold the caller for as long as it is patient."""
        self.clock.sleep(SLOW_RECEIVER)
        return "again"


class CallsBackItself(Jobs):
    """Sends call-backs from the worker that made the image, as the service did first."""

    def work(self, id_: str, deadline: Deadline) -> None:
        """Work, and call the webhook."""
        super().work(id_, deadline)
        self.call_back(id_)


class Simulation:
    """A deployment's workers, and two callers of it."""

    def __init__(self, *, loop: bool, per_minute: int | None, jobs: type[Jobs] = Jobs) -> None:
        self.world: World = world(
            models=(SDXL, CORE),
            quota_limits=QuotaLimits(images_per_minute_per_caller=per_minute, queued_jobs_per_caller=1000),
        )
        self.clock = self.world.clock
        self.queues = Queues(self.clock)
        ports = replace(
            self.world.service.ports,
            runtime=TimedRuntime(self.clock),
            queue=Queue(self.queues, JOBS_ARN),
            call_backs=Queue(self.queues, CALL_BACK_ARN),
            webhook=SlowReceiver(self.clock),
        )
        limits, models = self.world.ledger.limits, self.world.service.models
        # Two processes: what the worker learns of a model, the api function does not know.
        self.submitter = assemble(ports, limits, models=models).submitter
        whole = assemble(ports, limits, models=models).jobs
        parts = {name: getattr(whole, name) for name in Jobs.__dataclass_fields__}
        self.worker = replace(self.world.worker, jobs=jobs(**parts), queue=ports.queue)
        self.refused = 0
        self._events: list[tuple[datetime, int, Callable[[], float]]] = []
        self._numbers = count()
        self.end = self.clock.now() + timedelta(minutes=MINUTES)
        self._add(lambda: self._ask(OWNER))
        if loop:
            self._add(lambda: self._ask(OTHER))
        for _ in range(IMAGE_WORKERS):
            self._add(lambda: self._poll(JOBS_ARN))
        for _ in range(CALL_BACK_WORKERS):
            self._add(lambda: self._poll(CALL_BACK_ARN))
        self._add(self._sweep)

    def run(self) -> int:
        """Let the time pass; return how many images the steady caller got in it."""
        while True:
            at, _, event = heapq.heappop(self._events)
            if at >= self.end:
                break
            self.clock.time = at
            pause = event()
            self._add(event, at=self.clock.time + timedelta(seconds=pause))
        return sum(
            record.state == "succeeded" and record.ended_at is not None and record.ended_at <= self.end
            for record in self.world.store.all()
            if record.owner == OWNER
        )

    def _add(self, event: Callable[[], float], *, at: datetime | None = None) -> None:
        heapq.heappush(self._events, (at or self.clock.now(), next(self._numbers), event))

    def _ask(self, owner: str) -> float:
        steady = owner == OWNER
        try:
            self.submitter.submit(
                STEADY_REQUEST if steady else SLOW,
                owner=owner,
                fingerprint="fingerprint",
                key=None,
                asynchronous=True,
                deadline=FakeDeadline(self.clock),
            )
        except ImagegenError:
            assert not steady
            self.refused += 1
        return STEADY if steady else LOOP

    def _poll(self, arn: str) -> float:
        message = self.queues.receive(arn)
        if message is None:
            return 0.1
        self.queues.postponed = None
        try:
            self.worker.take(self._record(message, arn), FakeDeadline(self.clock))
        except NotAcknowledged:
            assert self.queues.postponed is not None
            message.visible_at = self.clock.now() + timedelta(seconds=self.queues.postponed)
            self.queues.waiting[arn].append(message)
        return OVERHEAD

    def _sweep(self) -> float:
        self.worker.sweep()
        return 60.0

    @staticmethod
    def _record(message: Message, arn: str) -> SQSRecord:
        return SQSRecord(
            {
                "messageId": "m",
                "receiptHandle": "r",
                "body": message.id,
                "attributes": {"ApproximateReceiveCount": str(message.receives)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
            }
        )


def test_a_loop_of_free_failures_with_a_slow_receiver_takes_no_images_from_another_caller() -> None:
    """The steady caller gets at least nine tenths of the images that it gets alone."""
    alone = Simulation(loop=False, per_minute=PER_MINUTE).run()
    beside = Simulation(loop=True, per_minute=PER_MINUTE)
    assert beside.run() >= 0.9 * alone
    assert alone >= 0.9 * MINUTES * 60 / STEADY
    # The loop ran, and most of it was refused as its own caller's affair.
    assert beside.refused > 200 * MINUTES


@pytest.mark.parametrize(
    ("per_minute", "jobs"),
    [(PER_MINUTE, CallsBackItself), (None, Jobs)],
    ids=["call-backs by the workers that make images", "no limit of a minute"],
)
def test_either_half_of_the_defence_is_needed(per_minute: int | None, jobs: type[Jobs]) -> None:
    """Without the queue of call-backs, or without a limit for each caller, the simulation shows the starvation."""
    alone = Simulation(loop=False, per_minute=per_minute, jobs=jobs).run()
    beside = Simulation(loop=True, per_minute=per_minute, jobs=jobs).run()
    assert beside < 0.9 * alone
