"""Workers and API processes killed with SIGKILL at every step, on the emulator's table, bucket and queue.

Each process is forked, wired with the real adapters, and ends itself (or is ended) at its point; a third of the jobs
lose a second process while the first one's death is being dealt with. Then the leases are over, and what is left does
its work undisturbed: messages come back, callers repeat their requests, the sweeper looks for what nobody asks about.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen.generations import generation as generations
from imagegen.generations.charges import NOTHING, Charge
from imagegen.generations.generation import Generation
from imagegen.http.app import create_app
from local.bedrock.settings import Settings as ModelSettings
from local.bedrock.stand_in import StandIn as Model
from tests.support import real_parts
from tests.support.bare_emulator import Emulator
from tests.support.depth import at_depth
from tests.support.events import event, received, send
from tests.support.fakes import CORE, FakeClock, FakeDeadline, FakeObserver
from tests.support.mortal_workers import KILLED, Errand, Mortals, Point
from tests.support.real_parts import Poller, Wired
from tests.support.tasks import image_name

CASES_A_POINT: Final = at_depth(thorough=12, usual=2)
RANDOM_CASES: Final = at_depth(thorough=60, usual=6)
LONGEST_RUN: Final = 0.06
"""Seconds in which a worker is usually done, so that a kill within them can come at any step."""
PRICE: Final = 40_000
"""Micro-dollars for an image of the only model."""
AFTER_THE_LEASE: Final = 3600.0

WORKER_POINTS: Final = {
    "worker, before the start is written": Point(port="store", method="write", when="before"),
    "worker, after the start is written": Point(port="store", method="write", when="after"),
    "worker, before the call": Point(port="runtime", method="invoke", when="before"),
    "worker, during the call": Point(port="runtime", method="invoke", when="during"),
    "worker, after the call": Point(port="runtime", method="invoke", when="after"),
    "worker, before the put": Point(port="images", method="put", when="before"),
    "worker, during the put": Point(port="images", method="put", when="during"),
    "worker, after the put": Point(port="images", method="put", when="after"),
    "worker, before the end is written": Point(port="store", method="write", when="before", nth=2),
    "worker, after the end is written": Point(port="store", method="write", when="after", nth=2),
    "worker, before the counters are corrected": Point(port="quotas", method="correct", when="before"),
    "worker, before the acknowledgement": Point(port="acknowledgement", method="", when="before"),
}
ANY_MOMENT: Final = "worker, at any moment"
REQUEST_POINTS: Final = {
    "request, after the units are taken": Point(port="quotas", method="take", when="after"),
    "request, before the claim": Point(port="store", method="write", when="before"),
    "request, after the claim": Point(port="store", method="write", when="after"),
    "request, during the call": Point(port="runtime", method="invoke", when="during"),
    "request, after the call": Point(port="runtime", method="invoke", when="after"),
    "request, after the put": Point(port="images", method="put", when="after"),
    "request, after the end is written": Point(port="store", method="write", when="after", nth=2),
}
ASYNC_POINTS: Final = {
    "async request, after the units are taken": Point(port="quotas", method="take", when="after"),
    "async request, before the claim": Point(port="store", method="write", when="before"),
    "async request, after the claim": Point(port="store", method="write", when="after"),
    "async request, before the message": Point(port="queue", method="send", when="before"),
    "async request, after the message": Point(port="queue", method="send", when="after"),
}
SECOND_DEATHS: Final = (
    None,
    Point(port="images", method="find", when="before"),
    Point(port="store", method="write", when="before"),
    Point(port="store", method="write", when="after"),
)
AFTER_THE_PUT: Final = (
    "worker, after the put",
    "worker, before the end is written",
    "worker, after the end is written",
    "worker, before the counters are corrected",
    "worker, before the acknowledgement",
    "request, after the put",
    "request, after the end is written",
)
BEFORE_ANY_CALL: Final = ("worker, before the start is written", *ASYNC_POINTS)


@dataclass(kw_only=True)
class Case:
    """One generation, where its processes died, and how it ended."""

    label: str
    number: int
    asynchronous: bool
    point: Point | None
    killed_after: float | None = None
    second_death: Point | None = None
    exits: list[int] = field(default_factory=list)
    answer: int = 0
    ended: Generation | None = None
    stored: bool = False
    billed: int = 0

    @property
    def prompt(self) -> str:
        """What is asked for; no prompt is a part of another."""
        return f"({self.label} {self.number})"

    @property
    def key(self) -> str:
        """The idempotency key."""
        return f"{self.label}-{self.number}".replace(",", "").replace(" ", "-")[-64:].rjust(16, "k")

    @property
    def request(self) -> dict[str, Any]:
        """The request as an event of the gateway."""
        headers = {"Idempotency-Key": self.key, **({"Prefer": "respond-async"} if self.asynchronous else {})}
        body = {"text_prompts": [{"text": self.prompt}], "seed": 7}
        return event("POST", "/text-to-image", body, headers=headers)

    @property
    def id(self) -> str:
        """The id that the key stands for."""
        return generations.derive_id(received(self.request).owner, self.key)

    @property
    def kills(self) -> int:
        """How many of its processes were killed."""
        return self.exits.count(KILLED)


def worker_cases() -> list[Case]:
    """Return jobs whose worker dies, every fourth a second time at each of the steps of the recovery."""
    fates = random.Random(20261125)  # noqa: S311 - moments, not secrets
    planned = [
        Case(label=label, number=number, asynchronous=True, point=point)
        for label, point in WORKER_POINTS.items()
        for number in range(CASES_A_POINT)
    ]
    planned += [
        Case(
            label=ANY_MOMENT,
            number=number,
            asynchronous=True,
            point=None,
            killed_after=fates.uniform(0, LONGEST_RUN),
        )
        for number in range(RANDOM_CASES)
    ]
    return [replace(case, second_death=SECOND_DEATHS[case.number % len(SECOND_DEATHS)]) for case in planned]


def request_cases() -> list[Case]:
    """Return requests whose process dies."""
    doors = ((REQUEST_POINTS, False), (ASYNC_POINTS, True))
    return [
        Case(label=label, number=number, asynchronous=asynchronous, point=point)
        for points, asynchronous in doors
        for label, point in points.items()
        for number in range(CASES_A_POINT)
    ]


@dataclass(frozen=True, kw_only=True)
class Fates:
    """Kills what the cases say, then lets the survivors work."""

    calm: Wired
    mortals: Mortals
    poller: Poller

    def run(self, workers: Sequence[Case], requests: Sequence[Case]) -> None:
        """Go through first deaths, second deaths and the recovery."""
        app = create_app(self.calm.services)
        assert {send(app, case.request).status for case in workers} == {202}
        received = self._first_deaths({case.id: case for case in workers})
        for case in requests:
            errand = Errand(request=case.request, prompt=case.prompt, point=case.point)
            case.exits.append(self.mortals.send(errand))
        self._second_deaths(received)
        self._recover([*workers, *requests])

    def _first_deaths(self, cases: Mapping[str, Case]) -> Sequence[tuple[Case, Mapping[str, Any]]]:
        received = [(cases[record["body"]], record) for record in self.poller.drain()]
        for case, record in received:
            errand = Errand(
                message=record, prompt=case.prompt, point=case.point, killed_after=case.killed_after
            )
            self._deliver(case, record, errand)
        return [(case, record) for case, record in received if case.exits[-1] != 0]

    def _second_deaths(self, received: Sequence[tuple[Case, Mapping[str, Any]]]) -> None:
        for case, record in received:
            if case.second_death is not None:
                errand = Errand(message=record, point=case.second_death, ahead=AFTER_THE_LEASE)
                self._deliver(case, record, errand)
            if case.exits[-1] != 0:
                self.poller.give_back(record)

    def _deliver(self, case: Case, record: Mapping[str, Any], errand: Errand) -> None:
        case.exits.append(self.mortals.send(errand))
        if case.exits[-1] == 0:
            self.poller.acknowledge(record)

    def _recover(self, cases: Sequence[Case]) -> None:
        later = real_parts.shifted(self.calm, seconds=2 * AFTER_THE_LEASE)
        app = create_app(later.services)
        for case in cases:
            if case.label not in {*WORKER_POINTS, ANY_MOMENT, "async request, before the message"}:
                case.answer = send(app, case.request).status
        self._take_all(later)
        # what was claimed and has no message is the sweeper's; the message that it sends is taken, too
        assert later.worker.sweep() >= CASES_A_POINT
        self._take_all(later)

    def _take_all(self, service: Wired) -> None:
        for record in self.poller.drain():
            service.worker.take(SQSRecord(record), FakeDeadline(FakeClock()))
            self.poller.acknowledge(record)


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """A stand-in model that answers at once, but for the calls that somebody is to die during."""
    with Model(settings=ModelSettings(instant=True)) as far:
        far.configure({"prompt": "during the call", "action": {"type": "latency", "seconds": 30}})
        yield far


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """Every case, after its deaths and its recovery, and what is counted for their caller."""

    cases: Sequence[Case]
    counted: Charge


@pytest.fixture(scope="module")
def cases(aftermath: Aftermath) -> Sequence[Case]:
    """Every case."""
    return aftermath.cases


@pytest.fixture(scope="module")
def aftermath(emulator: Emulator, model: Model) -> Aftermath:
    """Let everything happen."""
    variables = {
        **real_parts.own_environment(emulator),
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
        "MODELS": CORE,
    }
    workers, requests = worker_cases(), request_cases()
    with real_parts.entered(variables), Mortals(variables) as mortals:
        calm = real_parts.wired(variables, observer=FakeObserver())
        poller = real_parts.poller(emulator, variables["QUEUE_URL"])
        Fates(calm=calm, mortals=mortals, poller=poller).run(workers, requests)
        service = calm.service
        everything = [*workers, *requests]
        for case in everything:
            case.ended = service.submitter.ledger.get(case.id)
            case.stored = (
                service.ports.images.find(image_name(received(case.request).owner, case.id)) is not None
            )
            case.billed = model.calls(prompt=case.prompt, last=0)["billed"]
        owner = received(event("GET", "/generations")).owner
        days = {case.ended.quota_day for case in everything if case.ended}
        counted = sum(service.ports.quotas.usage(owner, sorted(days)), NOTHING)
        return Aftermath(cases=everything, counted=counted)


def ending(case: Case) -> str:
    """Return how a case ended, in a word."""
    if case.ended is None:
        return "nothing"
    return case.ended.failure.code if case.ended.failure else case.ended.state


def test_so_many_processes_are_killed_at_more_than_8_points(cases: Sequence[Case]) -> None:
    """Enough of each for a point to be hit at many moments."""
    assert sum(case.kills for case in cases) >= at_depth(thorough=300, usual=45)
    assert len({case.label for case in cases if case.kills}) >= 8


def test_every_process_dies_where_it_was_told_to(cases: Sequence[Case]) -> None:
    """By SIGKILL, not by an error of its own; at a random moment some are done before."""
    assert {case.exits[0] for case in cases if case.label != ANY_MOMENT} == {KILLED}
    assert {code for case in cases for code in case.exits} <= {KILLED, 0}


def test_no_generation_is_paid_twice(cases: Sequence[Case]) -> None:
    """Whatever died, however often."""
    assert [case.prompt for case in cases if case.billed > 1] == []


def test_every_generation_ends(cases: Sequence[Case]) -> None:
    """None stays queued or running, and none vanishes."""
    assert [case.prompt for case in cases if case.ended is None or not case.ended.terminal] == []


def test_an_image_that_was_stored_is_never_lost_and_never_invented(cases: Sequence[Case]) -> None:
    """A generation has succeeded if and only if its image is in the bucket."""
    assert [case.prompt for case in cases if case.stored != (ending(case) == "succeeded")] == []


@pytest.mark.parametrize("label", AFTER_THE_PUT)
def test_a_kill_after_the_put_costs_nothing(cases: Sequence[Case], label: str) -> None:
    """The image was paid for once, and is delivered."""
    killed = [case for case in cases if case.label == label]
    assert {(ending(case), case.billed) for case in killed} == {("succeeded", 1)}


@pytest.mark.parametrize("label", BEFORE_ANY_CALL)
def test_a_kill_before_the_call_is_granted_costs_nothing(cases: Sequence[Case], label: str) -> None:
    """Nothing was promised yet, so the image is made by the next process, if that one lives."""
    killed = [case for case in cases if case.label == label and case.second_death is None]
    assert {(ending(case), case.billed) for case in killed} == {("succeeded", 1)}


def test_a_kill_between_grant_and_put_is_reported_and_not_paid_again(cases: Sequence[Case]) -> None:
    """Nobody can know whether the call was paid, so nobody makes another."""
    between = ("worker, after the start is written", "worker, during the call", "worker, after the call")
    killed = [case for case in cases if case.label in between]
    assert {ending(case) for case in killed} == {"outcome_unknown"}


def test_a_record_counts_the_calls_that_were_paid(cases: Sequence[Case]) -> None:
    """Never fewer than the model billed."""
    assert [case.prompt for case in cases if case.ended and case.ended.paid_attempts < case.billed] == []


def test_what_may_be_paid_is_counted_and_a_kill_loses_one_unit_at_most(aftermath: Aftermath) -> None:
    """The counters are never below the models' bill, and above it by one image for each killed process at most."""
    billed, kills = (sum(getattr(case, name) for case in aftermath.cases) for name in ("billed", "kills"))
    assert billed <= aftermath.counted.images <= billed + kills
    assert billed * PRICE <= aftermath.counted.micro_usd <= (billed + kills) * PRICE
    assert 0 < aftermath.counted.jobs <= kills


def test_a_caller_whose_request_died_gets_an_answer_by_repeating_it(cases: Sequence[Case]) -> None:
    """The image, or that it is unknown what became of it; never a second image."""
    answers = {(case.label, case.answer) for case in cases if case.label in REQUEST_POINTS}
    assert answers == {
        ("request, after the units are taken", 200),
        ("request, before the claim", 200),
        ("request, after the claim", 502),
        ("request, during the call", 502),
        ("request, after the call", 502),
        ("request, after the put", 200),
        ("request, after the end is written", 200),
    }
