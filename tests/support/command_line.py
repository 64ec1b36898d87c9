"""The command `imagegen` as a process, with an environment of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.deployed_stack import Stack
from tools.checkout import CHECKOUT

TIMEOUT: Final = 600
"""In seconds, on the busiest machine."""

PROGRAM: Final = (sys.executable, "-m", "imagegen_client")


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """Runs the command in a folder, with these variables and nothing of the test run's own."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack, *, folder: Path, api_key: str | None = None) -> CommandLine:
        """Return the command of a caller of the deployed stack."""
        variables = {
            "IMAGEGEN_URL": stack.state.api_url,
            "IMAGEGEN_API_KEY": api_key or stack.state.api_key,
            **({"SSL_CERT_FILE": str(stack.ca_bundle)} if stack.ca_bundle else {}),
        }
        return cls(folder=folder, variables=variables)

    def start(
        self, *arguments: str, given: bytes | None = None, terminal: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start the command and return its process; with `given` on stdin, or a terminal as stdout and stderr."""
        process = subprocess.Popen(  # noqa: S603 - the checkout's own command
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
            # A shell starts what it runs in the background with Ctrl-C ignored, and its children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one call, no lock
        )
        if given is not None and process.stdin is not None:
            process.stdin.write(given)
            process.stdin.close()
            process.stdin = None
        return process

    def run(self, *arguments: str, given: bytes | None = None) -> Ended:
        """Run the command to its end."""
        with self.start(*arguments, given=given) as process:
            out, error = process.communicate(timeout=TIMEOUT)
        return Ended(code=process.returncode, content=out, err=error.decode())

    def shell(self, line: str) -> Ended:
        """Run a line of bash in which `imagegen` is the command."""
        quoted = " ".join(f"'{word}'" for word in PROGRAM)
        done = subprocess.run(  # noqa: S603 - lines of the tests
            ["/bin/bash", "-c", f'imagegen() {{ {quoted} "$@"; }}\n{line}'],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Ended(code=done.returncode, content=done.stdout, err=done.stderr.decode())

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "IMAGEGEN_CONFIG_DIR": str(self.folder / "settings"),
            "PYTHONPATH": str(CHECKOUT / "client"),
            "NO_PROXY": "*",
            "COLUMNS": "200",
            **self.variables,
        }


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the command ended, and what it wrote."""

    code: int
    content: bytes
    err: str

    @property
    def out(self) -> str:
        """What it wrote to stdout, as text."""
        return self.content.decode()

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()
