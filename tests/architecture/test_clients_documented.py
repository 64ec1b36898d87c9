"""`docs/clients.md` has one row for each recorded tool and each program of a client, with the versions that are run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest

from tests.clients import test_repeats
from tests.support.recorded_tools import Tool, tools

ROOT: Final = Path(__file__).parents[2]
CLIENTS: Final = ROOT / "tests" / "clients"
PAGE: Final = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
TOOLS: Final = [pytest.param(tool, id=tool.id) for tool in tools()]
PROGRAMS: Final = sorted(
    str(path.relative_to(CLIENTS))
    for language in ("python", "node")
    for path in (CLIENTS / language).iterdir()
    if path.is_dir() and any(path.glob("picture.*"))
)
RUNTIMES: Final = {"node"}
"""Pinned packages that are not clients."""


def rows_of(section: str) -> list[list[str]]:
    """Return the cells of the rows below the head of a section's table."""
    lines = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")][1:]


def pins_of(program: str) -> set[str]:
    """Return the packages that a program pins, each as `name version`."""
    listed = CLIENTS / program / "package.json"
    if listed.exists():
        dependencies = json.loads(listed.read_text(encoding="utf-8"))["dependencies"]
        return {f"{name} {version}" for name, version in dependencies.items() if name not in RUNTIMES}
    text = (CLIENTS / program / "requirements.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, flags=re.MULTILINE)
    return {f"{name} {version}" for name, version in pinned}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_recorded_tool_has_its_row(tool: Tool) -> None:
    """The row has the tool's name, the version that was read, and the name of its file."""
    found = [(name, version) for name, version, _, run, _ in rows_of("Tools") if f"`{tool.id}`" in run]
    assert found == [(tool.name, tool.version)]


def test_no_tool_has_a_row_without_recorded_requests() -> None:
    """Whoever removes a file also removes its row."""
    assert [row[3] for row in rows_of("Tools") if row[3] not in _runs()] == []
    assert len(rows_of("Tools")) == len(tools())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_has_its_row_with_the_pinned_version(program: str) -> None:
    """The version's cell lists packages as `name version`, each exactly as it is pinned."""
    (version,) = [version for _, version, _, run in rows_of("Libraries") if f"`{program}`" in run]
    named = {each.strip() for each in version.split(",")}
    assert named <= pins_of(program)


def test_no_library_has_a_row_without_a_program() -> None:
    """Whoever removes a program also removes its row."""
    named = [re.findall(r"`([\w./-]+)`", row[3]) for row in rows_of("Libraries")]
    assert sorted(each for names in named for each in names) == PROGRAMS


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_was_read_somewhere_and_has_its_limits(tool: Tool) -> None:
    """Each file names its sources, what to set, and what does not work."""
    told = json.loads((ROOT / "tests" / "data" / "tools" / f"{tool.id}.json").read_text(encoding="utf-8"))
    assert all([told["read_from"], told["settings"], told["limits"]])


def _runs() -> set[str]:
    return {f"recorded requests `{tool.id}`" for tool in tools()}


def test_every_client_that_repeats_has_its_row() -> None:
    """The table has the clients that are interrupted by `tests/clients/test_repeats.py`, in the same order."""
    listed = rows_of("What a repeat costs")
    assert [row[0] for row in listed] == [client.name for client in test_repeats.CLIENTS]
    assert all(row[2:] == ["1"] * len(test_repeats.FAULTS) for row in listed)
