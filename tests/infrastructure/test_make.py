"""The targets for an account hand an operator's words to the commands as they were given."""

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

AS_GIVEN = (
    "models=a,b cors_origins=https://a.example",
    "$HOME $$HOME ${HOME} $(HOME) $(shell id) `id`",
    'O\'Brien "x"; id; echo "',
    "two\nlines",
    "--help",
    "-x",
    "\\ # \N{SNOWMAN}",
)
WORDS = (
    "STAGE",
    "CONFIG",
    "APPROVE",
    "NAME",
    "DAYS",
    "KEY",
    "GRACE",
    "DAILY_IMAGES",
    "DAILY_USD",
    "IMAGES_PER_MINUTE",
    "API_KEY",
    "JSON",
    "PROVE",
    "MODEL",
    "MINUTES",
    "ACCOUNT",
    "HOURS",
    "IMAGES",
    "OUT",
)
OF_THEIR_OWN = (
    "tests/clients",
    "tests/deployments/test_synthesizing.py",
    "tests/deployments/test_life_of_a_stage.py",
    "tests/deployments/test_audit.py",
)
SET_UP = tuple(f"--old-file=set-up{end}" for end in ("", "-with-docs", "-for-supply", "-for-tests"))
NOTHING = f"|dev{'|' * (len(WORDS) - 1)}"
TARGETS = (
    "synth",
    "diff",
    "doctor",
    "deploy",
    "smoke",
    "drift",
    "destroy",
    "key",
    "keys",
    "limit",
    "revoke",
    "rotate",
    "bench",
)


def made(target: str, *variables: str, python: Path, **environ: str) -> str:
    """Run a target without its set-up, with a program in place of Python, and return what that program says."""
    kept = {name: value for name, value in ENVIRON.items() if name not in {*WORDS, "MAKEFLAGS"}}
    done = subprocess.run(  # noqa: S603 - make, on this checkout's Makefile
        ["make", "--silent", *SET_UP, target, f"PYTHON={python}", *variables],  # noqa: S607 - the one on PATH
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
    said = "|".join(f"${name}" for name in WORDS)
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*|{said}"\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("word", AS_GIVEN)
def test_an_operators_words_come_through_unread(target: str, word: str, python: Path) -> None:
    """On the command line of make and in its environment; neither make nor a shell takes them apart."""
    program = "benchmarks" if target == "bench" else f"operating {target}"
    said = f"-m {program}|{'|'.join([word] * len(WORDS))}\n"
    if "\n" not in word:  # make takes no second line on its command line
        assert made(target, *(f"{name}={word}" for name in WORDS), python=python) == said
    assert made(target, python=python, **dict.fromkeys(WORDS, word)) == said


@pytest.mark.parametrize("target", ["up", "demo", "status", "deploy", "key"])
@pytest.mark.parametrize("word", AS_GIVEN)
def test_every_other_variable_comes_through_unread_too(target: str, word: str, python: Path) -> None:
    """Those of the local service, and those that the tools below read, such as AWS_PROFILE."""
    names = ("BEDROCK_URL", "PORT_OFFSET", "STRICT", "IMAGEGEN_LOCAL_DIR", "AWS_PROFILE", "TMPDIR")
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "{"|".join(f"${name}" for name in names)}"\n')
    said = f"{'|'.join([word] * len(names))}\n"
    if "\n" not in word:  # make takes no second line on its command line
        assert made(target, *(f"{name}={word}" for name in names), python=python) == said
    assert made(target, python=python, **dict.fromkeys(names, word)) == said


def test_the_stage_is_dev_unless_another_is_named(python: Path) -> None:
    """Everything else is empty. A stage that is named by nothing is not dev: somebody's variable was empty."""
    assert made("deploy", python=python) == f"-m operating deploy{NOTHING}\n"
    assert made("deploy", "STAGE=", python=python) == f"-m operating deploy|{'|' * (len(WORDS) - 1)}\n"


def test_the_deploy_matrix_is_part_of_the_long_runs_alone(python: Path) -> None:
    """`make test` and a plain pytest collect the folders of `testpaths`; only `make test` leaves journeys out."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    folders = settings["ini_options"]["testpaths"]
    pytest_ = "-m pytest --numprocesses 2 --dist loadscope"
    assert "tests/deployments" not in folders
    assert made("test", "WORKERS=2", python=python) == f"{pytest_} -m not thorough{NOTHING}\n"
    assert made("deployments", "WORKERS=2", python=python) == f"{pytest_} tests/deployments{NOTHING}\n"
    ignored = " ".join(f"--ignore {path}" for path in OF_THEIR_OWN)
    assert all((ROOT / path).exists() for path in OF_THEIR_OWN)
    check = made("--dry-run", "check", "WORKERS=2", python=python).splitlines()
    assert check[-1] == f"THOROUGH=1 {python} {pytest_} tests {ignored}"


def test_the_cdk_of_make_finds_the_python_that_make_has_installed() -> None:
    """`cdk.json` runs the `python3` of PATH."""
    first, *rest = environment({"PATH": "/usr/bin"})["PATH"].split(os.pathsep)
    assert (first, rest) == (str(ROOT / ".venv" / "bin"), ["/usr/bin"])
