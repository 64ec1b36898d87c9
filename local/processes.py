"""Starts, recognises and stops the background processes of the service.

A process is ours if its environment names the folder of the service. Its children inherit that mark. There is no file
of process ids: it would be lost in a crash, and a later program may get the same id.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from local import ports
from tools.failures import LocalError

START_TIMEOUT = 30.0
"""Seconds that a server of ours may take until it listens."""
ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}
"""What a server of ours needs, and nothing of the environment of `make`."""

FOLDER, ROLE, START = "IMAGEGEN_LOCAL_FOLDER", "IMAGEGEN_LOCAL_ROLE", "IMAGEGEN_LOCAL_START"
MOST_FILES = 65536
PROC = Path("/proc")
GRACE = 2.0
"""Seconds from SIGTERM to SIGKILL; no process holds anything that would have to be saved."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process to run in the background: its role, its command, its whole environment."""

    role: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    working_folder: Path
    folder: Path
    port: int

    @property
    def log(self) -> Path:
        """The file that takes its output."""
        return self.folder / f"{self.role}.log"

    @property
    def start(self) -> str:
        """A digest of everything that it is started with; a running process with the same digest is up to date."""
        parts = [
            *self.command,
            str(self.working_folder),
            *(f"{k}={v}" for k, v in sorted(self.environment.items())),
        ]
        return sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A process of ours that is alive."""

    pid: int
    role: str
    start: str


def running(folder: Path) -> list[Running]:
    """List the living processes that belong to this folder, children included."""
    environments = _environments_from_proc() if PROC.is_dir() else _environments_from_ps()
    return [
        Running(pid=pid, role=environment.get(ROLE, ""), start=environment.get(START, ""))
        for pid, environment in environments.items()
        if environment.get(FOLDER) == quote(str(folder))
    ]


def is_running(service: Service) -> bool:
    """Say whether the service runs as it would be started now, and listens on its port."""
    alive = any(
        found.start == service.start for found in running(service.folder) if found.role == service.role
    )
    return alive and ports.is_listening(service.port)


def start(service: Service) -> "subprocess.Popen[bytes]":
    """Start the service in a session of its own; it inherits no variable from this process.

    Raises:
        LocalError: its program is not installed.
    """
    _allow_many_files()
    if not Path(service.command[0]).exists():
        raise LocalError(f"{service.command[0]} is not installed: run `make set-up`.")
    with service.log.open("ab") as log:
        return subprocess.Popen(
            service.command,
            env={**service.environment, **marks(service.folder, service.role), START: service.start},
            cwd=service.working_folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # In a session of its own, because Ctrl-C in the terminal must not reach it.
            start_new_session=True,
        )


def marks(folder: Path, role: str) -> dict[str, str]:
    """Return the variables that mark a process, and all that it starts, as this folder's."""
    return {FOLDER: quote(str(folder)), ROLE: role}  # quoted: the fall-back to `ps` splits at spaces


def stop(folder: Path, *, role: str | None = None) -> int:
    """End every process of the folder, or of one role in it, and return how many there were.

    Raises:
        LocalError: one of them could not be ended.
    """
    # Asked again in each round: a process may start children while it is being ended.
    signalled: set[int] = set()
    began = time.monotonic()
    while found := [process for process in running(folder) if role in (None, process.role)]:
        waited = time.monotonic() - began
        if waited > 3 * GRACE:
            raise LocalError(f"Process {found[0].pid} ({found[0].role}) does not end.")
        for process in found:
            if waited > GRACE:
                _signal(process.pid, signal.SIGKILL)
            elif process.pid not in signalled:
                _signal(process.pid, signal.SIGTERM)
        signalled.update(process.pid for process in found)
        time.sleep(0.05)
    return len(signalled)


def log_tail(log: Path, *, lines: int = 15) -> str:
    """Return the end of a log, to be shown above a sentence about a failure."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return "\n".join(text.splitlines()[-lines:])


def _allow_many_files() -> None:
    """Raise the limit of open files, which the services inherit, because a burst of requests needs hundreds."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (many, most))


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise LocalError(f"Process {pid} belongs to another user and cannot be ended.") from error


def _environments_from_proc() -> dict[int, dict[str, str]]:
    found = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            raw = (entry / "environ").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        # Cheaper than to parse the environment of every process on the machine.
        if FOLDER.encode() in raw:
            found[int(entry.name)] = _parsed(raw.decode(errors="surrogateescape").split("\0"))
    return found


def _environments_from_ps() -> dict[int, dict[str, str]]:
    """Read the same from `ps`, on systems without /proc."""
    # The e of axeww adds the environment to the command.
    ps: Sequence[str] = ("ps", "axeww", "-o", "pid=,command=")
    listed = subprocess.run(ps, capture_output=True, text=True, errors="surrogateescape", check=False).stdout
    lines = [line.split() for line in listed.splitlines() if FOLDER in line]
    return {int(words[0]): _parsed(words[1:]) for words in lines}


def _parsed(entries: Sequence[str]) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def start_listening(wanted: Service, *, name: str) -> "subprocess.Popen[bytes]":
    """Start a server of ours, wait until it listens, and return its process; sentences call it by `name`.

    Raises:
        LocalError: its port is taken, or it does not start.
    """
    ports.require_free(wanted.port, name)
    process = start(wanted)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        if ports.is_listening(wanted.port):
            return process
        time.sleep(0.1)
    print(log_tail(wanted.log), file=sys.stderr)
    raise LocalError(f"{name[0].upper()}{name[1:]} did not start; {wanted.log} ends as shown above.")
