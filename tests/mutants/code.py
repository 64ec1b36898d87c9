"""Defects in `generations/` and `adapters/`, made by rule from the code, so that nobody chose the easy ones.

Each function has many places where a rule can change something. A hash of the place decides which one is tried.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.mutant import ROOT, Mutant

ROOMS: Final = ("lambda/imagegen/generations", "lambda/imagegen/adapters")
LEFT_OUT: Final = ("__init__.py", "ports.py", "refusal_texts.py")
"""Modules without code of their own: what a room offers, protocols, and a table of texts."""
NUMBER: Final = 120
LEAST_OF_A_MODULE: Final = 2
EXPLAINED: Final[Mapping[str, str]] = {
    "lambda/imagegen/generations/submit.py: 1 -> 2 (images_left: 1 becomes 2)": (
        "It only keeps a model without a price from dividing by 0. No price is as low as two micro-dollars."
    ),
    "lambda/imagegen/generations/turns.py: <= -> < (took: <= becomes <)": (
        "A call that took 0 seconds is then noted with a rest of 0 seconds, which is as if it were not noted."
    ),
}
"""The mutants that no test notices, by name, and why that is no gap."""

_COMPARED: Final[Mapping[type[ast.cmpop], tuple[str, str]]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_ARITHMETIC: Final[Mapping[type[ast.operator], tuple[str, str]]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"),
}


_TESTED_BY: Final[Mapping[str, str]] = {
    "batch": "repeats",
    "charges": "budgets",
    "connection": "key_look_up",
    "items": "key_table",
    "ledger": "submit",
    "look_up": "key_look_up",
    "records": "dynamodb",
    "refusals": "bedrock_refusals",
    "resending": "key_look_up",
    "runtime": "bedrock",
    "session": "direct_session",
    "table": "key_table",
    "table_calls": "key_look_up",
    "table_errors": "dynamodb",
}
"""The modules whose nearest tests have another name, and that name."""
_LONG: Final[Mapping[str, tuple[str, ...]]] = {
    "generations": ("unit/generations/test_fault_schedules", "unit/generations/test_repeat_schedules"),
    "adapters": (
        *("local/test_adapters", "local/test_store_faults", "local/test_wire_faults"),
        *("local/test_storm", "local/test_quotas", "local/test_webhook_delivery"),
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """Where the text of a module changes, and into what."""

    start: int
    end: int
    replacement: str
    means: str


def mutants() -> list[Mutant]:
    """Return the chosen mutants of both rooms, in the order of the modules."""
    first: list[tuple[str, Mutant]] = []
    others: list[tuple[str, Mutant]] = []
    for path in modules():
        of_module = sorted(_of(path), key=lambda pair: pair[0])
        first += of_module[:LEAST_OF_A_MODULE]
        others += of_module[LEAST_OF_A_MODULE:]
    others.sort(key=lambda pair: pair[0])
    chosen = first + others[: max(0, NUMBER - len(first))]
    return sorted((mutant for _, mutant in chosen), key=lambda mutant: (mutant.file, mutant.place))


def modules() -> list[Path]:
    """Return the modules of both rooms that have code."""
    return [
        path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if path.name not in LEFT_OUT
    ]


def _of(path: Path) -> Iterator[tuple[str, Mutant]]:
    """Yield one mutant for each function, with the hash by which it is chosen."""
    source = path.read_text(encoding="utf-8")
    file = path.relative_to(ROOT).as_posix()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        made = [
            (hashlib.sha256(f"{file} {function.name} {number}".encode()).hexdigest(), change)
            for number, change in enumerate(_changes(function, source))
        ]
        if made:
            digest, change = min(made, key=lambda pair: pair[0])
            yield (
                digest,
                Mutant(
                    file=file,
                    text=source[change.start : change.end],
                    replacement=change.replacement,
                    means=f"{function.name}: {change.means}",
                    tests=_tests(file),
                    place=change.start,
                ),
            )


def _tests(file: str) -> tuple[tuple[str, ...], ...]:
    """Return the sets of tests for a module: its own, its room's, those of the API, and the longest ones."""
    room = "generations" if "/generations/" in file else "adapters"
    stem = Path(file).stem
    name = f"test_{_TESTED_BY.get(stem, stem)}.py"
    own = [f"{folder}/{name}" for folder in (f"tests/unit/{room}", "tests/local")]
    quick = ("-m", "not slow")
    nearest = [each for each in own if (ROOT / each).is_file()][:1]
    if "/direct/" in file:
        nearest.append("tests/local/direct")
    sets: list[tuple[str, ...]] = [(*quick, *nearest)] if nearest else []
    sets.append((*quick, f"tests/unit/{room}", "tests/unit/test_wiring.py"))
    sets.append((*quick, "tests/api", "--ignore", "tests/api/test_schemathesis.py"))
    sets.append(tuple(f"tests/{each}.py" for each in _LONG[room]))
    return tuple(sets)


def _changes(function: ast.FunctionDef, source: str) -> Iterator[Change]:
    """Yield every change that a rule makes in the body of a function."""
    text = _Text(source)
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.expr):
                yield from _in_expression(node, text)
            elif isinstance(node, ast.stmt):
                yield from _in_statement(node, text)


class _Text:
    """A module's text, in which the nodes of its tree are found."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._encoded = source.encode()
        self._lines = [0]
        for line in self._encoded.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return where a node begins and ends, in characters; the tree counts bytes of UTF-8."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.expr) -> str:
        """Return the text of a node."""
        return self.source[slice(*self.span(node))]

    def _at(self, line: int, column: int) -> int:
        return len(self._encoded[: self._lines[line - 1] + column].decode())


def _in_expression(node: ast.expr, text: _Text) -> Iterator[Change]:
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARED:
            yield from _between(text, left, right, _COMPARED[type(operator)])
        case ast.BoolOp(op=joined, values=[left, right, *_]):
            words = ("and", "or") if isinstance(joined, ast.And) else ("or", "and")
            yield from _between(text, left, right, words)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            yield from _between(text, left, right, _ARITHMETIC[type(sign)])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield Change(*text.span(node), f"({text.of(operand)})", "a negation is lost")
        case ast.Constant(value=bool(value)):
            yield Change(*text.span(node), str(not value), f"{value} becomes {not value}")
        case ast.Constant(value=int(value)):
            yield Change(*text.span(node), str(value + 1), f"{value} becomes {value + 1}")
        case ast.IfExp(test=test):
            yield Change(*text.span(test), f"not ({text.of(test)})", "a condition is turned round")


def _in_statement(node: ast.stmt, text: _Text) -> Iterator[Change]:
    match node:
        case ast.If(test=test):
            yield Change(*text.span(test), f"not ({text.of(test)})", "a condition is turned round")
        case ast.Expr(value=ast.Call()):
            yield Change(*text.span(node), "pass", "a call is left out")
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield Change(*text.span(value), "None", "None is returned")


def _between(text: _Text, left: ast.expr, right: ast.expr, words: tuple[str, str]) -> Iterator[Change]:
    old, new = words
    place = text.source.find(old, text.span(left)[1], text.span(right)[0])
    if place >= 0:
        yield Change(place, place + len(old), new, f"{old} becomes {new}")
