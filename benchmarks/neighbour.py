"""Measures how fast one caller's jobs are done while another loops over free failures whose webhooks hang."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from benchmarks.drain import awaited, calls_of, submit
from benchmarks.fleet import Fleet
from benchmarks.local_stack import FOLDER, instant_model
from benchmarks.results import Figure, single
from local import life_cycle
from local.certificates import trust
from local.ports import free_offset
from local.state import State
from local.variables import Variables

JOBS = 24
WORKERS = 3
CONFIG = f"worker_concurrency={WORKERS} images_per_minute_per_caller=30"
"""The limits that the stages in an account have; the stage `local` has none."""
IMAGE = 6.0
"""Seconds that the model takes for an image."""
PAUSE = 0.2
"""Seconds between two requests of the neighbour, like those of a client that waits for each reply."""
FREE = "refused without cost"


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """The seconds that the jobs of one caller took, alone and beside the other, and what the other did meanwhile."""

    alone: float
    beside: float
    asked: int
    accepted: int
    called_back: int

    def figures(self) -> list[Figure]:
        """Return the figures; the first is the share of the throughput that the neighbour leaves."""
        name = f"{JOBS} jobs of {IMAGE:.0f} s on {WORKERS} workers"
        return [
            single(f"{name}, throughput kept", self.alone / self.beside, better="higher"),
            single(f"{name}, alone", self.alone, unit="s", compared=False),
            single(
                f"{name}, beside a caller who loops over free failures", self.beside, unit="s", compared=False
            ),
            single("requests of that caller", self.asked, unit="", compared=False),
            single("  of which accepted", self.accepted, unit="", compared=False),
            single(
                "connections to its webhook, which never answers", self.called_back, unit="", compared=False
            ),
        ]


def measure(_: Fleet) -> list[Figure]:
    """Deploy a stack, time the jobs twice, and take the stack down again.

    Raises:
        LocalError: the jobs did not end.
    """
    with instant_model() as url:
        variables = Variables(bedrock_url=url, config=CONFIG, folder=FOLDER, port_offset=free_offset())
        try:
            return _compared(life_cycle.up(variables), url).figures()
        finally:
            life_cycle.down(FOLDER)


def _compared(ready: State, url: str) -> Neighbour:
    refusal = {"type": "error", "name": "ValidationException", "message": "This is refused."}
    rules = {"latency": IMAGE, "rules": [{"prompt": FREE, "action": refusal}]}
    with (
        httpx.Client(base_url=url, trust_env=False, timeout=30) as model,
        _caller(ready, ready.api_key) as first,
        _caller(ready, ready.other_api_key) as second,
        _silent_receiver() as receiver,
    ):
        model.post("/_control/rules", json={"latency": 2}).raise_for_status()
        # Each environment of the worker takes the emulator seconds to start.
        _timed(first, model, jobs=WORKERS)
        model.post("/_control/rules", json=rules).raise_for_status()
        alone = _timed(first, model, jobs=JOBS)
        with _loop(ready, webhook=receiver.url) as loop:
            time.sleep(2 * IMAGE)  # the neighbour begins first
            beside = _timed(second, model, jobs=JOBS)
        return Neighbour(
            alone=alone,
            beside=beside,
            asked=loop.asked,
            accepted=loop.accepted,
            called_back=receiver.connections,
        )


def _caller(ready: State, key: str) -> httpx.Client:
    headers = {"x-api-key": key, "Prefer": "respond-async"}
    return httpx.Client(
        base_url=ready.api_url, headers=headers, verify=trust(None), trust_env=False, timeout=60
    )


def _timed(api: httpx.Client, model: httpx.Client, *, jobs: int) -> float:
    """Return the seconds until the model has made that many more images."""
    before = calls_of(model)["billed"]
    begun = time.monotonic()
    submit(api, jobs)
    return awaited(lambda: calls_of(model)["billed"] >= before + jobs) - begun


class _Loop:
    """Asks again and again for a job that fails without cost, under the key of the first caller."""

    def __init__(self, ready: State, webhook: str) -> None:
        self.asked = 0
        self.accepted = 0
        self._ready = ready
        self._webhook = webhook
        self._over = threading.Event()

    def run(self) -> None:
        with _caller(self._ready, self._ready.api_key) as api:
            while not self._over.wait(PAUSE):
                self.asked += 1
                prompt = {"text": f"{FREE} {self.asked}"}
                body = {"text_prompts": [prompt], "webhook_url": self._webhook}
                self.accepted += api.post("/text-to-image", json=body).status_code == httpx.codes.ACCEPTED

    def end(self) -> None:
        self._over.set()


@contextmanager
def _loop(ready: State, *, webhook: str) -> Iterator[_Loop]:
    loop = _Loop(ready, webhook)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield loop
    finally:
        loop.end()
        thread.join()


class _Receiver:
    """Accepts connections on a free port, and never answers."""

    def __init__(self, listening: socket.socket) -> None:
        self.connections = 0
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        self._listening = listening
        self._open: list[socket.socket] = []

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:  # it is closed
                return
            self.connections += 1
            self._open.append(connection)


@contextmanager
def _silent_receiver() -> Iterator[_Receiver]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        receiver = _Receiver(listening)
        thread = threading.Thread(target=receiver.accept, daemon=True)
        thread.start()
        yield receiver
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
