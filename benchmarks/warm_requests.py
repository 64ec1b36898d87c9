"""Times warm requests through the whole stack, with a model that answers at once."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from benchmarks.figures import Series
from local import life_cycle
from local.certificates import trust
from local.demo import REQUEST
from local.ports import free_offset
from local.state import State
from local.variables import Variables
from tools.checkout import CHECKOUT

MODEL = "stability.stable-diffusion-xl-v1"
WARM_UP, REQUESTS = 5, 50
FOLDER = CHECKOUT / ".build" / "bench"
SEED = 3407

T = TypeVar("T")


def measure() -> list[Series]:
    """Deploy a stack, time the requests, and take the stack down again."""
    with instant_model() as url:
        variables = Variables(bedrock_url=url, folder=FOLDER, port_offset=free_offset())
        try:
            # The second `up` has nothing to do, and shows what that costs.
            ready, first_up = _timed(lambda: life_cycle.up(variables))
            _, second_up = _timed(lambda: life_cycle.up(variables))
            body = {**REQUEST, "seed": SEED}
            return [
                Series(name="POST /v1/text-to-image, warm", seconds=_through_the_stack(ready, body)),
                Series(name="  of which the instant model", seconds=_straight_to_the_model(url, body)),
                Series(name="make up, packages installed", seconds=(first_up,)),
                Series(name="make up, again", seconds=(second_up,)),
            ]
        finally:
            life_cycle.down(FOLDER)


@contextmanager
def instant_model() -> Iterator[str]:
    """Run the stand-in with one picture for each size, and yield its address."""
    command = [sys.executable, "-m", "local.bedrock", "--port", "0", "--instant", "--alive", MODEL]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def _through_the_stack(ready: State, body: Mapping[str, Any]) -> tuple[float, ...]:
    with httpx.Client(verify=trust(None), trust_env=False, timeout=60) as client:
        headers = {"x-api-key": ready.api_key}
        return _repeated(lambda: client.post(f"{ready.api_url}/text-to-image", json=body, headers=headers))


def _straight_to_the_model(url: str, body: Mapping[str, Any]) -> tuple[float, ...]:
    with httpx.Client(verify=trust(None), trust_env=False, timeout=60) as client:
        return _repeated(lambda: client.post(f"{url}/model/{MODEL}/invoke", json=body))


def _repeated(send: Callable[[], httpx.Response]) -> tuple[float, ...]:
    for _ in range(WARM_UP):
        send().raise_for_status()
    seconds = []
    for _ in range(REQUESTS):
        response, taken = _timed(send)
        response.raise_for_status()
        seconds.append(taken)
    return tuple(seconds)


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = action()
    return result, time.perf_counter() - started
