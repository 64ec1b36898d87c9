"""Instances of the local service for tests: each has its own folder and ports, away from a developer's own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local import life_cycle
from local.ports import free_offset
from local.processes import Running, running
from local.state import State
from local.variables import EMULATOR_PORT, STAND_IN_PORT, WEB_PORT
from tools.checkout import CHECKOUT

INSTANCES = CHECKOUT / ".build" / "local"
ENVIRON: Mapping[str, str] = os.environ  # noqa: TID251 - the commands under test read it, as they do for a person
STRICT = ENVIRON.get("STRICT") == "1"
CONFIG = ENVIRON.get("CONFIG", "")
OF_THE_OPERATOR = ("BEDROCK_URL", "PORT_OFFSET", "IMAGEGEN_LOCAL_DIR")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One local service and the command line that drives it; STRICT and CONFIG are those of the test run."""

    folder: Path
    port_offset: int

    def start_command(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start `python -m local …` with these variables and return the process."""
        return subprocess.Popen(  # noqa: S603 - the checkout's own Python and arguments of this file
            [sys.executable, "-m", "local", *arguments],
            cwd=CHECKOUT,
            env={**self._environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run `python -m local …` to its end."""
        with self.start_command(*arguments, **variables) as process:
            out, error = process.communicate(timeout=300)
            return subprocess.CompletedProcess(process.args, process.returncode, out, error)

    def up(self, **variables: str) -> State:
        """Bring the service up and return its state."""
        done = self.run("up", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.state()

    def down(self) -> None:
        """Stop the service and remove its folder."""
        done = self.run("down")
        assert done.returncode == 0, done.stdout + done.stderr

    def state(self) -> State:
        """Read `state.json`."""
        state = State.read(self.folder)
        assert state is not None, f"{self.folder} has no state.json"
        return state

    def running(self) -> list[Running]:
        """List the processes of the service."""
        return running(self.folder)

    @property
    def emulator_port(self) -> int:
        """Where the emulator of AWS listens."""
        return EMULATOR_PORT + self.port_offset

    @property
    def stand_in_port(self) -> int:
        """Where the stand-in model listens."""
        return STAND_IN_PORT + self.port_offset

    @property
    def web_port(self) -> int:
        """Where the playground is served."""
        return WEB_PORT + self.port_offset

    @property
    def web_url(self) -> str:
        """The address of the playground, which is known before it is up."""
        return f"{'https' if STRICT else 'http'}://127.0.0.1:{self.web_port}"

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in ENVIRON.items() if name not in OF_THE_OPERATOR}
        return {**own, "IMAGEGEN_LOCAL_DIR": str(self.folder), "PORT_OFFSET": str(self.port_offset)}


def create(name: str) -> Instance:
    """Return an instance that is not running yet, in a folder of this test run."""
    return Instance(folder=INSTANCES / str(os.getpid()) / name, port_offset=free_offset())


def remove_abandoned() -> None:
    """Stop the instances of test runs that were killed before they could."""
    for run in INSTANCES.glob("[0-9]*"):
        if not _is_alive(int(run.name)):
            with suppress(FileNotFoundError):  # another process of this run may be removing it as well
                for folder in run.iterdir():
                    life_cycle.down(folder)
            shutil.rmtree(run, ignore_errors=True)


def remove_own() -> None:
    """Remove the folder of this test run, when its instances are gone."""
    shutil.rmtree(INSTANCES / str(os.getpid()), ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
