"""What people give to a command: its standard input, and JSON that they wrote."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, Final, NoReturn

DEEPEST: Final = 100
"""Levels of nesting that are read: far more than the service takes, and far fewer than Python can write."""


class Unreadable(Exception):
    """What was given cannot be used; the text says why, to follow the name of what was given."""


def stdin_is_terminal() -> bool:
    """Whether somebody sits at a terminal who can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def stdin_text(*, one_line: bool = False) -> str:
    """Return the text of stdin without the byte order mark that some editors put first.

    Raises:
        Unreadable: It is closed, cannot be read, or is not UTF-8.
    """
    # Python sets it to None if the shell closed it.
    if sys.stdin is None:
        raise Unreadable("is closed")
    stream: BinaryIO = sys.stdin.buffer
    try:
        return text_of(stream.readline() if one_line else stream.read())
    except OSError as exc:
        raise Unreadable(f"cannot be read: {exc.strerror}") from exc


def word_of(argument: str) -> str:
    """Return an argument as its bytes say in UTF-8, also where the locale knows ASCII alone.

    Raises:
        Unreadable: They are not UTF-8.
    """
    # Python keeps a byte that its locale cannot read as half a character, which nobody could draw.
    return argument if argument.isascii() else text_of(os.fsencode(argument))


def text_of(content: bytes) -> str:
    """Return bytes as text, without a byte order mark.

    Raises:
        Unreadable: They are not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Unreadable("is not UTF-8 text") from exc


def json_of(text: str) -> Any:
    """Return what a JSON text says, as strictly as the service reads it.

    Raises:
        Unreadable: It is not JSON, has a name twice, a number that is not finite, or nests too deeply.
    """
    try:
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_refused, parse_float=_finite)
    except (ValueError, RecursionError) as exc:
        raise Unreadable("is not JSON") from exc
    if not _nests_within(value, DEEPEST):
        raise Unreadable("is nested too deeply")
    return value


def _members(pairs: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise Unreadable(f"has the member {name!r} twice")
        members[name] = value
    return members


def _refused(word: str) -> NoReturn:
    raise Unreadable(f"has {word}, which is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Unreadable("has a number that is too large")
    return number


def _nests_within(value: object, levels: int) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_nests_within(each, levels - 1) for each in children)
