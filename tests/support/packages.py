"""Packages from their registries, each list in a folder of its own below `.build/clients/`, installed once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support.local_instances import ENVIRON
from tools.checkout import CHECKOUT
from tools.registries import uv_environment

INSTALLED: Final = CHECKOUT / ".build" / "clients"
PROGRAMS: Final = CHECKOUT / ".venv" / "bin"
TIMEOUT: Final = 900
"""In seconds, for one list of packages on a slow network."""


def python_packages(requirements: Path) -> Path:
    """Install a list of Python packages into a virtual environment, and return its interpreter."""
    target = _target(requirements)
    marker = target / ".installed"
    wanted = _digest(requirements)
    if not (marker.is_file() and marker.read_text(encoding="utf-8") == wanted):
        shutil.rmtree(target, ignore_errors=True)
        _run(PROGRAMS / "uv", "venv", "--python", sys.executable, target)
        _run(PROGRAMS / "uv", "pip", "install", "--python", target / "bin/python", "-r", requirements)
        marker.write_text(wanted, encoding="utf-8")
    return target / "bin" / "python"


def node_packages(package_json: Path) -> Path:
    """Install the packages of a `package.json`, and return the folder that has `node_modules/`."""
    target = _target(package_json)
    marker = target / ".installed"
    wanted = _digest(package_json)
    if not (marker.is_file() and marker.read_text(encoding="utf-8") == wanted):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        shutil.copy(package_json, target)
        _run("npm", "install", "--no-fund", "--no-audit", "--no-package-lock", "--loglevel=error", cwd=target)
        marker.write_text(wanted, encoding="utf-8")
    return target


def built_wheel(project: Path, *, into: Path) -> Path:
    """Build the wheel of a Python project, and return it."""
    _run(PROGRAMS / "uv", "build", "--wheel", "--python", sys.executable, "--out-dir", into, project)
    (wheel,) = into.glob("*.whl")
    return wheel


def interpreter(version: str) -> Path | None:
    """Return a Python of this version that uv finds on this machine, or among those of pyenv; None if there is none."""
    # What pyenv puts on PATH works only for the version that is switched on.
    by_pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin"))
    path = os.pathsep.join([*map(str, by_pyenv), ENVIRON.get("PATH", "")])
    found = subprocess.run(  # noqa: S603 - uv of this checkout
        [PROGRAMS / "uv", "python", "find", "--no-project", "--system", version],
        env={**ENVIRON, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def fresh_environment(folder: Path, package: Path, *, python: Path) -> Path:
    """Make a virtual environment that has one package and what it needs, and return the folder of its programs."""
    _run(PROGRAMS / "uv", "venv", "--python", python, folder)
    _run(PROGRAMS / "uv", "pip", "install", "--python", folder / "bin/python", package)
    return folder / "bin"


def node_of(folder: Path) -> str:
    """Return the Node.js of a folder: the package `node` if it has one, because its packages need a newer one."""
    own = folder / "node_modules" / ".bin" / "node"
    return str(own) if own.exists() else "node"


def _target(listing: Path) -> Path:
    return INSTALLED / listing.parent.parent.name / listing.parent.name


def _digest(listing: Path) -> str:
    return hashlib.sha256(f"{sys.version}\n{listing.read_text(encoding='utf-8')}".encode()).hexdigest()


def _run(*command: str | Path, cwd: Path = CHECKOUT) -> None:
    done = subprocess.run(  # noqa: S603 - uv and npm, with the lists of this checkout
        command,
        cwd=cwd,
        env={**ENVIRON, **uv_environment(ENVIRON, python=PROGRAMS / "python"), "UV_NO_PROGRESS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
