"""The listed mutants fit the code of today; `make mutants` tries them."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.mutants import code, infrastructure
from tests.mutants.mutant import ROOT, Mutant

CODE = code.mutants()
INFRASTRUCTURE = infrastructure.mutants()


@pytest.mark.parametrize("mutant", INFRASTRUCTURE, ids=lambda mutant: str(mutant.key))
def test_a_listed_defect_can_still_be_made(mutant: Mutant) -> None:
    """Its text stands in the file once, and what comes out is Python."""
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(mutant.applied_to(source))) != ast.dump(ast.parse(source))
    assert all((ROOT / path).is_file() for tests in mutant.tests for path in tests)


def test_the_defects_made_by_rule_are_spread_over_the_rooms() -> None:
    """Each module with functions has some, and each of them is Python."""
    sources = {mutant.file: (ROOT / mutant.file).read_text(encoding="utf-8") for mutant in CODE}
    assert all(ast.parse(mutant.applied_to(sources[mutant.file])) for mutant in CODE)
    assert max(Counter(mutant.file for mutant in CODE).values()) < len(CODE) / 8
    assert {len(mutant.tests) for mutant in CODE} == {4}, "a module has no tests of its own"
    assert {path.relative_to(ROOT).as_posix() for path in code.modules()} - set(sources) <= WITHOUT_FUNCTIONS


WITHOUT_FUNCTIONS = {"lambda/imagegen/generations/image_formats.py"}


def test_there_are_enough_and_no_two_are_the_same() -> None:
    """Sixty of the infrastructure, a hundred of the code."""
    assert len({mutant.key for mutant in INFRASTRUCTURE}) == len(INFRASTRUCTURE) >= 60
    assert len({mutant.key for mutant in CODE}) == len(CODE) >= 100
    assert set(code.EXPLAINED) <= {mutant.key for mutant in CODE}
    assert len(code.EXPLAINED) <= len(CODE) * 0.05


def test_a_text_that_stands_twice_or_not_at_all_is_refused() -> None:
    """So a mutant that no longer fits is found."""
    mutant = Mutant(file="a.py", text="x", replacement="y", means="None.", tests=())
    assert mutant.applied_to("a = x") == "a = y"
    for source in ("x = x", "a = 1"):
        with pytest.raises(ValueError, match="the text stands there"):
            mutant.applied_to(source)
