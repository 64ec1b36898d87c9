"""Nothing that JSON parsers usually let through gets past `strict_json.loads`."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.errors import InvalidJson, PayloadTooLarge
from imagegen.http import strict_json
from tests.support import bodies
from tests.support.hostile import AT_ONCE


def test_returns_the_members_of_an_object() -> None:
    """An ordinary object comes back as Python has it, integers and floats told apart."""
    assert loads(b'{"a": [1, 2.5, "\xc3\xa9", null, true], "b": {}}') == {
        "a": [1, 2.5, "é", None, True],
        "b": {},
    }
    assert isinstance(loads(b'{"a": 1}')["a"], int)
    assert isinstance(loads(b'{"a": 1.0}')["a"], float)


def loads(body: bytes, *, max_bytes: int = 262_144) -> dict[str, Any]:
    """Read a body as a route does whose limit is this."""
    return strict_json.loads(body, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'{"a": "\xc3("}', "UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        (b'{"a": "\xc0\xaf"}', "UTF-8"),
        (b"{", "valid JSON"),
        (b"{'a': 1}", "valid JSON"),
        (b'{"a": 1,}', "valid JSON"),
        (b'{"a": 01}', "valid JSON"),
        (b'{"a": +1}', "valid JSON"),
        (b'{"a": .5}', "valid JSON"),
        (b'{"a": 1.}', "valid JSON"),
        (b'{"a": 0x10}', "valid JSON"),
        (b'{"a": 1} // why', "valid JSON"),
        (b'{"a": 1}{"b": 2}', "valid JSON"),
        (b'{"a": "\x01"}', "valid JSON"),
        (b'{"a": "\\x41"}', "valid JSON"),
        (b"\xc2\xa0{}", "valid JSON"),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"7", "object"),
        (b"null", "object"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"a": 1, "\\u0061": 2}', "twice"),
        (b'{"a": [{"b": 1, "c": 2, "b": 3}]}', "twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": [-Infinity]}', "Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": -1.5E+400}', "too large"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\\udc00\\ud800"}', "surrogate"),
        (b'{"a": ["\\ud83d x"]}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
    ],
)
def test_refuses_what_is_not_one_unambiguous_object(body: bytes, said: str) -> None:
    """Each defect is `invalid_json`, with a sentence that says which."""
    with pytest.raises(InvalidJson, match=said):
        loads(body)


def test_accepts_escapes_that_only_look_like_lone_surrogates() -> None:
    """A surrogate pair is one character, and an escaped backslash before u begins no escape."""
    assert loads(b'{"a": "\\ud83d\\ude00", "b": "\\\\ud800"}') == {"a": "\U0001f600", "b": "\\ud800"}


def test_size_is_checked_first_and_to_the_byte() -> None:
    """A body of 262,144 bytes passes, one more is too large whatever it holds."""
    padding = b" " * (262_144 - 2)
    assert loads(b"{}" + padding) == {}
    with pytest.raises(PayloadTooLarge, match="262144"):
        loads(b"\xef\xbb\xbf" + padding)


def test_a_multibyte_body_is_measured_in_bytes() -> None:
    """Characters do not count, bytes do."""
    with pytest.raises(PayloadTooLarge):
        loads(json.dumps({"a": "é" * 131_072}, ensure_ascii=False).encode())


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_bounded_at_32(opening: bytes, closing: bytes) -> None:
    """The outermost object counts: 31 more levels pass, 32 more do not."""
    innermost = b"1"
    assert loads(b'{"a":' + opening * 31 + innermost + closing * 31 + b"}")
    with pytest.raises(InvalidJson, match="deeper than 32"):
        loads(b'{"a":' + opening * 32 + innermost + closing * 32 + b"}")


def test_brackets_beside_each_other_or_in_strings_are_not_nesting() -> None:
    """Only what is open at the same time counts."""
    assert len(loads(b'{"a": [' + b",".join([b"[]"] * 500) + b"]}")["a"]) == 500
    assert loads(b'{"a": "' + b"[{" * 500 + b'\\"[[["}')["a"].startswith("[{")


@pytest.mark.parametrize("sign", [b"", b"-"])
def test_integers_are_bounded_at_308_digits(sign: bytes) -> None:
    """Every accepted integer fits a double; far longer ones never reach int()."""
    assert float(loads(b'{"a": ' + sign + b"9" * 308 + b"}")["a"])
    for digits in (309, 4_301, 16_000):
        with pytest.raises(InvalidJson, match="308 digits"):
            loads(b'{"a": ' + sign + b"1" * digits + b"}")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 262_144,
        b'{"a":' * 52_428,
        b"[]" * 40 + b'"' + b'\\"' * 131_000,
        b'"' * 262_144,
        b"[[" * 40 + b'"' + b"\\" * 262_000,
        b'{"a": 0.' + b"1" * 262_000 + b"]",
        b'{"a": 1e' + b"9" * 262_000 + b"}",
        b'{"a": [' + b"{}," * 87_000,
        b"\n" * 262_144,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_hostile_bodies_are_answered_at_once(body: bytes) -> None:
    """No body of the full size costs more than a fraction of a second."""
    started = time.process_time()
    with pytest.raises(InvalidJson):
        loads(body)
    assert time.process_time() - started < AT_ONCE


@given(bodies.strategy(bodies.raw_body))
def test_no_bytes_raise_anything_but_our_own_errors(body: bytes) -> None:
    """Any bytes are an object or one of two errors, whose sentence never quotes them."""
    detail = ""
    try:
        loads(body)
    except (InvalidJson, PayloadTooLarge) as exc:
        detail = exc.detail
    assert detail.isascii()
    assert len(detail) < 100


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.text("aé😀")))
def test_valid_objects_come_back_unchanged(members: dict[str, Any]) -> None:
    """What another encoder wrote, escaped or not, is read as it was meant."""
    assert loads(json.dumps(members).encode(), max_bytes=10**6) == members
    assert loads(json.dumps(members, ensure_ascii=False).encode(), max_bytes=10**6) == members
