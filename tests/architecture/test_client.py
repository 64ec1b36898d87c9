"""`client/` is a package of its own that agrees with the checkout, and its core does no input or output."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pytest

from imagegen_client.version import __version__

ROOT: Final = Path(__file__).parents[2]
CLIENT: Final = ROOT / "client"
PACKAGE: Final = CLIENT / "imagegen_client"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))
WITHOUT_IO: Final = ("core", "errors", "failures", "image_request", "repeating", "replies", "version")
"""The core, and all that it imports."""

DOES_IO: Final = {
    "anyio",
    "asyncio",
    "httpx",
    "io",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "time",
}


def project(path: Path) -> dict[str, Any]:
    """Return the table `project` of a pyproject.toml."""
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return table


def imports_of(path: Path) -> set[str]:
    """Return the full names that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


def names(requirements: list[str]) -> set[str]:
    """Return the names of packages without their versions."""
    return {re.split(r"[\[<>=!~;]", each)[0].strip() for each in requirements}


def test_the_client_has_the_version_of_the_project() -> None:
    """A release sets both numbers."""
    assert __version__ == project(ROOT / "pyproject.toml")["version"]
    assert (
        project(CLIENT / "pyproject.toml")["requires-python"]
        == project(ROOT / "pyproject.toml")["requires-python"]
    )


def test_the_checkout_has_what_the_client_needs() -> None:
    """The tests of the client run in the checkout's own environment."""
    pinned = names((ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines())
    table = project(CLIENT / "pyproject.toml")
    wanted = names([*table["dependencies"], *chain.from_iterable(table["optional-dependencies"].values())])
    assert wanted <= pinned


@pytest.mark.parametrize("module", WITHOUT_IO)
def test_the_core_does_no_input_or_output(module: str) -> None:
    """It imports neither what could do any, nor a module of the package that could."""
    found = imports_of(PACKAGE / f"{module}.py")
    allowed = {f"imagegen_client.{name}" for name in WITHOUT_IO} | {"imagegen_client"}
    assert {name for name in found if name.partition(".")[0] == "imagegen_client"} <= allowed
    assert {name.partition(".")[0] for name in found} & DOES_IO == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_client_imports_nothing_of_the_checkout(path: Path) -> None:
    """People install it without the rest; and the library works without the command line."""
    roots = {name.partition(".")[0] for name in imports_of(path)}
    assert roots & {"imagegen", "apidoc", "stacks", "local", "tools", "tests", "operating", "."} == set()
    if path.parent == PACKAGE and path.name != "__main__.py":
        assert not any(name.startswith("imagegen_client.command_line") for name in imports_of(path))
        assert roots & {"typer", "rich", "platformdirs", "PIL"} == set()


def test_nothing_but_the_tests_imports_the_client() -> None:
    """The service does not depend on its client."""
    rooms = ("lambda", "apidoc", "stacks", "local", "tools", "operating")
    paths = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert [path for path in paths if any("imagegen_client" in name for name in imports_of(path))] == []
