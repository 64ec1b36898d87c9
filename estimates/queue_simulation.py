"""The queue of jobs at a given rate, in simulated time: what waits, what is refused, and how fast images are made.

It has the service's own pauses, deliveries and sweep, and a model that takes so many requests a minute. It is
deterministic: chance comes from a fixed seed. Left out are Lambda's start-up, of which a busy function has little, and
fair queues, because all jobs are of one caller here.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from imagegen.adapters.dynamodb import DUE_SHARDS
from imagegen.generations.generation import LONGEST_WAIT, RESEND_AFTER, RETURNS_WITHIN
from imagegen.generations.model_caller import STORE_RESERVE
from imagegen.generations.retry import DELIVERY_BACKOFF, MODEL_BACKOFF
from imagegen.worker import SWEPT_AT_ONCE
from stacks.generation_queue import MAX_DELIVERIES
from stacks.model_access import SECONDS_AN_IMAGE_TAKES
from stacks.stage import SECONDS_BESIDE_THE_MODEL

OVERHEAD: Final = 0.3
"""An assumption: seconds that a worker is busy with any message, beside the model."""
REFUSAL: Final = 0.1
"""An assumption: seconds that a refused call takes."""
PATIENCE: Final = SECONDS_BESIDE_THE_MODEL - STORE_RESERVE
"""Seconds for which a worker repeats a refused call, before it gives the message back."""
_SEED: Final = 20_261_128


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is simulated: jobs a minute, the model's requests a minute, and workers. A peak doubles the jobs."""

    name: str
    jobs_a_minute: float
    requests_a_minute: int
    workers: int
    minutes: int = 30
    peak: tuple[int, int] = (0, 0)
    """From which minute to which one."""


@dataclass(slots=True)
class Job:
    """One job: when it came, when it is due for the sweep, and whether it runs or has ended."""

    came: float
    due: float
    running: bool = False
    ended: float | None = None


@dataclass(slots=True)
class Message:
    """One message of a job, and how often it was received."""

    job: Job
    receives: int = 0


@dataclass
class Outcome:
    """What came of it."""

    scenario: Scenario
    waits: list[float] = field(default_factory=list)
    """Seconds from the request to the image, of each job that has ended, in the order of their ends."""
    ends: list[float] = field(default_factory=list)
    arrived: int = 0
    refusals: int = 0
    deliveries: int = 0
    sent_again: int = 0
    dead_letters: int = 0
    most_in_flight: int = 0

    @property
    def images(self) -> int:
        """How many images there are in the end."""
        return len(self.ends)

    @property
    def waiting(self) -> int:
        """How many jobs have not ended."""
        return self.arrived - self.images

    def images_a_minute(self, *, last: int) -> float:
        """Return the rate of the last minutes."""
        since = 60 * (self.scenario.minutes - last)
        return sum(end >= since for end in self.ends) / last

    def wait(self, share: float) -> float:
        """Return the seconds that this share of the images took at most."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Simulation:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.outcome = Outcome(scenario=scenario)
        self._now = 0.0
        self._end = 60.0 * scenario.minutes
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._ready: deque[Message] = deque()
        self._jobs: list[Job] = []
        self._idle = scenario.workers
        self._in_flight = 0
        self._chance = Random(_SEED)  # noqa: S311 - a simulation
        self._rate = scenario.requests_a_minute / 60
        self._most_tokens = max(1.0, self._rate)
        self._tokens = self._most_tokens
        self._filled_at = 0.0

    def run(self) -> Outcome:
        """Let the time pass, and return what came of it."""
        self._after(0, self._arrive)
        self._after(60, self._sweep)
        while self._events:
            at, _, event = heapq.heappop(self._events)
            if at >= self._end:
                break
            self._now = at
            event()
        return self.outcome

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (self._now + seconds, self._number, event))

    def _arrive(self) -> None:
        job = Job(came=self._now, due=self._now + RESEND_AFTER.total_seconds())
        self._jobs.append(job)
        self.outcome.arrived += 1
        self._enqueue(Message(job))
        begins, ends = self.scenario.peak
        factor = 2 if 60 * begins <= self._now < 60 * ends else 1
        self._after(60 / (self.scenario.jobs_a_minute * factor), self._arrive)

    def _enqueue(self, message: Message) -> None:
        self._ready.append(message)
        self._deliver()

    def _deliver(self) -> None:
        while self._idle and self._ready:
            message = self._ready.popleft()
            message.receives += 1
            if message.receives > MAX_DELIVERIES:
                self.outcome.dead_letters += 1
                continue
            self.outcome.deliveries += 1
            self._idle -= 1
            self._count_in_flight(1)
            self._take(message)

    def _take(self, message: Message) -> None:
        job = message.job
        if job.ended is not None:
            self._after(OVERHEAD, self._freed)
        elif job.running:
            # Its lease is live, so this is one message too many: it comes back, and finds the job ended.
            self._after(OVERHEAD, lambda: self._give_back(message))
        else:
            job.running = True
            self._try(message, tries=1, since=self._now)

    def _try(self, message: Message, *, tries: int, since: float) -> None:
        if self._granted():
            self._after(SECONDS_AN_IMAGE_TAKES + OVERHEAD, lambda: self._finish(message.job))
            return
        self.outcome.refusals += 1
        pause = REFUSAL + MODEL_BACKOFF.pause(tries, fraction=self._chance.random())
        if self._now + pause - since > PATIENCE:
            self._after(REFUSAL + OVERHEAD, lambda: self._release(message))
            return
        self._after(pause, lambda: self._try(message, tries=tries + 1, since=since))

    def _granted(self) -> bool:
        filled = self._tokens + (self._now - self._filled_at) * self._rate
        self._tokens, self._filled_at = min(self._most_tokens, filled), self._now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _finish(self, job: Job) -> None:
        job.running, job.ended = False, self._now
        self.outcome.ends.append(self._now)
        self.outcome.waits.append(self._now - job.came)
        self._freed()

    def _release(self, message: Message) -> None:
        message.job.running = False
        message.job.due = self._now + RETURNS_WITHIN.total_seconds()
        self._give_back(message)

    def _give_back(self, message: Message) -> None:
        pause = DELIVERY_BACKOFF.pause(message.receives, fraction=self._chance.random())
        self._after(1 + int(pause), lambda: self._return(message))
        self._idle += 1
        self._deliver()

    def _return(self, message: Message) -> None:
        self._count_in_flight(-1)
        self._enqueue(message)

    def _freed(self) -> None:
        self._count_in_flight(-1)
        self._idle += 1
        self._deliver()

    def _count_in_flight(self, change: int) -> None:
        # A message that was postponed is still in flight, as SQS counts.
        self._in_flight += change
        self.outcome.most_in_flight = max(self.outcome.most_in_flight, self._in_flight)

    def _sweep(self) -> None:
        self._jobs = [job for job in self._jobs if job.ended is None]
        due = sorted(
            (job for job in self._jobs if job.due <= self._now and not job.running), key=lambda job: job.due
        )
        for job in due[: SWEPT_AT_ONCE * DUE_SHARDS]:
            waited = self._now - job.came
            pause = max(RESEND_AFTER.total_seconds(), min(waited, LONGEST_WAIT.total_seconds()))
            job.due = self._now + pause
            self.outcome.sent_again += 1
            self._enqueue(Message(job))
        self._after(60, self._sweep)
