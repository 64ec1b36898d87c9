"""The targets for an account hand STAGE, CONFIG and APPROVE to the operator's commands as they were given."""

from __future__ import annotations

import os
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.support.local_instances import ENVIRON
from tests.support.synthesis import ROOT
from tools.cdk import environment

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "models=a,b cors_origins=https://a.example $HOME `id` 'quoted'"


def made(target: str, *variables: str, python: Path, **environ: str) -> str:
    """Run a target without its set-up, with a program in place of Python, and return what that program says."""
    kept = {name: value for name, value in ENVIRON.items() if name not in {"CONFIG", "APPROVE", "MAKEFLAGS"}}
    done = subprocess.run(  # noqa: S603 - make, on this checkout's Makefile
        ["make", "--silent", "--old-file=set-up", target, f"PYTHON={python}", *variables],  # noqa: S607 - the one on PATH
        cwd=ROOT,
        env={**kept, **environ},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Return a program that says with which arguments and variables it was run."""
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho "$@|$CONFIG|$APPROVE"\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("target", ["deploy", "destroy"])
def test_variables_come_through_unread(target: str, python: Path) -> None:
    """On the command line of make and in its environment; no shell takes them apart."""
    written = CONFIG.replace("$", "$$")
    said = f"-m operating --stage prod {target}|{CONFIG}|never\n"
    assert made(target, "STAGE=prod", f"CONFIG={written}", "APPROVE=never", python=python) == said
    assert made(target, "STAGE=prod", python=python, CONFIG=CONFIG, APPROVE="never") == said
    assert made(target, python=python) == f"-m operating --stage dev {target}||\n"


def test_the_deploy_matrix_is_part_of_the_long_runs_alone(python: Path) -> None:
    """`make test` and a plain pytest collect the folders of `testpaths`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    folders = settings["ini_options"]["testpaths"]
    pytest_ = "-m pytest --numprocesses 2 --dist loadscope"
    assert "tests/deployments" not in folders
    assert made("test", "WORKERS=2", python=python) == f"{pytest_}||\n"
    assert made("deployments", "WORKERS=2", python=python) == f"{pytest_} tests/deployments||\n"
    check = made("--dry-run", "check", "WORKERS=2", python=python).splitlines()
    assert check[-1] == f"THOROUGH=1 {python} {pytest_} tests --ignore tests/clients"


def test_the_cdk_of_make_finds_the_python_that_make_has_installed() -> None:
    """`cdk.json` runs the `python3` of PATH."""
    first, *rest = environment({"PATH": "/usr/bin"})["PATH"].split(os.pathsep)
    assert (first, rest) == (str(ROOT / ".venv" / "bin"), ["/usr/bin"])
