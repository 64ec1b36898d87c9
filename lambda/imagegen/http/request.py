"""What a request says outside its body: headers, query and path, each read by one pure function.

A header or query parameter is given as the list of its values, empty where it is absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from imagegen.errors import invalid, no_such_generation

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
MAX_CURSOR_LENGTH: Final = 256

_GENERATION_ID: Final = re.compile(r"gen_[a-z2-7]{26}")
_IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}")
_PREFERENCE: Final = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+"?)++')
_RESPOND_ASYNC: Final = re.compile(
    r'[ \t]*respond-async[ \t]*(?:=[ \t]*(?:"")?[ \t]*)?(?:;|\Z)', re.IGNORECASE
)


def values_of(event: Mapping[str, Any], member: str) -> Mapping[str, Sequence[str]]:
    """Return an event's `headers` or `queryStringParameters` as lists of values.

    API Gateway sends both forms; the one with a single value for each name serves where the other is absent.
    """
    many: Mapping[str, Sequence[str]] | None = event.get(f"multiValue{member[0].upper()}{member[1:]}")
    if many is not None:
        return many
    return {name: [value] for name, value in (event.get(member) or {}).items()}


def header_values(headers: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """Return every value of a header, whatever the case in which its name was sent."""
    wanted = name.lower()
    return [value for sent, values in headers.items() if sent.lower() == wanted for value in values]


def idempotency_key(values: Sequence[str]) -> str | None:
    """Return the value of `Idempotency-Key`, or None where there is none.

    Raises:
        InvalidParameter: it is repeated, or anything but 16–64 of `A-Za-z0-9_-`.
    """
    if not values:
        return None
    if len(values) > 1 or not _IDEMPOTENCY_KEY.fullmatch(values[0]):
        raise invalid("Idempotency-Key", "must be sent once, with 16 to 64 of A-Z, a-z, 0-9, _ and -")
    return values[0]


def prefers_async(values: Sequence[str]) -> bool:
    """Tell whether `Prefer` asks for `respond-async`; other preferences, `wait` too, are passed over (RFC 7240)."""
    return any(
        _RESPOND_ASYNC.match(preference.group()) is not None
        for value in values
        for preference in _PREFERENCE.finditer(value)
    )


def generation_id(text: str) -> str:
    """Return the id from a path.

    Raises:
        NotFound: no generation can have this id.
    """
    if not _GENERATION_ID.fullmatch(text):
        raise no_such_generation()
    return text


def history_limit(values: Sequence[str]) -> int:
    """Return how many generations a page of the history has, by the query parameter `limit`.

    Raises:
        InvalidParameter: it is repeated, or anything but an integer from 1 to 100.
    """
    if not values:
        return DEFAULT_LIMIT
    if len(values) > 1 or not _LIMIT.fullmatch(values[0]) or int(values[0]) > MAX_LIMIT:
        raise invalid("limit", f"must be sent once, an integer from 1 to {MAX_LIMIT}")
    return int(values[0])


def cursor(values: Sequence[str]) -> str | None:
    """Return the query parameter `cursor`, or None where there is none; the table's adapter reads it.

    Raises:
        InvalidParameter: it is repeated, empty or too long to be one of ours.
    """
    if not values:
        return None
    if len(values) > 1 or not 0 < len(values[0]) <= MAX_CURSOR_LENGTH:
        raise invalid("cursor", "must be sent once, the next_cursor of an earlier answer")
    return values[0]
