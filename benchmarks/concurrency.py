"""Counts the requests per second of several environments of the api function, each of which serves one at a time.

The functions run as they are deployed, by Lambda's runtime client, all on this machine. With a model that takes a while
they only wait; with one that answers at once they share the machine's cores with the stand-ins of AWS.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.contenders import generation_event
from benchmarks.environments import Environment
from benchmarks.fleet import Fleet, fleet
from benchmarks.installed import Installed, install
from benchmarks.results import Figure, single
from tools.failures import LocalError

ENVIRONMENTS: Final = (1, 2, 4, 8)
MODELS: Final = (0.0, 1.0)
"""Seconds that the model takes."""
SECONDS: Final = 3.0
"""How long each number of environments is sent requests."""

_SUCCEEDED: Final = 200


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The requests per second of a number of environments with a model that takes `model_seconds`."""

    environments: int
    model_seconds: float
    per_second: float

    @property
    def of_possible(self) -> float | None:
        """The rate as a share of what is possible if only the model takes time; None if it takes none."""
        if not self.model_seconds:
            return None
        return self.per_second * self.model_seconds / self.environments


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """The requests per second of each number of environments, with each model."""

    rates: Sequence[Rate]

    def figures(self) -> list[Figure]:
        """Return the requests per second, and their share of what is possible if the model takes time."""
        found = []
        for one in self.rates:
            name = f"requests per second, environments: {one.environments}, model: {one.model_seconds:g} s"
            how: dict[str, Any] = {"better": "higher", "compared": False}
            found.append(single(name, one.per_second, unit="/s", **how))
            if one.of_possible is not None:
                found.append(single(f"{name}, of what is possible", one.of_possible, unit="", **how))
        return found


def measure(
    installed: Installed | None = None,
    *,
    environments: Sequence[int] = ENVIRONMENTS,
    models: Sequence[float] = MODELS,
    seconds: float = SECONDS,
) -> Concurrency:
    """Start as many environments as are needed, send the requests, and stop what was started.

    Raises:
        LocalError: a function did not reply as it should.
    """
    with fleet(installed or install()) as started, ExitStack() as stack:
        ready = [stack.enter_context(started.start("api")) for _ in range(max(environments))]
        for environment in ready:
            _generate(environment)
        return Concurrency(
            rates=[
                _rate(started, ready[:number], model_seconds=model_seconds, seconds=seconds)
                for model_seconds in models
                for number in environments
            ]
        )


def _rate(
    started: Fleet, environments: Sequence[Environment], *, model_seconds: float, seconds: float
) -> Rate:
    started.control(model_seconds=model_seconds)
    begun = time.perf_counter()

    def send(environment: Environment) -> float:
        """Return the requests per second of one environment; the time ends when the last request ends."""
        sent = 0
        while time.perf_counter() < begun + seconds:
            _generate(environment)
            sent += 1
        return sent / (time.perf_counter() - begun)

    with ThreadPoolExecutor(len(environments)) as pool:
        per_second = sum(pool.map(send, environments))
    return Rate(environments=len(environments), model_seconds=model_seconds, per_second=per_second)


def _generate(environment: Environment) -> None:
    reply = environment.invoke(generation_event())
    if reply["statusCode"] != _SUCCEEDED:
        raise LocalError(f"The function replied {reply['statusCode']}: {reply['body'][:500]}")
