"""Reads bytes as one JSON object, and refuses what ordinary JSON parsers let through.

The checks come in this order: size, byte order mark, UTF-8, nesting; then one parse, which stops at the first bad
syntax, repeated name or number that no double can hold; then that the value is an object; then lone surrogates.
RFC 8259 §4, §6, §8.1 and §8.2 say why parsers disagree about each of them. Every check is linear in the length of the
body.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Any, Final, NoReturn

from imagegen.errors import InvalidJson, PayloadTooLarge

MAX_DEPTH: Final = 32
"""How deep objects and arrays may nest; the outermost counts as one."""
MAX_DIGITS: Final = 308
"""The most digits of an integer. Every integer of so few digits fits a double, as 1e308 does."""

# An unterminated string matches to the end of the text. Otherwise the scan would start again at each quote.
_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def loads(body: bytes, *, max_bytes: int) -> dict[str, Any]:
    """Return the members of the one JSON object that the body is.

    Raises:
        PayloadTooLarge: the body is longer than `max_bytes`.
        InvalidJson: it is not one well-formed, unambiguous JSON object.
    """
    check_size(len(body), max_bytes=max_bytes)
    text = _decoded(body)
    _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        raise InvalidJson(f"The body is not valid JSON at {where}.") from exc
    if not isinstance(value, dict):
        raise InvalidJson("The body must be a JSON object.")
    # The bytes were strict UTF-8, so only an escape can have made half a surrogate pair.
    if "\\u" in text:
        _check_surrogates(value)
    return value


def check_size(length: int, *, max_bytes: int) -> None:
    """Raise `PayloadTooLarge` for a body of more than `max_bytes`."""
    if length > max_bytes:
        raise PayloadTooLarge(f"The body may have at most {max_bytes} bytes.")


def _decoded(body: bytes) -> str:
    if body.startswith(codecs.BOM_UTF8):
        raise InvalidJson("The body must not begin with a byte order mark.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidJson(f"The body is not UTF-8 at byte {exc.start}.") from exc
    if not text.strip():
        raise InvalidJson("The body is empty; a JSON object is needed.")
    return text


def _check_depth(text: str) -> None:
    # Python's parser recurses, and would end a deeply nested body in a RecursionError. This first look also counts
    # brackets inside strings, so it lets no deep body pass.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRUCTURE.finditer(text):
        found = match.group()
        if found in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidJson(f"The body nests objects and arrays deeper than {MAX_DEPTH}.")
        elif found in "]}":
            depth -= 1


def _check_surrogates(value: dict[str, Any]) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise InvalidJson("The body has a \\u escape that is half of a surrogate pair.") from exc


# Python keeps the last of two equal names. Another parser on the way may keep the first (RFC 8259 §4).
def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJson("The body has the same name twice in one object.")
    return members


# Without this, `int` would raise its own ValueError beyond 4300 digits.
def _integer(literal: str) -> int:
    if len(literal.lstrip("-")) > MAX_DIGITS:
        raise InvalidJson(f"The body has an integer of more than {MAX_DIGITS} digits.")
    return int(literal)


def _float(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise InvalidJson("The body has a number that is too large.")
    return number


# By default Python's parser accepts NaN and Infinity.
def _constant(_: str) -> NoReturn:
    raise InvalidJson("The body has NaN or Infinity, which are not JSON.")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
