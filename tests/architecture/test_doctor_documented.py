"""`docs/doctor.md` has every check, right and severity of `make doctor`."""

from __future__ import annotations

import re

from operating.doctor import checks
from operating.doctor.finding import SEVERITIES
from operating.doctor.refusals import RIGHTS
from tests.architecture.test_api_documented import DOCS

PAGE = (DOCS / "doctor.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of each row of the tables below a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.split("|")[1:-1] for line in part.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line] for line in lines]


def test_every_check_has_its_row_in_its_order() -> None:
    """And no row is of a check that there is not."""
    named = [cells[0].strip("`") for cells in rows("What it looks at")]
    every = (checks.IDENTITY, *checks.BEFORE, *checks.AFTER)
    assert named == [*(row.name for row in every), checks.PROOF]


def test_every_right_is_listed_with_a_check() -> None:
    """Whoever narrows a role down needs the whole list."""
    listed: set[str] = set()
    for rights, used_by in rows("The rights that it needs"):
        listed |= set(re.findall(r"`([^`]+)`", rights))
        assert set(re.findall(r"`([^`]+)`", used_by)) <= {row.name for row in (*checks.BEFORE, *checks.AFTER)}
    assert listed == set(RIGHTS.values())


def test_every_severity_is_explained() -> None:
    """A program reads them."""
    programs = PAGE.partition("\n## For programs\n")[2].partition("\n## ")[0]
    assert [severity for severity in SEVERITIES if f"`{severity}`" not in programs] == []
