"""Each test can fail: it asserts, expects an error, or calls a helper whose name says that it checks."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]
EXPECTS: Final = ("raises", "warns")
CHECKS: Final = ("assert_", "check_", "validate")
"""The prefixes of helpers and methods that can fail a test themselves."""


def checks_something(test: ast.FunctionDef) -> bool:
    """Return whether a test has a statement that can make it fail on purpose."""
    return any(isinstance(node, ast.Assert) or _checks(node) for node in ast.walk(test))


def _checks(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in EXPECTS or name.startswith(CHECKS)


def functions_of(source: str) -> list[ast.FunctionDef]:
    """Return the test functions of a module."""
    nodes = ast.walk(ast.parse(source))
    return [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def test_every_test_can_fail() -> None:
    """No test below `tests/` is without a check."""
    idle = [
        f"{path.relative_to(TESTS)}::{test.name}"
        for path in sorted(TESTS.rglob("test_*.py"))
        for test in functions_of(path.read_text(encoding="utf-8"))
        if not checks_something(test)
    ]
    assert idle == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("assert world()", True),
        ("with pytest.raises(KeyError): world()", True),
        ("check_refused(answer)", True),
        ("canary.assert_silence()", True),
        ("world().work()", False),
    ],
)
def test_a_test_without_a_check_is_found(body: str, found: bool) -> None:  # noqa: FBT001 - a column of the table
    """A test that only calls the code counts as one without a check."""
    (test,) = functions_of(f"def test_it():\n    {body}\n")
    assert checks_something(test) == found
