"""Times every route through the whole stack, with a model that answers at once, and counts requests per second."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.figures import Series
from benchmarks.local_stack import FOLDER, MODEL, instant_model
from benchmarks.results import Figure, single, spread
from imagegen.http.surface import ROUTES, Route
from local import life_cycle, processes
from local.certificates import trust
from local.demo import REQUEST
from local.ports import free_offset
from local.state import State
from local.variables import Variables
from tools.failures import LocalError

WARM_UP: Final = 3
REPEATED: Final = 30
CLIENTS: Final = (1, 2, 4, 8)
SECONDS: Final = 4.0
"""How long each number of clients sends requests."""
ENGINE: Final = "stable-diffusion-xl-1024-v1-0"
TRIES: Final = 20
FUNCTION: Final = "imagegen-local-Api"
"""How the name of the api function begins."""

_NUMBERS: Final = count(1)


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is sent to a route: the values for the `{name}`s of its path, the body, and further headers."""

    path: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """How many requests were answered per second, and by how many environments of the function."""

    clients: int
    environments: int
    per_second: float


@dataclass(frozen=True, kw_only=True)
class Routes:
    """What each route took, by its name, and the requests per second of several clients."""

    routes: Mapping[str, Series]
    throughputs: Sequence[Throughput]

    def figures(self) -> list[Figure]:
        """Return the median and the 95th percentile of each route, and the requests per second."""
        found = []
        for series in self.routes.values():
            milliseconds = [1000 * one for one in series.seconds]
            found.append(spread(series.name, milliseconds, unit="ms", compared=False))
            found.append(single(f"{series.name}, p95", 1000 * series.p95, unit="ms", compared=False))
        return found + [
            single(
                f"requests per second, clients: {one.clients}, environments: {one.environments}",
                one.per_second,
                unit="/s",
                better="higher",
                compared=False,
            )
            for one in self.throughputs
        ]


def measure() -> Routes:
    """Deploy a stack, send the requests, and take the stack down again.

    Raises:
        LocalError: a route refused its request, or has none here.
    """
    with instant_model() as url:
        variables = Variables(bedrock_url=url, folder=FOLDER, port_offset=free_offset())
        try:
            return on(life_cycle.up(variables), folder=FOLDER)
        finally:
            life_cycle.down(FOLDER)


def on(
    ready: State,
    *,
    folder: Path,
    warm_up: int = WARM_UP,
    repeated: int = REPEATED,
    clients: Sequence[int] = CLIENTS,
    seconds: float = SECONDS,
) -> Routes:
    """Measure a stack that is ready, whose processes belong to this folder.

    Raises:
        LocalError: a route refused its request, or has none here.
    """
    with _client(ready) as client:
        routes = _routes(client, warm_up=warm_up, repeated=repeated)
    throughputs = [_throughput(ready, folder, clients=number, seconds=seconds) for number in clients]
    return Routes(routes=routes, throughputs=throughputs)


@contextmanager
def _client(ready: State) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=ready.api_url,
        headers={"x-api-key": ready.api_key},
        verify=trust(Path(ready.ca_bundle) if ready.ca_bundle else None),
        trust_env=False,
        timeout=60,
    ) as client:
        yield client


def calls(client: httpx.Client) -> Mapping[str, Callable[[], Call]]:
    """Return a function for each route, by the route's name, that makes its call, and first what the call needs."""
    kept = _generated(client)
    engine, model = {"engine_id": ENGINE}, {"modelId": MODEL}
    return {
        "createGeneration": lambda: Call(body=_request()),
        "listGenerations": Call,
        "showGeneration": lambda: Call(path={"id": kept}),
        "redirectToImage": lambda: Call(path={"id": kept}),
        "deleteGeneration": lambda: Call(path={"id": _generated(client)}),
        "showOpenAIModel": lambda: Call(path={"id": MODEL}),
        "listModels": Call,
        "showUsage": Call,
        "showHealth": Call,
        "showOpenApi": Call,
        "createOpenAIImages": lambda: Call(body={"prompt": _prompt(), "response_format": "b64_json"}),
        "createStabilityImage": lambda: Call(path=engine, body=_request(), headers={"Accept": "image/png"}),
        "listStabilityEngines": Call,
        "showStabilityBalance": Call,
        "invokeModel": lambda: Call(path=model, body=_request()),
        "invokeModelWithResponseStream": lambda: Call(path=model, body=_request()),
    }


def _routes(client: httpx.Client, *, warm_up: int, repeated: int) -> Mapping[str, Series]:
    made = calls(client)
    missing = [route.name for route in ROUTES if route.name not in made]
    if missing:
        raise LocalError(f"benchmarks/routes.py sends nothing to these routes: {', '.join(missing)}.")
    seconds: dict[str, list[float]] = {route.name: [] for route in ROUTES}
    # Each round sends one request to every route, so that a slow minute disturbs all routes alike.
    for number in range(warm_up + repeated):
        for route in ROUTES:
            taken = _sent(client, route, made[route.name]())
            if number >= warm_up:
                seconds[route.name].append(taken)
    return {
        route.name: Series(name=f"{route.method} {route.path}", seconds=tuple(seconds[route.name]))
        for route in ROUTES
    }


def _sent(client: httpx.Client, route: Route, call: Call) -> float:
    path = route.path.format(**(call.path or {}))
    begun = time.perf_counter()
    response = client.request(route.method, path, json=call.body, headers=call.headers)
    taken = time.perf_counter() - begun
    if response.is_error:
        raise LocalError(
            f"{route.method} {path} was answered with {response.status_code}: {response.text[:500]}"
        )
    return taken


def _throughput(ready: State, folder: Path, *, clients: int, seconds: float) -> Throughput:
    with ExitStack() as stack, ThreadPoolExecutor(clients) as pool:
        own = [stack.enter_context(_client(ready)) for _ in range(clients)]
        # The emulator starts another environment for each request that finds all at work, which takes a second.
        for _ in range(TRIES):
            list(pool.map(_generated, own))
            if environments(folder) >= clients:
                break
        begun = time.perf_counter()

        def send(client: httpx.Client) -> int:
            sent = 0
            while time.perf_counter() < begun + seconds:
                _generated(client)
                sent += 1
            return sent

        answered = sum(pool.map(send, own))
        return Throughput(
            clients=clients,
            environments=environments(folder),
            per_second=answered / (time.perf_counter() - begun),
        )


def environments(folder: Path) -> int:
    """Return how many environments of the api function the emulator of this folder runs; 0 if this is not Linux."""
    return sum(_function(one.pid).startswith(FUNCTION) for one in processes.running(folder))


def _function(pid: int) -> str:
    """Return which function a process of the emulator runs; empty if it runs none, or has ended."""
    try:
        variables = (processes.PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    names = (one.decode() for one in variables if one.startswith(b"AWS_LAMBDA_FUNCTION_NAME="))
    return next(names, "").partition("=")[2]


def _generated(client: httpx.Client) -> str:
    """Make a generation, and return its id."""
    return str(client.post("/text-to-image", json=_request()).raise_for_status().json()["id"])


def _request() -> dict[str, Any]:
    return {**REQUEST, "text_prompts": [{"text": _prompt()}]}


def _prompt() -> str:
    # Equal requests could be taken for repeats of one.
    return f"Sri lanka tea plantation, number {next(_NUMBERS)}."
