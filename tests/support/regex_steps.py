"""Counts the steps that a backtracking engine takes for a regular expression, so that no test has to measure time.

The engine follows the tree that Python's own parser makes, and tries alternatives in the order of Python's engine,
without its short cuts. One step is one look at a character, a position or an alternative.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, Final

_PARSER: Final[Any] = importlib.import_module("re._parser")
_CATEGORIES: Final[dict[str, Callable[[str], bool]]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
}
_BREAKER: Final = "\x01"
_PAIRED: Final = 6
"""Of a pattern with more different characters, no pairs are repeated; that would take too long."""

MOST_STEPS: Final = 200_000
"""After so many the count is given up: the pattern may be tried in exponentially many ways.

A sound pattern takes an eighth of it at most.
"""

Then = Callable[[int], int | None]
Tree = Sequence[tuple[Any, Any]]


class TooManySteps(Exception):
    """A text takes more steps than any text may."""


class _Engine:
    def __init__(self, pattern: re.Pattern[Any], text: str) -> None:
        self.steps = 0
        self.text = text
        self.ignores_case = bool(pattern.flags & re.IGNORECASE)
        self.dot_takes_all = bool(pattern.flags & re.DOTALL)

    def match(self, tree: Tree, at: int, then: Then, index: int = 0) -> int | None:
        """Return where a match of the tree that begins at a place ends, or None."""
        if index == len(tree):
            return then(at)
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooManySteps
        node, argument = tree[index]
        return self._node(str(node), argument, at, lambda end: self.match(tree, end, then, index + 1))

    def _node(self, name: str, argument: Any, at: int, then: Then) -> int | None:  # noqa: C901, PLR0911 - a return a kind
        if name in {"LITERAL", "NOT_LITERAL", "ANY", "IN"}:
            return then(at + 1) if self._takes(name, argument, at) else None
        if name == "BRANCH":
            for choice in argument[1]:
                end = self.match(choice, at, then)
                if end is not None:
                    return end
            return None
        if name == "SUBPATTERN":
            return self.match(argument[3], at, then)
        if name == "ATOMIC_GROUP":
            end = self.match(argument, at, lambda place: place)
            return None if end is None else then(end)
        if name == "AT":
            return then(at) if self._is_at(str(argument), at) else None
        if name in {"ASSERT", "ASSERT_NOT"}:
            direction, inner = argument
            start = at if direction > 0 else at - inner.getwidth()[0]
            found = start >= 0 and self.match(inner, start, lambda place: place) is not None
            return then(at) if found == (name == "ASSERT") else None
        low, high, inner = argument
        high = len(self.text) + 1 if high is _PARSER.MAXREPEAT else high
        if name == "POSSESSIVE_REPEAT":
            return self._possessive(low, high, inner, at, then)
        if (
            name == "MAX_REPEAT"
            and len(inner) == 1
            and str(inner[0][0]) in {"LITERAL", "NOT_LITERAL", "ANY", "IN"}
        ):
            return self._greedy_characters(low, high, inner[0], at, then)
        return self._repeat(name == "MAX_REPEAT", (low, high), inner, at, then)

    def _repeat(
        self,
        greedy: bool,  # noqa: FBT001 - private
        bounds: tuple[int, int],
        inner: Tree,
        at: int,
        then: Then,
        count: int = 0,
    ) -> int | None:
        def more() -> int | None:
            # An empty round would go on for ever; Python's engine leaves it out as well.
            return self.match(
                inner,
                at,
                lambda end: (
                    None
                    if end == at and count >= bounds[0]
                    else self._repeat(greedy, bounds, inner, end, then, count + 1)
                ),
            )

        self.steps += 1
        if count < bounds[0]:
            return more()
        if count >= bounds[1]:
            return then(at)
        found = more() if greedy else then(at)
        if found is not None:
            return found
        return then(at) if greedy else more()

    def _greedy_characters(
        self, low: int, high: int, node: tuple[Any, Any], at: int, then: Then
    ) -> int | None:
        end = at
        while end - at < high and self._takes(str(node[0]), node[1], end):
            self.steps += 1
            end += 1
        for place in range(end, at + low - 1, -1):
            self.steps += 1
            found = then(place)
            if found is not None:
                return found
        return None

    def _possessive(self, low: int, high: int, inner: Tree, at: int, then: Then) -> int | None:
        count = 0
        while count < high:
            self.steps += 1
            end = self.match(inner, at, lambda place: place)
            if end is None or end == at:
                break
            at, count = end, count + 1
        return then(at) if count >= low else None

    def _takes(self, name: str, argument: Any, at: int) -> bool:
        self.steps += 1
        if at >= len(self.text):
            return False
        char = self.text[at]
        if name == "ANY":
            return self.dot_takes_all or char != "\n"
        if name == "IN":
            return self._in(argument, char)
        return self._is(argument, char) == (name == "LITERAL")

    def _in(self, members: Tree, char: str) -> bool:
        negated = str(members[0][0]) == "NEGATE"
        found = False
        for kind, value in members[negated:]:
            if str(kind) == "LITERAL":
                found |= self._is(value, char)
            elif str(kind) == "RANGE":
                found |= any(value[0] <= ord(form) <= value[1] for form in self._forms(char))
            else:
                category = str(value)
                positive = _CATEGORIES[category.replace("NOT_", "")](char)
                found |= positive != ("NOT_" in category)
        return found != negated

    def _is(self, code: int, char: str) -> bool:
        return any(ord(form) == code for form in self._forms(char))

    def _forms(self, char: str) -> set[str]:
        forms = {char, char.lower(), char.upper()} if self.ignores_case else {char}
        return {form for form in forms if len(form) == 1}

    def _is_at(self, name: str, at: int) -> bool:
        if "BEGINNING" in name:
            return at == 0
        return at == len(self.text) or (name == "AT_END" and self.text[at:] == "\n")


def steps(pattern: re.Pattern[Any], text: str, *, method: str) -> int:
    """Return how many steps a method of a pattern (`match`, `fullmatch`, `search`, `finditer`, …) takes for a text.

    Raises:
        TooManySteps: there are more than `MOST_STEPS`.
    """
    engine = _Engine(pattern, text)
    _run(engine, pattern, method=method)
    return engine.steps


def first_match(pattern: re.Pattern[Any], text: str, *, method: str) -> tuple[int, int] | None:
    """Return what the first match of a method spans."""
    return _run(_Engine(pattern, text), pattern, method="search" if method == "finditer" else method)


def _run(engine: _Engine, pattern: re.Pattern[Any], *, method: str) -> tuple[int, int] | None:
    tree = _tree(pattern)
    length = len(engine.text)

    def accept(end: int) -> int | None:
        return None if method == "fullmatch" and end < length else end

    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        at = 0
        while at <= length:
            end = engine.match(tree, at, accept)
            if method in {"match", "fullmatch"} or (method == "search" and end is not None):
                return None if end is None else (at, end)
            # What scans goes on behind each match.
            at = at + 1 if end is None else max(end, at + 1)
    finally:
        sys.setrecursionlimit(depth)
    return None


def hostile_texts(pattern: re.Pattern[Any], size: int) -> Iterator[str]:
    """Yield texts that repeat what the pattern repeats, up to a number of times, after what it needs before that."""
    tree = _tree(pattern)
    heads = list(dict.fromkeys(("", *_heads(tree))))
    characters = sorted(_characters(tree))
    pumps = set(characters) | set(filter(None, _bodies(tree)))
    few = len(characters) <= _PAIRED
    if few:
        pumps |= {"".join(pair) for pair in product(characters, repeat=2)}
    # A head that is repeated makes a scan begin anew in each one.
    pumps |= set(filter(None, heads))
    for head, pump, tail in product(heads, sorted(pumps), ("", _BREAKER) if few else (_BREAKER,)):
        yield head + pump * size + tail


def _tree(pattern: re.Pattern[Any]) -> Tree:
    tree: Tree = _PARSER.parse(pattern.pattern, pattern.flags)
    return tree


def _shortest(tree: Tree) -> str:
    """Return a shortest text that the tree takes, whatever its assertions say."""
    return "".join(_of_node(str(node), argument) for node, argument in tree)


def _of_node(name: str, argument: Any) -> str:  # noqa: PLR0911 - a return a kind
    if name == "LITERAL":
        return chr(argument)
    if name in {"NOT_LITERAL", "ANY"}:
        return "~"
    if name == "IN":
        return next(iter(_of_set(argument)), "~")
    if name == "BRANCH":
        return min((_shortest(choice) for choice in argument[1]), key=len)
    if name == "SUBPATTERN":
        return _shortest(argument[3])
    if name == "ATOMIC_GROUP":
        return _shortest(argument)
    if name.endswith("REPEAT"):
        return _shortest(argument[2]) * int(argument[0])
    return ""


def _of_set(members: Tree) -> set[str]:
    if str(members[0][0]) == "NEGATE":
        return {"~"}
    found = set()
    for kind, value in members:
        if str(kind) == "LITERAL":
            found.add(chr(value))
        elif str(kind) == "RANGE":
            found.add(chr(value[0]))
        else:
            found.add({"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " "}.get(str(value), "a"))
    return found


def _inside(name: str, argument: Any) -> Sequence[Tree]:
    if name == "BRANCH":
        return list(argument[1])
    if name == "SUBPATTERN":
        return [argument[3]]
    if name == "ATOMIC_GROUP":
        return [argument]
    if name.endswith("REPEAT"):
        return [argument[2]]
    return [argument[1]] if name.startswith("ASSERT") else []


def _characters(tree: Tree) -> set[str]:
    found: set[str] = set()
    for node, argument in tree:
        name = str(node)
        if name == "LITERAL":
            found.add(chr(argument))
        elif name == "IN":
            found |= set(sorted(_of_set(argument))[:2])
        for inner in _inside(name, argument):
            found |= _characters(inner)
    return found


def _heads(tree: Tree, before: str = "") -> Iterator[str]:
    """Yield what has to stand before each repetition."""
    for node, argument in tree:
        name = str(node)
        if name.endswith("REPEAT"):
            yield before
        for inner in _inside(name, argument):
            yield from _heads(inner, before)
        before += _of_node(name, argument)


def _bodies(tree: Tree) -> Iterator[str]:
    """Yield a shortest text of what each repetition repeats, and of each of its alternatives."""
    for node, argument in tree:
        name = str(node)
        for inner in _inside(name, argument):
            if name.endswith("REPEAT"):
                yield _shortest(inner)
            if name == "BRANCH":
                yield _shortest(inner)
            yield from _bodies(inner)
