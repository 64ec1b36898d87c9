"""Installs what the checkout needs into the checkout: `.venv/`, `.venv/emulator/` and `node_modules/`.

With arguments it also installs environments of their own: `docs` the generator of the documentation site, into
`.venv/docs/`, `supply` what lists and audits the packages, into `.venv/supply/`, and `checkov` the scanner of
templates, into `.venv/checkov/`.

`set_up.sh` runs it before anything is installed, with any Python from 3.11, so it uses the standard library only.
Each step leaves a marker file, which says what its target was made from. A second run finds the markers and does
nothing.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.checkout import CHECKOUT
from tools.failures import LocalError
from tools.registries import names_unreachable_registry, uv_environment

OLDEST_NODE = 20
OPTIONAL: Mapping[str, tuple[str, str]] = {
    "docs": ("generator of the docs", "docsite/requirements.txt"),
    "supply": ("tools that list and audit the packages", "tools/requirements.txt"),
    "checkov": ("checkov, which scans templates", "tools/checkov.txt"),
}
"""Environments that few targets need: the folder in `.venv/`, what it is, and its pinned packages."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to install.

    Attributes:
        target: The folder that it goes into.
        program: A program in that folder, which exists once it is installed.
        sources: The files that say what to install.
    """

    name: str
    target: Path
    program: str
    sources: tuple[Path, ...]
    install: Callable[[Mapping[str, str]], None]

    @property
    def marker(self) -> Path:
        """The file that says what the target was made from."""
        return self.target / ".set-up"

    def fingerprint(self) -> tuple[str, str]:
        """Return a digest of the place and the interpreter, and one of the sources."""
        # A virtual environment holds absolute paths, so a checkout that was moved needs a new one.
        place = hashlib.sha256(f"{self.target}\n{sys.version}\n{sys.base_prefix}".encode())
        sources = hashlib.sha256(b"\n".join(source.read_bytes() for source in self.sources))
        return place.hexdigest(), sources.hexdigest()

    def is_whole(self) -> bool:
        """Say whether its program exists."""
        # `exists` follows links: `bin/python` may be a link to a Python that has been removed.
        return (self.target / self.program).exists()

    def finished_with(self) -> tuple[str, ...]:
        """Return the fingerprint that the target was made from; empty if it was never finished."""
        return tuple(self.marker.read_text(encoding="utf-8").split()) if self.marker.is_file() else ()

    def run(self, environ: Mapping[str, str]) -> None:
        """Bring the target up to date; remove it first if it was made elsewhere or never finished."""
        place, sources = self.fingerprint()
        before = self.finished_with()
        if before == (place, sources) and self.is_whole():
            return
        started = time.monotonic()
        _say(f"set-up: {self.name}…")
        if before[:1] != (place,) or not self.is_whole():
            shutil.rmtree(self.target, ignore_errors=True)
        # Until the new marker is written, the target does not count as installed.
        self.marker.unlink(missing_ok=True)
        self.install(environ)
        self.marker.write_text(f"{place} {sources}", encoding="utf-8")
        _say(f"set-up: {self.name}: {time.monotonic() - started:.0f} s")


def steps(*optional: str) -> tuple[Step, ...]:
    """List what to install, with the `optional` environments of `OPTIONAL`. Only the last step needs no other.

    The first one makes the folder of all environments, and installs the uv that fills them.
    """
    return (
        Step(
            name="Python packages",
            target=CHECKOUT / ".venv",
            program="bin/python",
            sources=(CHECKOUT / "requirements.lock",),
            install=_install_python,
        ),
        _environment("emulator of AWS", "local/requirements.txt", folder="emulator"),
        *(_environment(*OPTIONAL[each], folder=each) for each in optional),
        Step(
            name="AWS CDK command line and ExifTool",
            target=CHECKOUT / "node_modules",
            program=".bin/cdk",
            sources=(CHECKOUT / "package.json", CHECKOUT / "package-lock.json"),
            install=_install_node,
        ),
    )


def _environment(name: str, lock: str, *, folder: str) -> Step:
    """Return the step that makes an environment of its own, because its packages pin others than the tests do."""
    target = CHECKOUT / ".venv" / folder

    def install(environ: Mapping[str, str]) -> None:
        _make_environment(target, with_pip=False)
        _sync(target, CHECKOUT / lock, environ)

    return Step(name=name, target=target, program="bin/python", sources=(CHECKOUT / lock,), install=install)


def check_node(environ: Mapping[str, str]) -> None:
    """Make sure that Node.js is installed and recent enough, before anything is downloaded."""
    needed = f"Node.js {OLDEST_NODE} or newer is needed (the AWS CDK runs on it)"
    node = _version("node", environ)
    if node is None:
        raise LocalError(f"{needed}, and there is no node on PATH: install it and run make again.")
    if int(node.split(".")[0]) < OLDEST_NODE:
        raise LocalError(f"{needed}, but node is {node}: install a newer one and run make again.")


def main() -> int:
    """Run the steps that are due; print one sentence and return 1 when one of them cannot be done."""
    environ = dict(os.environ)
    *python, node = steps(*(each for each in OPTIONAL if each in sys.argv[1:]))
    try:
        check_node(environ)
        with ThreadPoolExecutor() as pool:
            # While pip and uv work. Both ends are awaited, and of two errors the one of Python is told.
            beside = pool.submit(node.run, environ)
            for step in python:
                step.run(environ)
        beside.result()
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _say(line: str) -> None:
    # In one piece, because two threads say something.
    print(f"{line}\n", end="", flush=True)


def _install_python(environ: Mapping[str, str]) -> None:
    target = CHECKOUT / ".venv"
    _make_environment(target)
    lock = CHECKOUT / "requirements.lock"
    # pip installs only uv, and uv everything else: it takes seconds where pip takes minutes.
    with tempfile.TemporaryDirectory() as folder:
        only_uv = Path(folder) / "uv.txt"
        only_uv.write_text(_locked("uv", lock.read_text(encoding="utf-8")), encoding="utf-8")
        _run(
            "pip",
            [target / "bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", only_uv],
            environ,
        )
    _sync(target, lock, environ)


def _install_node(environ: Mapping[str, str]) -> None:
    if _version("npm", environ) is None:
        raise LocalError(
            "npm is needed beside Node.js, and there is none on PATH: install it and run make again."
        )
    # No package needs a script of its own to be installed, and a script could do anything here.
    options = ("--ignore-scripts", "--omit-lockfile-registry-resolved", "--no-fund", "--no-audit")
    _run("npm", ["npm", "ci", *options], environ)


def _make_environment(target: Path, *, with_pip: bool = True) -> None:
    # An existing environment is kept, because uv changes only what differs.
    if (target / "pyvenv.cfg").is_file():
        return
    try:
        venv.create(target, with_pip=with_pip, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LocalError(
            f"{sys.executable} could not make the virtual environment {target}: {error}."
        ) from error


def _sync(target: Path, lock: Path, environ: Mapping[str, str]) -> None:
    python = CHECKOUT / ".venv/bin/python"
    uv_settings = uv_environment(environ, python=python)
    options = ["--quiet", "--require-hashes", "--python", str(target / "bin/python")]
    command = [str(CHECKOUT / ".venv/bin/uv"), "pip", "sync", *options, str(lock)]
    _run("uv", command, {**environ, **uv_settings, "UV_NO_PROGRESS": "1"})


def _locked(package: str, lock: str) -> str:
    """Cut one package's pin and hashes out of a lock file."""
    found = re.search(rf"^{package}==.*(?:\n    .*)*", lock, re.MULTILINE)
    if found is None:
        raise LocalError(f"requirements.lock does not pin {package}: run `make lock`.")
    return found[0] + "\n"


def _run(tool: str, command: Sequence[str | Path], environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=dict(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    said = [line.strip() for line in done.stdout.splitlines() if line.strip()] or [
        f"exit status {done.returncode}"
    ]
    # The most frequent cause gets a sentence of its own; everything else shows the end of the tool's output.
    if names_unreachable_registry(done.stdout):
        raise LocalError(
            f"The package registry cannot be reached: check the network, or the index that {tool} is configured"
            f" with, and run make again. ({tool}: {said[-1]})"
        )
    raise LocalError(
        "\n".join([*said[-20:], f"{tool} could not install what this checkout pins; it says why above."])
    )


def _version(program: str, environ: Mapping[str, str]) -> str | None:
    found = shutil.which(program, path=environ.get("PATH"))
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, "--version"], env=dict(environ), capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    version = re.match(r"v?(\d+(?:\.\d+)*)", done.stdout.strip())
    return version[1] if done.returncode == 0 and version else None


if __name__ == "__main__":
    sys.exit(main())
