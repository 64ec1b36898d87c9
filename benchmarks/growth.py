"""Measures whether a request costs more when there are more generations, API keys or queued jobs.

The functions run as they are deployed, by Lambda's runtime client. Requests for tables of different sizes alternate in
small blocks, so that whatever else the machine does disturbs all of them alike.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import growing_tables
from benchmarks.contenders import event, generation_event
from benchmarks.environments import Environment
from benchmarks.figures import Series
from benchmarks.fleet import Fleet, fleet
from benchmarks.installed import Installed, install
from benchmarks.keys import authorizer_event
from benchmarks.results import Figure, ratio, single, spread
from tools.failures import LocalError

HISTORY: Final = (10, 1_000, 100_000)
JOBS: Final = (1, 100, 10_000)
KEYS: Final = (1, 100, 10_000)
ROUNDS: Final = 60
BLOCK: Final = 5
SWEEPS: Final = 2
GROUP: Final = 20
"""How many requests form a group that has its own 95th percentile."""
PAGE: Final = 5
"""How many generations are on a page: few enough for two full pages of the smallest history."""
IMAGE_BYTES: Final = 20_000
"""The image is small, so that it does not hide what the table costs."""

_STAND_INS: Final = "benchmarks.growing_stand_ins"
_NEVER: Final = 10_000_000
"""A number that no job and no API key in a table has."""
_FIRST_ASKED: Final = 1_000_000
"""The number of the first API key that is asked for; the next ones count up from it."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One kind of request: which function it is sent to, and what grows.

    `event` makes the event from the size and the number of the request. `accepts` says whether a reply is the expected
    one. With `changes` each block begins with the table as it was; with `key` the API key of that number is added
    first. Before each block, one request is sent that is not counted: `warm_up`, or the block's first. `shares` says
    from a reply for how many generations the request was.
    """

    name: str
    function: str
    of: str
    sizes: Sequence[int]
    event: Callable[[int, int], Mapping[str, Any]]
    accepts: Callable[[Any], bool]
    warm_up: Mapping[str, Any] | None = None
    changes: bool = False
    key: Callable[[int, int], int] | None = None
    shares: Callable[[Any], int] = lambda _reply: 1
    block: int = BLOCK
    rounds: int = ROUNDS


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What the requests of one kind took at one size: wall and CPU time in seconds, and calls of AWS for each."""

    wall: Series
    cpu: Series
    calls: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What each kind of request took, by its name and the size of what grows."""

    samples: Mapping[str, Mapping[int, Sample]]

    def more_calls(self, name: str) -> float:
        """Return how many more calls of AWS a request makes at the largest size than at the smallest."""
        smallest, largest = self._ends(name)
        return sum(largest.calls.values()) - sum(smallest.calls.values())

    def figures(self) -> list[Figure]:
        """Return the ratios, and the time at each size."""
        found = []
        for name, by_size in self.samples.items():
            smallest, largest = self._ends(name)
            sizes = f"{max(by_size):,} / {min(by_size):,}"
            cpu = (p95s(largest.cpu), p95s(smallest.cpu))
            wall = (p95s(largest.wall), p95s(smallest.wall))
            found.append(ratio(f"{name}: p95 of CPU time, {sizes}", *cpu, must=1.2, aim=1.05))
            found.append(ratio(f"{name}: p95 of time, {sizes}", *wall, must=1.2, aim=1.05, compared=False))
            found += [
                spread(
                    f"{name}, of {size:,}",
                    [1000 * one for one in sample.wall.seconds],
                    unit="ms",
                    compared=False,
                )
                for size, sample in by_size.items()
            ]
        more = max(self.more_calls(name) for name in self.samples)
        return [
            *found,
            single("calls of AWS more for the largest size than for the smallest", more, unit="", must=0),
        ]

    def _ends(self, name: str) -> tuple[Sample, Sample]:
        by_size = self.samples[name]
        return by_size[min(by_size)], by_size[max(by_size)]


def p95s(series: Series) -> list[float]:
    """Return the 95th percentile of each group of requests that came one after the other.

    One percentile of all requests would show the busiest moments of the machine.
    """
    groups = max(1, len(series.seconds) // GROUP)
    size = -(-len(series.seconds) // groups)
    return [
        Series(name=series.name, seconds=series.seconds[first : first + size]).p95
        for first in range(0, len(series.seconds), size)
    ]


def measure(
    installed: Installed | None = None,
    *,
    history: Sequence[int] = HISTORY,
    jobs: Sequence[int] = JOBS,
    keys: Sequence[int] = KEYS,
    rounds: int = ROUNDS,
) -> Growth:
    """Fill the tables, send the requests of every kind, and stop what was started.

    Raises:
        LocalError: a function did not reply as it should.
    """
    sizes = json.dumps({"history": history, "jobs": jobs, "keys": keys})
    with fleet(installed or install(), module=_STAND_INS, arguments=[sizes]) as started:
        started.control(image_bytes=IMAGE_BYTES)
        probes = (
            *_of_history(history, cursor=_cursor(started, min(history)), rounds=rounds),
            *_of_jobs(jobs, rounds=rounds),
            *_of_keys(keys, rounds=rounds),
        )
        samples: dict[str, Mapping[int, Sample]] = {}
        for function in dict.fromkeys(probe.function for probe in probes):
            with started.start(function) as environment:
                own = [_Run(probe) for probe in probes if probe.function == function]
                # Each round sends every kind of request, so that a slow minute disturbs all kinds alike.
                for number in range(max(run.probe.rounds for run in own)):
                    for run in own:
                        if number < run.probe.rounds:
                            run.round(started, environment, number)
                samples |= {run.probe.name: run.samples() for run in own}
        return Growth(samples=samples)


def _of_history(sizes: Sequence[int], *, cursor: str, rounds: int) -> Sequence[Probe]:
    def page(**query: str) -> Callable[[int, int], Mapping[str, Any]]:
        return lambda _size, _number: _queried("/generations", limit=str(PAGE), **query)

    def look_up(size: int, number: int) -> Mapping[str, Any]:
        # The numbers are spread over the whole history.
        return event("GET", f"/generations/{growing_tables.id_of(number * 7919 % size)}")

    def submit(_size: int, _number: int) -> Mapping[str, Any]:
        return generation_event()

    def queue(_size: int, _number: int) -> Mapping[str, Any]:
        sent = generation_event()
        preferred = {**sent["headers"], "Prefer": "respond-async"}
        return {**sent, "headers": preferred, "multiValueHeaders": _many(preferred)}

    def full_page(reply: Any) -> bool:
        return bool(reply["statusCode"] == 200) and len(json.loads(reply["body"])["generations"]) == PAGE  # noqa: PLR2004 - HTTP's

    def is_(status: int) -> Callable[[Any], bool]:
        return lambda reply: bool(reply["statusCode"] == status)

    return [
        Probe(
            name=name,
            function="api",
            of="history",
            sizes=sizes,
            event=made,
            accepts=accepts,
            changes=changes,
            rounds=rounds,
        )
        for name, made, accepts, changes in (
            ("history, first page", page(), full_page, False),
            ("history, last page", page(cursor=cursor), full_page, False),
            ("look-up", look_up, is_(200), False),
            ("submit, asynchronous", queue, is_(202), True),
            ("submit, synchronous", submit, is_(200), True),
        )
    ]


def _of_jobs(sizes: Sequence[int], *, rounds: int) -> Sequence[Probe]:
    def take(size: int, number: int) -> Mapping[str, Any]:
        return growing_tables.message_of(number * 7919 % size)

    def sweep(_size: int, _number: int) -> Mapping[str, Any]:
        return {"source": "aws.events"}

    return [
        Probe(
            name=name,
            function="worker",
            of="jobs",
            sizes=sizes,
            event=made,
            accepts=accepts,
            shares=shares,
            changes=True,
            warm_up=growing_tables.message_of(_NEVER),
            block=1,
            rounds=repeated,
        )
        for name, made, accepts, shares, repeated in (
            ("job taken", take, lambda reply: reply == {"batchItemFailures": []}, lambda _: 1, 2 * rounds),
            (
                "sweep, for each of its jobs",
                sweep,
                lambda reply: reply["due"] > 0,
                lambda reply: int(reply["due"]),
                min(rounds, SWEEPS),
            ),
        )
    ]


def _of_keys(sizes: Sequence[int], *, rounds: int) -> Sequence[Probe]:
    def unknown(size: int, number: int) -> int:
        # The authorizer remembers keys, so each key is asked for only once.
        return _FIRST_ASKED + number * len(sizes) + list(sizes).index(size)

    return [
        Probe(
            name="authorizer, key not read before",
            function="authorizer",
            of="keys",
            sizes=sizes,
            event=lambda size, number: authorizer_event(growing_tables.key(unknown(size, number))),
            accepts=lambda reply: reply["policyDocument"]["Statement"][0]["Effect"] == "Allow",
            warm_up=authorizer_event(growing_tables.key(_NEVER)),
            key=unknown,
            block=1,
            rounds=rounds * BLOCK,
        )
    ]


class _Run:
    """The requests of one kind so far."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self._wall: dict[int, list[float]] = {size: [] for size in probe.sizes}
        self._cpu: dict[int, list[float]] = {size: [] for size in probe.sizes}
        self._of: Counter[int] = Counter()
        self._calls: dict[int, Counter[str]] = {size: Counter() for size in probe.sizes}

    def round(self, started: Fleet, environment: Environment, number: int) -> None:
        """Send a block of requests for each size; each round begins with another size."""
        sizes, first = self.probe.sizes, number % len(self.probe.sizes)
        for size in (*sizes[first:], *sizes[:first]):
            self._block(started, environment, size=size, number=number)

    def samples(self) -> Mapping[int, Sample]:
        """Return what was measured at each size."""
        return {
            size: Sample(
                wall=Series(name=self.probe.name, seconds=tuple(wall)),
                cpu=Series(name=self.probe.name, seconds=tuple(self._cpu[size])),
                calls={call: total / self._of[size] for call, total in sorted(self._calls[size].items())},
            )
            for size, wall in self._wall.items()
        }

    def _block(self, started: Fleet, environment: Environment, *, size: int, number: int) -> None:
        probe, first = self.probe, number * self.probe.block
        added = {"key": probe.key(size, first)} if probe.key else {}
        started.control(of=probe.of, size=size, changes=probe.changes, **added)
        # Copying a large table has pushed everything else out of the processor's caches, so the first is not counted.
        environment.invoke(probe.warm_up or probe.event(size, first))
        started.control()
        for each in range(first, first + probe.block):
            sent = probe.event(size, each)
            cpu, begun = environment.cpu, time.perf_counter()
            reply = environment.invoke(sent)
            wall = time.perf_counter() - begun
            if not probe.accepts(reply):
                raise LocalError(f"{probe.name}, {size}: the function replied {json.dumps(reply)[:500]}")
            shares = probe.shares(reply)
            self._wall[size].append(wall / shares)
            self._cpu[size].append((environment.cpu - cpu) / shares)
            self._of[size] += shares
        self._calls[size].update(started.control())


def _cursor(started: Fleet, smallest: int) -> str:
    """Return where the last page of the smallest history begins; every other history has the same last page."""
    started.control(of="history", size=smallest)
    with started.start("api") as environment:
        reply = environment.invoke(_queried("/generations", limit=str(smallest - PAGE)))
        return str(json.loads(reply["body"])["next_cursor"])


def _queried(path: str, **query: str) -> dict[str, Any]:
    sent = event("GET", path)
    return {**sent, "queryStringParameters": query, "multiValueQueryStringParameters": _many(query)}


def _many(single: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in single.items()}
