"""Measures what one warm request costs, in CPU time, beside the floors, with an image of 1.8 MB over TLS."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.contenders import generation_event
from benchmarks.environments import Environment, served
from benchmarks.fleet import Fleet
from benchmarks.keys import authorizer_event, store_key
from benchmarks.results import Figure, ratio, single, spread

ROUNDS: Final = 21
WARM_UP: Final = 20
BLOCK: Final = 10
IMAGE_BYTES: Final = 1_800_000
HAND, NAIVE, OWN, COUNTED = "by hand", "naive", "api", "api, table counted"
_NAMES: Final = (HAND, NAIVE, "powertools", OWN, COUNTED)


def measure(fleet: Fleet, *, rounds: int = ROUNDS, warm_up: int = WARM_UP) -> list[Figure]:
    """Send blocks of requests to the functions in turn, and return CPU times of a request and the ratios of ours."""
    fleet.control(image_bytes=IMAGE_BYTES, model_seconds=0.0)
    seconds: dict[str, list[float]] = {name: [] for name in _NAMES}
    table_seconds: list[float] = []
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(fleet.start(name)) for name in _NAMES}
        for environment in running.values():
            _block(environment, warm_up)
        for _ in range(rounds):
            for name, environment in running.items():
                before = _table(environment) if name == COUNTED else 0.0
                seconds[name].append(_block(environment, BLOCK))
                if name == COUNTED:
                    # Reading the clock takes one request as well.
                    table_seconds.append((_table(environment) - before) / (BLOCK + 1))
    without = [own - table for own, table in zip(seconds[COUNTED], table_seconds, strict=True)]
    return [
        ratio("warm request / by hand, table apart", without, seconds[HAND], must=2.2, aim=1.6),
        ratio("warm request, all of it / naive", seconds[OWN], seconds[NAIVE], must=1.0, aim=0.8),
        # Of two floors, so nothing of ours becomes worse with them.
        ratio("powertools and pydantic / naive", seconds["powertools"], seconds[NAIVE], compared=False),
        ratio("naive / by hand", seconds[NAIVE], seconds[HAND], compared=False),
        *(
            spread(f"warm request, {name}", [1000 * each for each in taken], unit="ms CPU", compared=False)
            for name, taken in seconds.items()
            if name != COUNTED
        ),
        spread("of which the table", [1000 * each for each in table_seconds], unit="ms CPU", compared=False),
    ]


def measure_authorizer(fleet: Fleet, *, rounds: int = ROUNDS) -> list[Figure]:
    """Return the CPU time of one decision, about a key that has to be read and about a remembered key."""
    known = store_key(fleet)
    with fleet.start("authorizer") as environment:

        def decide(event: Callable[[], Mapping[str, Any]]) -> list[float]:
            _block(environment, WARM_UP, event)
            return [1000 * _block(environment, BLOCK, event) for _ in range(rounds)]

        # A key that is not in the table is looked up each time.
        read = decide(lambda: authorizer_event(None))
        remembered = decide(lambda: authorizer_event(known))
    return [
        spread("authorizer, a key that is read", read, unit="ms CPU", must=3.0, aim=1.0, compared=False),
        spread("authorizer, a key that is remembered", remembered, unit="ms CPU", compared=False),
    ]


def count_round_trips(fleet: Fleet) -> list[Figure]:
    """Return how many calls of each service one synchronous generation makes."""
    with fleet.start(OWN) as environment:
        _block(environment, 1)
        fleet.control()
        _block(environment, BLOCK)
        counted = fleet.control()
    services = ("dynamodb", "s3", "bedrock")
    return [
        single(
            f"calls of {service} for one generation",
            sum(number for call, number in counted.items() if call.startswith(service)) / BLOCK,
            unit="",
        )
        for service in services
    ]


def _block(
    environment: Environment, requests: int, event: Callable[[], Mapping[str, Any]] = generation_event
) -> float:
    """Send so many requests, and return the CPU seconds of one."""
    before = environment.cpu
    for _ in range(requests):
        served(environment, event())
    return (environment.cpu - before) / requests


def _table(environment: Environment) -> float:
    """Return the CPU seconds that all calls of the table have taken so far."""
    return float(served(environment, generation_event())["tableNanoseconds"]) / 1e9
