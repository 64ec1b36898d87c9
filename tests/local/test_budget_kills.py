"""Processes killed at every step under a budget that runs out, over the emulator's table, bucket and queue.

A cheap model draws, and a dear one is reserved: so a unit that a kill loses is worth more than an image. Each killed
process is alone, so that what it alone lost is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen.generations.charges import MICRO, Charge
from imagegen.http.app import create_app
from imagegen.worker import NotAcknowledged
from local.bedrock.settings import Settings as ModelSettings
from local.bedrock.stand_in import StandIn as Model
from tests.support import real_parts
from tests.support.depth import at_depth
from tests.support.events import event, received, send
from tests.support.fakes import CORE, FakeClock, FakeDeadline, FakeObserver
from tests.support.mortal_workers import KILLED, Errand, Mortals, Point

if TYPE_CHECKING:
    from tests.support.bare_emulator import Emulator
    from tests.support.real_parts import Poller, Wired

pytestmark = pytest.mark.slow

ULTRA: Final = "stability.stable-image-ultra-v1:1"
PRICE: Final = 40_000
RESERVED: Final = 140_000
CALLS: Final = 2
"""Paid attempts of a job, each of which is reserved."""

ROUNDS: Final = at_depth(thorough=10, usual=1)
BUDGET: Final = ROUNDS * 3_000_000
"""In micro-dollars: less than the killed processes and the survivors ask for together."""
AFTER_THE_LEASE: Final = 3600.0

STEPS: Final = (
    Point(port="quotas", method="take", when="before"),
    Point(port="quotas", method="take", when="after"),
    Point(port="store", method="write", when="before"),
    Point(port="store", method="write", when="after"),
    Point(port="runtime", method="invoke", when="before"),
    Point(port="runtime", method="invoke", when="during"),
    Point(port="runtime", method="invoke", when="after"),
    Point(port="images", method="put", when="after"),
    Point(port="store", method="write", when="before", nth=2),
    Point(port="store", method="write", when="after", nth=2),
    Point(port="quotas", method="correct", when="before"),
    Point(port="quotas", method="correct", when="after"),
)
"""Steps of a synchronous request. A worker takes no units, and goes through the others."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What is billed and counted after one process was killed or its work was taken up."""

    kills: int
    billed: int
    counted: Charge


@dataclass(kw_only=True)
class Siege:
    """A service with a budget, its processes that are killed, and its books after each of them."""

    service: Wired
    mortals: Mortals
    poller: Poller
    model: Model
    noon: float
    day: str
    moments: list[Moment]
    asked: int = 0
    kills: int = 0

    @property
    def prompt(self) -> str:
        """The prompt of the newest request."""
        return f"(asked {self.asked})"

    def request(self, point: Point | None = None, *, asynchronous: bool = False) -> dict[str, Any]:
        """Return a request with a key of its own, and with a slow model if somebody is to die during the call."""
        self.asked += 1
        headers = {"Idempotency-Key": f"besieged-{self.asked:016d}"}
        if asynchronous:
            headers["Prefer"] = "respond-async"
        if point is not None and point.when == "during":
            slow = {"type": "latency", "seconds": 30}
            self.model.configure({"prompt": self.prompt, "times": 1, "action": slow})
        body = {"text_prompts": [{"text": self.prompt}]}
        return event("POST", "/text-to-image", body, headers=headers)

    def kill(self, point: Point, **errand: Any) -> None:
        """Let one process die at a step, and look at the books."""
        sent = Errand(point=point, prompt=self.prompt, ahead=self.noon, **errand)
        assert self.mortals.send(sent) == KILLED
        self.kills += 1
        self.look()

    def look(self) -> None:
        """Write down what is billed and counted."""
        owner = received(event("GET", "/generations")).owner
        (counted,) = self.service.service.ports.quotas.usage(owner, [self.day])
        billed = self.model.calls(last=0)["billed"]
        self.moments.append(Moment(kills=self.kills, billed=billed, counted=counted))

    def run(self) -> Sequence[int]:
        """Kill processes at each step, let others take their work up, then spend the rest; return the statuses."""
        app = create_app(self.service.services)
        for _ in range(ROUNDS):
            for point in STEPS:
                self.kill(point, request=self.request(point))
            for point in STEPS[2:]:
                assert send(app, self.request(point, asynchronous=True)).status == 202
                (record,) = self.poller.drain()
                self.kill(point, message=record)
                self.poller.give_back(record)
                self.take_up()
        statuses: list[int] = []
        # Bounded, so that a budget which never runs out fails.
        while 429 not in statuses and len(statuses) <= BUDGET // PRICE:
            statuses.append(send(app, self.request()).status)
            self.look()
        return statuses

    def take_up(self) -> None:
        """Let a worker whose clock is after the leases do what is left, as often as messages come back."""
        later = real_parts.shifted(self.service, seconds=self.noon + AFTER_THE_LEASE)
        for _ in range(2):
            for record in self.poller.drain():
                with suppress(NotAcknowledged):
                    later.worker.take(SQSRecord(record), FakeDeadline(FakeClock()))
                self.poller.acknowledge(record)
            later.worker.sweep()
        self.look()


