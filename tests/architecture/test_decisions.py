"""The decision records all have the same form, and their index names each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
NAMES = [path.name for path in RECORDS]
HEADINGS = ["Status", "Date", "Context", "Decision", "Consequences"]


def parts_of(record: Path) -> dict[str, str]:
    """Return the text under each heading of a record."""
    texts = re.split(r"^## (.+)\n", record.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(texts[::2], (text.strip() for text in texts[1::2]), strict=True))


def rows() -> list[list[str]]:
    """Return the rows of the index that name a record."""
    lines = [line for line in INDEX.splitlines() if line.startswith("| [")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


@pytest.mark.parametrize("record", RECORDS, ids=NAMES)
def test_a_record_has_every_heading_in_order(record: Path) -> None:
    """There is text under each heading."""
    parts = parts_of(record)
    assert list(parts) == HEADINGS
    assert [name for name, text in parts.items() if not text] == []


@pytest.mark.parametrize("record", RECORDS, ids=NAMES)
def test_a_record_has_its_number_in_its_title(record: Path) -> None:
    """The title is the first line, and has the number of the file's name."""
    number = int(record.name[:4])
    title = record.read_text(encoding="utf-8").splitlines()[0]
    assert re.fullmatch(rf"# {number}\. [A-Z].+", title)


@pytest.mark.parametrize("record", RECORDS, ids=NAMES)
def test_a_record_has_a_known_status_and_a_date(record: Path) -> None:
    """A reader sees at once whether the decision still holds."""
    parts = parts_of(record)
    assert re.match(r"Accepted\b|Replaced by \[decision \d+\]", parts["Status"])
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", parts["Date"])


def test_no_number_is_used_twice() -> None:
    """Each number leads to one record."""
    numbers = [name[:4] for name in NAMES]
    assert sorted(set(numbers)) == numbers


def test_the_index_lists_every_record_once_and_no_other_file() -> None:
    """The index is in the order of the numbers."""
    links = re.findall(r"^\| \[(\d+)\]\(([^)]+)\) \|", INDEX, flags=re.MULTILINE)
    assert links == [(str(int(name[:4])), name) for name in NAMES]


def test_every_row_of_the_index_has_a_sentence_and_a_path() -> None:
    """The row says what was decided, and where the code does it."""
    assert [row for row in rows() if len(row) != 3 or not row[1].endswith(".") or "`" not in row[2]] == []


@pytest.mark.parametrize("page", [*RECORDS, FOLDER / "README.md"], ids=[*NAMES, "README.md"])
def test_every_record_that_a_page_links_exists(page: Path) -> None:
    """Whoever renames a record also changes the links to it."""
    linked = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", page.read_text(encoding="utf-8"))
    assert sorted(set(linked) - set(NAMES)) == []
