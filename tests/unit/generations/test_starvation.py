"""What one caller does takes neither images nor call-backs from another: a simulation in the time of a fake clock.

One caller asks for images as steadily as the workers can make them, and has a receiver that accepts at once. Another
one asks in a tight loop for jobs that fail, without cost or paid, each with a webhook that never answers. The
simulation has the queues, the two concurrencies and the real worker; each call takes the fake clock's time, so nothing
depends on the machine. It is worse than an account in two ways: the queues are first come, first served, where SQS has
message groups; and each message goes to the next of all the worker's processes, where Lambda prefers some. What a
receiver did, only the process knows that called it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, cycle
from typing import Final

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.errors import ImagegenError
from imagegen.generations.charges import QuotaLimits
from imagegen.generations.generation import Generation
from imagegen.generations.jobs import Jobs
from imagegen.generations.ports import Deadline, Delivery
from imagegen.generations.turns import Turns
from imagegen.models.registry import ModelRef
from imagegen.wiring import assemble
from imagegen.worker import NotAcknowledged
from stacks.concurrency import CALL_BACK_CONCURRENCY, beside_the_queue
from stacks.stage import StageConfig
from tests.support.depth import at_depth
from tests.support.fakes import CALL_BACK_ARN, CORE, SDXL, ULTRA, FakeClock, FakeDeadline, stable_image_answer
from tests.support.use_case import OTHER, OWNER, REQUEST
from tests.support.world import World, world

pytestmark = pytest.mark.slow

JOBS_ARN: Final = "arn:aws:sqs:us-east-1:000000000000:jobs"
IMAGE_WORKERS: Final = 3
CALL_BACK_WORKERS: Final = CALL_BACK_CONCURRENCY
PROCESSES: Final = IMAGE_WORKERS + beside_the_queue(StageConfig(name="dev"))
"""As many as the worker reserves; any of them may get any message."""
IMAGE: Final = 10.0
"""Seconds that an image takes."""
OVERHEAD: Final = 0.3
"""Seconds that a worker is busy with any message, beside its calls."""
SLOW_RECEIVER: Final = 5.0
"""Seconds that a call-back to a receiver takes that never answers."""
QUICK_RECEIVER: Final = 0.2
"""Seconds that a call-back to a receiver takes that accepts it at once."""
LATEST: Final = 10.0
"""In seconds, how long after its image a call-back of the steady caller is accepted at the latest."""
STEADY: Final = 4.2
"""The steady caller asks once in so many seconds: four fifths of what the workers can make."""
LOOP: Final = 0.2
"""The other caller asks once in so many seconds, as a client does that waits for each reply."""
MINUTES: Final = at_depth(thorough=10, usual=3)
SLOW_URL: Final = "https://slow.example/hook"
FREE: Final = replace(REQUEST, model=SDXL, webhook_url=SLOW_URL)
"""Asks for a failure that costs nothing."""
PAID: Final = replace(REQUEST, model=ULTRA, webhook_url=SLOW_URL)
"""Asks for a failure that is paid, but takes no time: no other job asks for as many call-backs."""
STEADY_REQUEST: Final = replace(REQUEST, model=CORE, webhook_url="https://quick.example/hook")
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
        if ref.id == ULTRA:
            raise errors.ContentFiltered("Filtered.")
        self.clock.sleep(IMAGE)
        return stable_image_answer(seed=7)


@dataclass
class Receivers:
    """A receiver that accepts connections and never answers, and one that accepts at once; keeps when it did."""

    clock: FakeClock
    accepted: dict[str, datetime] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    """The ids that the receiver was told that never answers."""

    def deliver(self, url: str, *, generation: Generation) -> Delivery:
        """Accept, or hold the caller for as long as it is patient."""
        if url == SLOW_URL:
            self.tried.add(generation.id)
            self.clock.sleep(SLOW_RECEIVER)
            return "again"
        self.clock.sleep(QUICK_RECEIVER)
        self.accepted[generation.id] = self.clock.now()
        return "delivered"


class NoTurns(Turns):
    """Lets every receiver be called at any time, as the service did first."""

    def has(self, owner: str, now: datetime) -> bool:  # noqa: ARG002 - the shape of turns
        """Say yes."""
        return True


class CallsBackItself(Jobs):
    """Sends call-backs from the worker that made the image, as the service did first."""

    def work(self, id_: str, deadline: Deadline) -> None:
        """Work, and call the webhook."""
        super().work(id_, deadline)
        self.call_back(id_)


class Simulation:
    """A deployment's workers, and two callers of it."""

    def __init__(
        self,
        *,
        loop: GenerationRequest | None = None,
        per_minute: int | None = PER_MINUTE,
        jobs: type[Jobs] = Jobs,
        turns: type[Turns] = Turns,
    ) -> None:
        self.loop = loop
        self.world: World = world(
            models=(SDXL, CORE, ULTRA),
            quota_limits=QuotaLimits(images_per_minute_per_caller=per_minute, queued_jobs_per_caller=1000),
        )
        self.clock = self.world.clock
        self.queues = Queues(self.clock)
        self.receivers = Receivers(self.clock)
        ports = replace(
            self.world.service.ports,
            runtime=TimedRuntime(self.clock),
            queue=Queue(self.queues, JOBS_ARN),
            call_backs=Queue(self.queues, CALL_BACK_ARN),
            webhook=self.receivers,
        )
        limits, models = self.world.ledger.limits, self.world.service.models
        # Apart: what the worker learns of a model, the api function does not know.
        self.submitter = assemble(ports, limits, models=models).submitter
        whole = assemble(ports, limits, models=models).jobs
        parts = {name: getattr(whole, name) for name in Jobs.__dataclass_fields__}
        self.processes = cycle(
            replace(self.world.worker, jobs=jobs(**parts | {"turns": turns()}), queue=ports.queue)
            for _ in range(PROCESSES)
        )
        self.refused = 0
        self._events: list[tuple[datetime, int, Callable[[], float]]] = []
        self._numbers = count()
        self.end = self.clock.now() + timedelta(minutes=MINUTES)
        self._add(lambda: self._ask(OWNER))
        if loop is not None:
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

    def delays(self) -> list[float]:
        """Return how many seconds after its image each call-back of the steady caller was accepted, or waits now."""
        return [
            (self.receivers.accepted.get(record.id, self.end) - record.ended_at).total_seconds()
            for record in self.world.store.all()
            if record.owner == OWNER and record.ended_at is not None and record.ended_at <= self.end
        ]

    def _add(self, event: Callable[[], float], *, at: datetime | None = None) -> None:
        heapq.heappush(self._events, (at or self.clock.now(), next(self._numbers), event))

    def _ask(self, owner: str) -> float:
        steady = owner == OWNER
        try:
            self.submitter.submit(
                STEADY_REQUEST if steady or self.loop is None else self.loop,
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
            next(self.processes).take(self._record(message, arn), FakeDeadline(self.clock))
        except NotAcknowledged:
            assert self.queues.postponed is not None
            message.visible_at = self.clock.now() + timedelta(seconds=self.queues.postponed)
            self.queues.waiting[arn].append(message)
        return OVERHEAD

    def _sweep(self) -> float:
        next(self.processes).sweep()
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


LOOPS: Final = pytest.mark.parametrize("loop", [FREE, PAID], ids=["free failures", "paid jobs"])


@LOOPS
def test_a_loop_with_a_slow_receiver_takes_no_images_from_another_caller(loop: GenerationRequest) -> None:
    """The steady caller gets at least nine tenths of the images that it gets alone."""
    alone = Simulation().run()
    beside = Simulation(loop=loop)
    assert beside.run() >= 0.9 * alone
    assert alone >= 0.9 * MINUTES * 60 / STEADY
    # The loop ran, and most of it was refused as its own caller's affair.
    assert beside.refused > 200 * MINUTES


@LOOPS
def test_a_loop_with_a_slow_receiver_delays_few_call_backs_of_another_caller(loop: GenerationRequest) -> None:
    """Nine tenths come as soon as they do alone, and each of them within a bound."""
    alone, beside = Simulation(), Simulation(loop=loop)
    alone.run()
    beside.run()
    assert max(beside.delays()) <= LATEST
    assert share_as_soon(beside, as_=alone) >= 0.9
    assert len(beside.receivers.accepted) >= 0.9 * len(alone.receivers.accepted) > 0
    # The receiver that never answers was called as well.
    assert beside.receivers.tried


@LOOPS
def test_without_turns_a_slow_receiver_delays_the_call_backs_of_another_caller(
    loop: GenerationRequest,
) -> None:
    """Neither fewer tries nor a concurrency of their own keep them going."""
    alone, beside = Simulation(), Simulation(loop=loop, turns=NoTurns)
    alone.run()
    beside.run()
    assert max(beside.delays()) > LATEST
    assert share_as_soon(beside, as_=alone) < 0.9


@pytest.mark.parametrize(
    ("per_minute", "jobs"),
    [(PER_MINUTE, CallsBackItself), (None, Jobs)],
    ids=["call-backs by the workers that make images", "no limit of a minute"],
)
def test_each_part_of_the_defence_is_needed(per_minute: int | None, jobs: type[Jobs]) -> None:
    """Without the queue of call-backs, or without a limit for each caller, the simulation shows the starvation."""
    alone = Simulation(per_minute=per_minute, jobs=jobs, turns=NoTurns).run()
    beside = Simulation(loop=FREE, per_minute=per_minute, jobs=jobs, turns=NoTurns).run()
    assert beside < 0.9 * alone


def share_as_soon(simulation: Simulation, *, as_: Simulation) -> float:
    """Return the share of call-backs that took no longer than the slowest one of another simulation."""
    slowest, delays = max(as_.delays()), simulation.delays()
    return sum(delay <= slowest for delay in delays) / len(delays)
