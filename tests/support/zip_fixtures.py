"""Fixtures of the functions' zips, built for this machine; each is built once in a process."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from stacks.bundling import Bundle, find_compiler
from stacks.zip_contents import AUTHORIZER
from tests.support.synthesis import ROOT

HOST: Final = find_compiler("host")


def checkout(at: Path) -> Path:
    """Copy the files that a bundle is made of, and return the copy."""
    shutil.copytree(ROOT / "lambda", at / "lambda", ignore=shutil.ignore_patterns("__pycache__"))
    return at


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return a bundle for this machine in a copy of the checkout."""
    return Bundle(root=checkout(tmp_path_factory.mktemp("fresh")), platform="host", compiler=HOST)


@pytest.fixture(scope="session")
def built(fresh: Bundle) -> Path:
    """Build the content of the service's zip, and return its directory."""
    return fresh.build()


@pytest.fixture(scope="session")
def built_authorizer(fresh: Bundle) -> Path:
    """Build the content of the authorizer's zip, and return its directory."""
    return replace(fresh, contents=AUTHORIZER).build()
