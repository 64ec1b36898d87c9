"""The command `imagegen` in processes that have loaded it already: forks of one, which start in milliseconds.

Each fork is a process of its own, with its own files, folder and environment, and it ends as the command ends. Only
the half second in which Python loads the command is spent once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.command_line import Ended
from tools.checkout import CHECKOUT

_SERVER: Final = """
import contextlib, io, json, os, signal, sys
from imagegen_client.command_line import program
with contextlib.redirect_stderr(io.StringIO()):  # some modules are loaded only when a command runs
    program.main(["tea", "--url", "http://127.0.0.1:1/v1", "--api-key", "none", "--timeout", "1"])
signal.signal(signal.SIGINT, signal.SIG_DFL)
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.chdir(order["folder"])
        os.environ.update(order["variables"])
        files = [os.open(os.devnull, os.O_RDONLY)]
        files += [os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for name in order["written"]]
        for number, file in enumerate(files):
            os.dup2(file, number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv[1:] = order["arguments"]
        program.run()
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@dataclass(kw_only=True)
class Preloaded:
    """Runs one command after the other; a context manager."""

    folder: Path
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - the checkout's own command
            [sys.executable, "-c", _SERVER],
            env={
                "PATH": os.defpath,
                "HOME": str(self.folder),
                "IMAGEGEN_CONFIG_DIR": str(self.folder / "settings"),
                "PYTHONPATH": str(CHECKOUT / "client"),
                "NO_PROXY": "*",
                "COLUMNS": "200",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.communicate()

    def run(self, *arguments: str, folder: Path, variables: Mapping[str, str]) -> Ended:
        """Run the command to its end."""
        started = self.start(*arguments, folder=folder, variables=variables)
        return started.ended()

    def start(self, *arguments: str, folder: Path, variables: Mapping[str, str]) -> Started:
        """Start the command, as the only one at a time."""
        written = [str(self.folder / name) for name in ("stdout", "stderr")]
        order: dict[str, Any] = {
            "arguments": arguments,
            "folder": str(folder),
            "variables": dict(variables),
            "written": written,
        }
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Started(pid=int(self._line()), of=self)

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@dataclass(frozen=True, kw_only=True)
class Started:
    """A command that runs."""

    pid: int
    of: Preloaded

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def ended(self) -> Ended:
        """Wait for its end."""
        code = int(self.of._line())
        out, err = ((self.of.folder / name).read_bytes() for name in ("stdout", "stderr"))
        return Ended(code=code, content=out, err=err.decode())
