"""Runs functions as Lambda does: by its own runtime interface client, each in a process of its own.

CPU time is read from outside the process, when the function asks for its next event; so the function
is measured as it is deployed, and the reading costs it nothing.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.runtime_api import RuntimeApi
from tools.failures import LocalError

MEMORY_MB: Final = 512
START_WITHIN: Final = 60.0
REPLY_WITHIN: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A function to measure: its handler, the folders that it is imported from, and its environment."""

    name: str
    handler: str
    folders: Sequence[Path]
    variables: Mapping[str, str]


class Environment:
    """One running environment of a function; `start_cpu` is the CPU time in seconds until it was ready."""

    def __init__(self, contender: Contender, *, python: Path, client: Path) -> None:
        self.name = contender.name
        self._at_next = 0.0
        self._api = RuntimeApi(on_next=self._note)
        task_root = contender.folders[0]
        variables = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(map(str, (*contender.folders, client))),
            "LAMBDA_TASK_ROOT": str(task_root),
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": contender.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "_HANDLER": contender.handler,
            # In Lambda the code's folder is read-only, and the zip brings the bytecode.
            "PYTHONDONTWRITEBYTECODE": "1",
            **contender.variables,
        }
        self._process = subprocess.Popen(
            [python, "-m", "awslambdaric", contender.handler],
            env=variables,
            cwd=task_root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._api.started(within=START_WITHIN)
        except BaseException:
            self.close()
            raise
        self.start_cpu = self._at_next

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The id of the function's process."""
        return self._process.pid

    @property
    def cpu(self) -> float:
        """The CPU time in seconds that the process had used when it last asked for an event."""
        return self._at_next

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Send one event, and return the reply."""
        return json.loads(self._api.invoke(json.dumps(event).encode(), within=REPLY_WITHIN))

    def peak_memory(self) -> int:
        """Return the most memory in bytes that the process has held (`VmHWM` of proc(5))."""
        return _memory(self.pid, "VmHWM")

    def memory(self) -> int:
        """Return the memory in bytes that the process holds (`VmRSS` of proc(5))."""
        return _memory(self.pid, "VmRSS")

    def close(self) -> None:
        """Stop the process."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._api.close()

    def _note(self) -> None:
        self._at_next = cpu_seconds(self.pid)


def served(environment: Environment, event: Mapping[str, Any]) -> Any:
    """Send one event, and return the reply, which says that it was served.

    Raises:
        LocalError: the reply is a refusal, whose time means nothing.
    """
    reply = environment.invoke(event)
    # The authorizer replies with a policy, which has no status.
    if reply.get("statusCode", 200) != 200:  # noqa: PLR2004 - HTTP's
        raise LocalError(f"{environment.name} replied {json.dumps(reply)[:500]}")
    return reply


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, user and system, of all its threads, in seconds.

    Raises:
        LocalError: this system has no clock for other processes.
    """
    if sys.platform != "linux":
        raise LocalError("The benchmark reads the CPU time of other processes, which needs Linux.")
    # The id of a process's CPU clock, as `clock_getcpuclockid` of the C library makes it.
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e9


def _memory(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LocalError(f"This system does not say {name} of a process.")
