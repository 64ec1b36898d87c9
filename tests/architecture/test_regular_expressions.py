"""No regular expression of the functions can be made to work for longer than its text is long.

A backtracking engine that counts its steps (`tests/support/regex_steps.py`) tries each pattern on texts that repeat
what the pattern repeats. What grows with the square of the text takes four times the steps for twice the text.
"""

from __future__ import annotations

import ast
import fnmatch
import importlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from imagegen.adapters.bedrock.refusal_texts import REFUSALS
from imagegen.contracts import webhook_urls
from imagegen.http import surface
from tests.support.depth import at_depth
from tests.support.regex_steps import TooManySteps, first_match, hostile_texts, steps

ROOT: Final = Path(__file__).parents[2] / "lambda"
SIZE: Final = at_depth(thorough=48, usual=24)
LONG_LIST: Final = 20
LARGEST_GROWTH: Final = 2.6
"""Twice the text may take so many times the steps; 2 would be exactly linear, 4 is the square."""

_SCANS: Final = {"sub": "finditer", "subn": "finditer", "split": "finditer", "findall": "finditer"}
MODULES: Final = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "imagegen").rglob("*.py"))
    if "handler" not in path.name
}

BUILT_IN_A_FUNCTION: Final = {
    "imagegen.adapters.bedrock.refusals": [re.compile(text) for one in REFUSALS for text in one.texts],
    "imagegen.contracts.text_to_image.reading": [re.compile(webhook_urls.PATTERN)],
    "imagegen.http.app": [
        re.compile(re.sub(r"\{\w+\}", "[^/]+", route.path) + "/*") for route in surface.ROUTES
    ],
    "imagegen.http.compat.openai": [
        re.compile(fnmatch.translate(pattern)) for pattern in ("gpt-image-*", "*a*a*a*b", "*-*:*")
    ],
}
"""Patterns whose text is not written in the call; the last are the aliases that an operator may configure."""


def tree_of(module: str) -> ast.AST:
    """Return the syntax tree of a module."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def calls_of_re(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of the functions of `re`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            yield node


def method_of(call: ast.Call) -> str:
    """Return the name of the function of `re` that is called."""
    return ast.unparse(call.func).removeprefix("re.")


def kept_in(value: Any) -> Iterator[re.Pattern[Any]]:
    """Yield the patterns that a value is or holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from kept_in(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from kept_in(each)


def methods_of(module: str, name: str) -> set[str]:
    """Return the methods that a module calls on a name of its own; a scan, which is the worst, if it calls none."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Attribute):
            value = node.value.value if isinstance(node.value, ast.Subscript) else node.value
            if isinstance(value, ast.Name) and value.id == name:
                found.add(node.attr)
    return found or {"finditer"}


def sample(patterns: list[re.Pattern[Any]]) -> list[tuple[int, re.Pattern[Any]]]:
    """Return the patterns with their numbers; of a long list each eighth in the usual run."""
    every = at_depth(thorough=1, usual=8 if len(patterns) > LONG_LIST else 1)
    return list(enumerate(patterns))[::every]


def all_patterns() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Yield where each pattern is, the pattern, and a method by which it is used."""
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            for number, pattern in sample(list(kept_in(value))):
                # A name that is imported is checked where it is made.
                for method in sorted({_SCANS.get(each, each) for each in methods_of(module, name)}):
                    yield f"{module}.{name}[{number}].{method}", pattern, method
        for call in calls_of_re(tree_of(module)):
            method, first = method_of(call), call.args[0]
            if method != "compile" and isinstance(first, ast.Constant):
                yield f"{module}: {first.value!r}", re.compile(first.value), _SCANS.get(method, method)
    for module, patterns in BUILT_IN_A_FUNCTION.items():
        for number, pattern in sample(patterns):
            yield f"{module} builds {number}", pattern, "fullmatch"
    # Pydantic checks it with an engine that does not backtrack; who copies it from the API's document may have another.
    yield "webhook_urls.PATTERN", re.compile(webhook_urls.PATTERN), "match"


FOUND: Final = {where: (pattern, method) for where, pattern, method in all_patterns()}


def growth(pattern: re.Pattern[Any], method: str) -> float:
    """Return how many times the steps twice the text takes, of the text that makes the most of it."""
    ratios = [0.0]
    for short, long in zip(hostile_texts(pattern, SIZE), hostile_texts(pattern, 2 * SIZE), strict=True):
        try:
            more, fewer = steps(pattern, long, method=method), steps(pattern, short, method=method)
        except TooManySteps:
            return math.inf
        ratios.append(more / (fewer + SIZE))
    return max(ratios)


@pytest.mark.slow
@pytest.mark.parametrize("where", FOUND)
def test_a_pattern_works_no_longer_than_its_text_is_long(where: str) -> None:
    """Twice the text takes about twice the steps, whatever the text is."""
    pattern, method = FOUND[where]
    assert growth(pattern, method) < LARGEST_GROWTH


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r'[ \t]*respond-async[ \t]*(?:=[ \t]*(?:"")?[ \t]*)?(?:;|\Z)', "match"),
        (r'"(?:base64|images)"\s*:\s*\[?\s*"', "search"),
        (r"[ \t]*application/json", "search"),
        (r"(?:a+)+b", "match"),
        (r"(?:a|a)*b", "match"),
        (r"\w+@", "search"),
        (r'"(?:[^"\\]|\\.)*"', "finditer"),
    ],
)
def test_a_pattern_that_can_be_split_in_many_ways_is_found(pattern: str, method: str) -> None:
    """The first two were in the service, and cost seconds."""
    assert growth(re.compile(pattern), method) > LARGEST_GROWTH


def test_every_pattern_of_the_functions_is_tried() -> None:
    """Each `re.compile` stands outside of functions; every other pattern has its text in the call, or is listed."""
    for module in MODULES:
        inside = [
            call.lineno
            for function in ast.walk(tree_of(module))
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for call in calls_of_re(function)
            if method_of(call) == "compile"
        ]
        assert (module, inside) == (module, [])
    built = {
        module
        for module in MODULES
        for call in calls_of_re(tree_of(module))
        if method_of(call) not in {"compile", "escape"} and not isinstance(call.args[0], ast.Constant)
    }
    fnmatches = {module for module, path in MODULES.items() if "fnmatch" in path.read_text(encoding="utf-8")}
    assert built | fnmatches == set(BUILT_IN_A_FUNCTION)
    assert len(FOUND) > 30


@pytest.mark.parametrize("where", FOUND)
def test_the_counting_engine_finds_what_pythons_own_finds(where: str) -> None:
    """Otherwise its steps would mean nothing."""
    pattern, method = FOUND[where]
    own = getattr(pattern, "search" if method == "finditer" else method)
    for text in [*hostile_texts(pattern, 1), *hostile_texts(pattern, 3)]:
        found = own(text.encode("latin-1") if isinstance(pattern.pattern, bytes) else text)
        assert first_match(pattern, text, method=method) == (found and found.span())