@pytest.fixture(scope="module")
def siege(emulator: Emulator) -> Iterator[tuple[Siege, Sequence[int]]]:
    """Let everything happen."""
    with Model(settings=ModelSettings(instant=True)) as model:
        variables = {
            **real_parts.own_environment(emulator),
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
            "MODELS": f"{CORE},{ULTRA}",
            "MAX_PAID_ATTEMPTS": str(CALLS),
            "DAILY_USD_PER_CALLER": str(BUDGET / MICRO),
        }
        with real_parts.entered(variables), Mortals(variables) as mortals:
            # A day's counters are looked at, so nothing may happen about midnight.
            now = datetime.now(UTC)
            noon = (now.replace(hour=12, minute=0) - now).total_seconds()
            wired = real_parts.wired(variables, observer=FakeObserver())
            service = real_parts.shifted(wired, seconds=noon)
            made = Siege(
                service=service,
                mortals=mortals,
                poller=real_parts.poller(emulator, variables["QUEUE_URL"]),
                model=model,
                noon=noon,
                day=now.date().isoformat(),
                moments=[],
            )
            statuses = made.run()
            yield made, statuses


def test_never_more_is_paid_or_counted_than_the_budget(siege: tuple[Siege, Sequence[int]]) -> None:
    """At no moment; and in the end the budget is used up."""
    made, statuses = siege
    assert made.kills >= at_depth(thorough=200, usual=20)
    assert max(moment.counted.micro_usd for moment in made.moments) <= BUDGET
    assert max(moment.billed for moment in made.moments) * PRICE <= BUDGET
    assert BUDGET - made.moments[-1].counted.micro_usd < RESERVED
    assert set(statuses) == {200, 429}


def test_the_counters_are_never_below_the_bill(siege: tuple[Siege, Sequence[int]]) -> None:
    """After each kill, before anybody has taken its work up, and afterwards."""
    low = [
        moment
        for moment in siege[0].moments
        if moment.counted.micro_usd < moment.billed * PRICE or moment.counted.images < moment.billed
    ]
    assert low == []


def test_a_killed_process_loses_one_image_and_one_reservation_at_most(
    siege: tuple[Siege, Sequence[int]],
) -> None:
    """In the end, and by each of them: what is counted beyond the bill."""
    made, _ = siege
    worst = CALLS * RESERVED
    last = made.moments[-1]
    assert 0 < last.counted.images - last.billed <= made.kills
    assert 0 < last.counted.micro_usd - last.billed * PRICE <= made.kills * worst
    for before, after in zip(made.moments, made.moments[1:], strict=False):
        lost = after.kills - before.kills
        more = (after.counted.micro_usd - after.billed * PRICE) - (
            before.counted.micro_usd - before.billed * PRICE
        )
        images = (after.counted.images - after.billed) - (before.counted.images - before.billed)
        if lost:
            assert (images <= 1, more <= worst) == (True, True)
