"""The places in the code that CONTRIBUTING.md and the index of decisions name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)


def changes() -> list[list[str]]:
    """Return the rows of "Where to change what": the change, its files, and the tests that remind of them."""
    section = CONTRIBUTING.split("## Where to change what")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def paths_in(text: str) -> list[str]:
    """Return the paths in a text: whatever is between backticks and has a slash."""
    return re.findall(r"`([A-Za-z_.][\w.-]*(?:/[\w.-]+)+/?|[a-z]+/)`", text)


@pytest.mark.parametrize("row", changes(), ids=lambda row: row[0])
def test_a_change_is_made_in_files_that_exist(row: list[str]) -> None:
    """Each row names a file to change, and a file that reminds of the rest."""
    assert paths_in(row[1])
    assert paths_in(row[2])
    assert [path for path in paths_in(f"{row[1]} {row[2]}") if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("row", changes(), ids=lambda row: row[0])
def test_a_name_behind_a_path_stands_in_that_file(row: list[str]) -> None:
    """The names in parentheses after a path are in that file."""
    named = re.findall(r"`([\w./-]+\.py)` \(([^)]*)\)", row[1])
    names = [(path, name) for path, inside in named for name in re.findall(r"`(\w+)`", inside)]
    assert [pair for pair in names if pair[1] not in (ROOT / pair[0]).read_text(encoding="utf-8")] == []


def test_the_table_answers_the_ordinary_changes() -> None:
    """The table has one row for each ordinary change."""
    assert len(changes()) == 23


def test_the_index_of_decisions_names_places_that_exist() -> None:
    """Whoever moves a file also changes its path in the index."""
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    places = "\n".join(line.split("|")[-2] for line in index.splitlines() if line.startswith("| ["))
    assert [path for path in paths_in(places) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    """Links between pages are relative."""
    links = re.findall(r"\]\((?!https?:|mailto:|#|…)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_holds_what_a_merge_left(page: Path) -> None:
    """Readers would see both sides, and the marks between them."""
    assert (
        re.findall(r"^(?:<{7}|={7}|>{7})(?: .*)?$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        == []
    )
