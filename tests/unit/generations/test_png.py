"""Only a whole PNG of a possible size may be stored."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.errors import BadModelResponse
from imagegen.generations.png import MAX_BYTES, MAX_SIDE, png_size
from tests.support.fakes import png

GOOD = png(96, 64)


def with_size(width: int, height: int) -> bytes:
    """Return a PNG whose header claims this size, with a correct checksum."""
    header = b"IHDR" + struct.pack(">II", width, height) + GOOD[24:29]
    return GOOD[:12] + header + struct.pack(">I", zlib.crc32(header)) + GOOD[33:]


def test_the_size_is_read_from_the_image_and_not_from_the_request() -> None:
    """A model may return another size than the task asks for."""
    assert png_size(GOOD) == (96, 64)


@pytest.mark.parametrize("size", [(1, 1), (MAX_SIDE, 1), (1, MAX_SIDE), (MAX_SIDE, MAX_SIDE)])
def test_sizes_up_to_the_bound_are_read(size: tuple[int, int]) -> None:
    """The largest allowed side is included."""
    assert png_size(with_size(*size)) == size


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (2**31, 2**31)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    """A program that reads such an image could run out of memory."""
    with pytest.raises(BadModelResponse, match="size"):
        png_size(with_size(*size))


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"<html>" + GOOD,
        b"\xff\xd8\xff\xe0" + GOOD[4:],
        GOOD[:12] + b"IDAT" + GOOD[16:],
        GOOD[:29] + b"\0\0\0\0" + GOOD[33:],
        GOOD[:8] + b"\0\0\0\x0e" + GOOD[12:],
        GOOD[:-1],
        GOOD[:-12],
        GOOD + b"trailing",
    ],
    ids=[
        "nothing",
        "signature alone",
        "an error page",
        "a JPEG",
        "no IHDR",
        "damaged header",
        "wrong header length",
        "cut by a byte",
        "no end",
        "something behind the end",
    ],
)
def test_what_is_not_a_whole_png_is_refused(image: bytes) -> None:
    """A file with any of these flaws never reaches the bucket."""
    with pytest.raises(BadModelResponse):
        png_size(image)


def test_the_longest_image_is_bounded() -> None:
    """A file that is too long is refused before it is parsed."""
    padding = MAX_BYTES - len(GOOD)
    longest = GOOD[:-12] + b"\0" * padding + GOOD[-12:]
    assert png_size(longest) == (96, 64)
    with pytest.raises(BadModelResponse, match="length"):
        png_size(GOOD[:-12] + b"\0" * (padding + 1) + GOOD[-12:])


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(image: bytes) -> None:
    """No bytes raise any other exception than `BadModelResponse`."""
    with pytest.raises(BadModelResponse):
        png_size(image)
