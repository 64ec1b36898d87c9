"""Every control and every test that `docs/security.md` names exists."""

from __future__ import annotations

import re
from typing import Final

import pytest

from stacks.stage import SETTINGS
from tools.checkout import CHECKOUT

PAGE: Final = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
HEAD: Final = "| threat | against it | in | tested by |"
STRICTER: Final = PAGE.partition("## Settings that make a stage stricter\n")[2].partition("\n## ")[0]


def rows() -> dict[str, list[str]]:
    """Return the cells of each row of the tables of threats, by the threat."""
    found = {}
    for table in PAGE.split(HEAD)[1:]:
        for line in table.strip().splitlines()[1:]:
            if not line.startswith("| "):
                break
            threat, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert threat not in found, f"{threat} is there twice"
            found[threat] = cells
    return found


ROWS: Final = rows()


def test_there_are_threats() -> None:
    """In each of nine tables; otherwise the tests of the rows would say nothing."""
    assert len(ROWS) >= 50
    assert PAGE.count(HEAD) == 9


def assert_named_tests_exist(tests: str) -> None:
    """Fail unless the cell of a table names one test or more, and each is in its file."""
    named = re.findall(r"`([\w./-]+\.py)::(\w+)`", tests)
    assert named
    assert len(named) == tests.count("`") // 2
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (CHECKOUT / file).is_file()
        or f"\ndef {name}(" not in (CHECKOUT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


@pytest.mark.parametrize("threat", ROWS)
def test_a_threat_has_a_control_in_a_file_and_a_test(threat: str) -> None:
    """The files exist, and so do the tests in theirs."""
    control, places, tests = ROWS[threat]
    assert len(control) > 10
    files = re.findall(r"`([\w./-]+)`", places)
    assert files
    assert [file for file in files if not (CHECKOUT / file).is_file()] == []
    assert_named_tests_exist(tests)


def test_every_setting_that_the_page_offers_exists() -> None:
    """The first column of its table."""
    names = re.findall(r"^\| `(\w+)` \|", STRICTER, re.MULTILINE)
    assert len(names) >= 6
    assert [name for name in names if name not in SETTINGS] == []


def test_every_setting_that_the_page_offers_has_a_test() -> None:
    """The third column: without one, nobody would notice that the setting closes nothing any more."""
    cells = re.findall(r"^\| `\w+` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", STRICTER, re.MULTILINE)
    assert len(cells) == STRICTER.count("\n| `")
    for tests in cells:
        assert_named_tests_exist(tests)
