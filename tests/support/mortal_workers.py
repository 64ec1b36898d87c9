"""Workers that die: a warm process forks one for each errand, and it kills itself at the point it was given.

`python -m tests.support.mortal_workers` runs it, with the environment of a function. Errands come in on standard
input and the exit statuses go out on standard output, one JSON line each; -9 is a worker that was killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.client import HTTPResponse
from types import TracebackType
from typing import Any, Final, Literal, Self

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen.adapters.direct.connection import Connection
from imagegen.generations.retry import InvocationDeadline
from imagegen.http.app import create_app
from imagegen.worker import NotAcknowledged
from tests.support.events import Context
from tests.support.fakes import FakeObserver
from tests.support.real_parts import Wired, rewired, shifted, wired
from tools.checkout import CHECKOUT

KILLED: Final = -signal.SIGKILL
NOT_ACKNOWLEDGED: Final = 3
_PATIENCE: Final = 300
"""Seconds after which a worker that should have died is ended, which the test then sees."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where a worker dies: before, during or after the n-th call of one method of one port."""

    port: str
    method: str
    when: Literal["before", "during", "after"]
    nth: int = 1


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What a worker is to do: answer an HTTP request, or take a message; and how it dies, if it does.

    `killed_after` is in seconds, `ahead` too: how far its clock goes before.
    """

    request: Mapping[str, Any] | None = None
    message: Mapping[str, Any] | None = None
    prompt: str = ""
    point: Point | None = None
    killed_after: float | None = None
    ahead: float = 0


class Mortals:
    """The warm process, from the side of the test; a context manager."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = os.pathsep.join([str(CHECKOUT / "lambda"), str(CHECKOUT)])
        python = {"PATH": os.defpath, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.mortal_workers"],
            cwd=CHECKOUT,
            env={**environment, **python},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, errand: Errand) -> int:
        """Have one worker do an errand, and return its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(errand)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()


class MortalPort:
    """A port, one call of which its process does not survive."""

    def __init__(self, inner: Any, point: Point, *, arm: Any) -> None:
        self._inner = inner
        self._point = point
        self._arm = arm
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        return (
            method if name != self._point.method else lambda *args, **named: self._call(method, args, named)
        )

    def _call(self, method: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self._calls += 1
        fatal = self._calls == self._point.nth
        if fatal and self._point.when == "before":
            die()
        if fatal and self._point.when == "during":
            self._arm()
        result = method(*args, **named)
        if fatal and self._point.when == "after":
            die()
        return result


class HalfBody:
    """The body of a request, of which one half reaches the other side."""

    def __init__(self, content: bytes) -> None:
        self._half = content[: len(content) // 2]

    def read(self, size: int = -1) -> bytes:
        """Return the half in parts, then end the process."""
        part = self._half if size < 0 else self._half[:size]
        self._half = self._half[len(part) :]
        if not part:
            die()
        return part


def die() -> None:
    """Kill this process, as the machine or the out-of-memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Wire the service once, then fork a worker for each errand."""
    variables: Mapping[str, str] = os.environ  # noqa: TID251 - a handler passes the environment on
    cut, begin = threading.Event(), Connection.begin

    def halving(
        connection: Connection, method: str, path: str, headers: Mapping[str, str], body: Any
    ) -> HTTPResponse:
        if method == "PUT" and cut.is_set():
            headers = {**headers, "Content-Length": str(len(body))}
            body = HalfBody(body)
        return begin(connection, method, path, headers, body)

    Connection.begin = halving  # type: ignore[assignment]  # this process does nothing else
    warm = wired(variables, observer=FakeObserver())
    for line in sys.stdin:
        errand = _errand(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_run(warm, errand, bedrock_url=variables["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"], cut=cut))
        if errand.killed_after is not None:
            time.sleep(errand.killed_after)
            os.kill(pid, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201 - the protocol


def _errand(line: str) -> Errand:
    members = json.loads(line)
    point = members.pop("point")
    return Errand(**members, point=Point(**point) if point else None)


def _run(warm: Wired, errand: Errand, *, bedrock_url: str, cut: threading.Event) -> int:
    signal.alarm(_PATIENCE)

    def arm() -> None:
        if errand.point is not None and errand.point.port == "images":
            cut.set()
        else:
            threading.Thread(target=_die_once_called, args=(bedrock_url, errand.prompt)).start()

    def wrap(name: str, port: Any) -> Any:
        if errand.point is None or errand.point.port != name:
            return port
        return MortalPort(port, errand.point, arm=arm)

    try:
        _do(errand, rewired(shifted(warm, seconds=errand.ahead), wrap))
    except NotAcknowledged:
        return NOT_ACKNOWLEDGED
    except BaseException:  # noqa: BLE001 - a forked process must never return into its parent's code
        traceback.print_exc()
        return 1
    if errand.point is not None and errand.point.port == "acknowledgement":
        die()
    return 0


def _do(errand: Errand, service: Wired) -> None:
    if errand.request is not None:
        create_app(service.services).resolve(dict(errand.request), Context())  # type: ignore[arg-type]  # in miniature
    if errand.message is not None:
        ends_at = time.monotonic() + service.service.submitter.ledger.limits.function_timeout
        deadline = InvocationDeadline(remaining_milliseconds=lambda: int(1000 * (ends_at - time.monotonic())))
        service.worker.take(SQSRecord(dict(errand.message)), deadline)


def _die_once_called(bedrock_url: str, prompt: str) -> None:
    """Die while the model works: the stand-in writes a call down when it arrives."""
    query = urllib.parse.urlencode({"prompt": prompt, "last": 0})
    while True:
        with urllib.request.urlopen(f"{bedrock_url}/_control/calls?{query}") as answer:  # noqa: S310 - loopback
            if json.load(answer)["calls"]:
                die()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
