"""Builds what is measured: the functions as they are deployed, the floors beside them, and Lambda's runtime client."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stacks.bundling import Bundle, find_compiler
from stacks.zip_contents import AUTHORIZER
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line
from tools.registries import uv_environment

PACKAGES: Final = CHECKOUT / "benchmarks" / "packages"
FLOORS: Final = CHECKOUT / "benchmarks" / "floors"
BUILT: Final = CHECKOUT / ".build" / "measured"


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The folders that the contenders are imported from, all with bytecode, and the Python that runs them."""

    python: Path
    function: Path
    authorizer: Path
    floors: Path
    sdk: Path
    client: Path

    @property
    def version(self) -> str:
        """The version of that Python."""
        asked = [str(self.python), "-c", "import platform; print(platform.python_version())"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def install() -> Installed:
    """Build everything that is not there yet, for the runtime's Python if this machine has it.

    Raises:
        LocalError: a package cannot be installed; the sentence has the reason.
    """
    python = find_compiler("aarch64-manylinux2014") or Path(sys.executable)
    bundle = Bundle(root=CHECKOUT, platform="host", compiler=python)
    return Installed(
        python=python,
        function=bundle.build(),
        authorizer=replace(bundle, contents=AUTHORIZER).build(),
        floors=_floors(python),
        sdk=packages("sdk", python),
        client=packages("runtime_client", python),
    )


def packages(name: str, python: Path) -> Path:
    """Return a folder with the packages of a lock file, compiled for this Python."""
    lock = PACKAGES / f"{name}.txt"

    def fill(folder: Path) -> None:
        uv = CHECKOUT / ".venv" / "bin" / "uv"
        options = "--quiet --require-hashes --no-deps --only-binary :all: --link-mode copy"
        environ = {**os.environ, **uv_environment(os.environ, python=Path(sys.executable))}
        _run(
            [uv, "pip", "install", *options.split(), "--python", python, "--target", folder, "-r", lock],
            environ=environ,
            failure=f"The packages of {lock.relative_to(CHECKOUT)} could not be installed",
        )

    return _kept(name, [lock], python, fill)


def _floors(python: Path) -> Path:
    sources = sorted(FLOORS.glob("*.py"))

    def fill(folder: Path) -> None:
        for source in sources:
            shutil.copy(source, folder)

    return _kept("floors", sources, python, fill)


def _kept(name: str, inputs: Sequence[Path], python: Path, fill: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(str(python).encode())
    for path in inputs:
        digest.update(path.read_bytes())
    target = BUILT / f"{name}-{digest.hexdigest()[:16]}"
    if target.is_dir():
        return target
    BUILT.mkdir(parents=True, exist_ok=True)
    for old in BUILT.glob(f"{name}-*"):
        shutil.rmtree(old)
    # Made elsewhere and renamed when complete, so that an interrupted run leaves no half folder.
    with tempfile.TemporaryDirectory(dir=BUILT) as scratch:
        content = Path(scratch) / "content"
        content.mkdir()
        fill(content)
        compiled: list[str | Path] = [
            python,
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
            content,
        ]
        _run(compiled, environ=dict(os.environ), failure=f"The bytecode of {name} could not be made")
        content.rename(target)
    return target


def _run(command: Sequence[str | Path], *, environ: dict[str, str], failure: str) -> None:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalError(f"{failure}: {in_one_line(done.stderr)}")
