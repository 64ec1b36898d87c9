"""The service reads a body only if the headers say JSON in UTF-8, uncompressed."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence

import pytest

from imagegen.errors import InvalidJson, PayloadTooLarge, UnsupportedMediaType
from tests.support.events import event, received
from tests.support.hostile import AT_ONCE


def body_of(
    body: str | None,
    *,
    is_base64_encoded: bool,
    headers: Mapping[str, Sequence[str]],
    max_bytes: int = 262_144,
) -> bytes:
    """Return the body of an event with these headers and no others."""
    sent = {**event("POST", "/text-to-image"), "body": body, "isBase64Encoded": is_base64_encoded}
    return received({**sent, "multiValueHeaders": headers}).body(max_bytes)


@pytest.mark.parametrize(
    "value",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json ; charset="utf-8"',
        "application/json;",
        "application/json; ; charset=utf-8 ;",
        "application/json; profile=x",
        'application/json; a="b;c\\"d"; charset=utf-8',
        " application/json\t",
    ],
)
def test_json_in_utf_8_is_read(value: str) -> None:
    """Case, quotes, blanks and meaningless parameters of the content type make no difference."""
    assert body_of("{}", is_base64_encoded=False, headers={"Content-Type": [value]}) == b"{}"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/json-seq",
        "application/problem+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/*",
        "*/*",
        "application",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; charset=",
        "application/json; charset",
        "application/json; charset=utf-8 x",
        "application/json; a=b c",
        "application/json utf-8",
        'application/json; a="b',
        "application/json\u00a0",
    ],
)
def test_other_types_and_charsets_are_refused(value: str) -> None:
    """A type other than JSON, or a charset other than UTF-8, is refused with 415."""
    with pytest.raises(UnsupportedMediaType, match="Content-Type"):
        body_of("{}", is_base64_encoded=False, headers={"content-type": [value]})


def test_a_repeated_content_type_is_refused() -> None:
    """Two values are ambiguous, even if they agree, and even if the names differ in case."""
    for headers in (
        {"Content-Type": ["application/json", "application/json"]},
        {"Content-Type": ["application/json"], "content-type": ["text/plain"]},
    ):
        with pytest.raises(UnsupportedMediaType, match="more than one"):
            body_of("{}", is_base64_encoded=False, headers=headers)


def test_an_absent_content_type_is_accepted() -> None:
    """A body without a content type is read as JSON."""
    assert body_of("{}", is_base64_encoded=False, headers={}) == b"{}"
    assert body_of("{}", is_base64_encoded=False, headers={"content-type": []}) == b"{}"


@pytest.mark.parametrize("values", [["identity"], ["IDENTITY"], [""], ["identity, identity"], []])
def test_identity_is_no_encoding(values: list[str]) -> None:
    """A client may name `identity`, which means that the body is not compressed."""
    assert body_of("{}", is_base64_encoded=False, headers={"Content-Encoding": values}) == b"{}"


@pytest.mark.parametrize("values", [["gzip"], ["br"], ["identity, gzip"], ["identity", "deflate"], ["x"]])
def test_compressed_bodies_are_refused(values: list[str]) -> None:
    """The service unpacks no body, so no small request can become a large one."""
    with pytest.raises(UnsupportedMediaType, match="Content-Encoding"):
        body_of("{}", is_base64_encoded=False, headers={"content-encoding": values})


def test_an_absent_body_is_empty() -> None:
    """An absent body is read as empty bytes; the JSON parser refuses those later."""
    assert body_of(None, is_base64_encoded=False, headers={}) == b""
    assert body_of(None, is_base64_encoded=True, headers={}) == b""


def test_base64_is_decoded() -> None:
    """The gateway sends bodies in base64 if it takes them for binary."""
    encoded = base64.b64encode('{"a": "é"}'.encode()).decode()
    assert body_of(encoded, is_base64_encoded=True, headers={}) == '{"a": "é"}'.encode()


@pytest.mark.parametrize("body", ["e30", "e3=0", "e30=\n", "{}", "e3\u00e90", "====", "e-_0", "\ud800AAA"])
def test_bad_base64_is_invalid_json(body: str) -> None:
    """Base64 with any flaw is refused; the decoder repairs nothing."""
    with pytest.raises(InvalidJson, match="base64"):
        body_of(body, is_base64_encoded=True, headers={})


def test_a_text_that_no_bytes_stand_for_is_invalid_json() -> None:
    """A lone surrogate in the event's text cannot be written in UTF-8."""
    with pytest.raises(InvalidJson, match="UTF-8"):
        body_of('{"a": "\ud800"}', is_base64_encoded=False, headers={})


def test_bodies_far_too_long_are_refused_before_they_are_decoded() -> None:
    """The limit counts bytes: the longest body passes in either form, and a longer one is refused."""
    longest = b" " * 262_144
    assert body_of(longest.decode(), is_base64_encoded=False, headers={}) == longest
    assert body_of(base64.b64encode(longest).decode(), is_base64_encoded=True, headers={}) == longest
    for body, encoded in ((" " * 262_145, False), ("!" * 350_000, True)):
        with pytest.raises(PayloadTooLarge, match="262144"):
            body_of(body, is_base64_encoded=encoded, headers={})


def test_a_route_has_a_limit_of_its_own() -> None:
    """The limit is the number that the route passes in."""
    assert body_of("{ }", is_base64_encoded=False, headers={}, max_bytes=3) == b"{ }"
    with pytest.raises(PayloadTooLarge, match="at most 2 bytes"):
        body_of("{ }", is_base64_encoded=False, headers={}, max_bytes=2)


@pytest.mark.parametrize(
    "tail", [";" * 10_000 + "=", '; a="' + "\\" * 10_000, "; a=b" * 2_000 + "=", " " * 10_000 + "x"]
)
def test_hostile_content_types_are_answered_at_once(tail: str) -> None:
    """A header of ten kilobytes costs a fraction of a second."""
    started = time.process_time()
    with pytest.raises(UnsupportedMediaType):
        body_of("{}", is_base64_encoded=False, headers={"content-type": [f"application/json{tail}"]})
    assert time.process_time() - started < AT_ONCE
