"""Only a whole PNG of a possible size may be stored, and its mark changes nothing else in the file."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.errors import BadModelResponse
from imagegen.generations.marks import NotMarked
from imagegen.generations.png import MAX_BYTES, MAX_SIDE, png_marked, png_size
from tests.support.fakes import png
from tests.support.marks import FOREIGN, PACKET, png_chunk, png_chunks

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


# -- the mark ---------------------------------------------------------------------------------------------------------

XMP = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)
ODD = png_chunk(b"paDd", b"\0odd\xff") + png_chunk(b"tEXt", b"Comment\0x") + png_chunk(b"sRGB", b"\0")
C2PA = png_chunk(b"caBX", b"\0\0\0\x10jumb")


def with_chunks(chunks: bytes, *, place: int = 33) -> bytes:
    """Return a PNG with these chunks, by default before its pixels."""
    return GOOD[:place] + chunks + GOOD[place:]


@pytest.mark.parametrize("image", [GOOD, with_chunks(ODD), with_chunks(ODD, place=-12)])
def test_the_mark_is_one_chunk_behind_the_header(image: bytes) -> None:
    """Every other byte of the file is as it was, whatever chunks the vendor wrote."""
    marked = png_marked(image, PACKET)
    assert marked == image[:33] + XMP + image[33:]
    assert png_size(marked) == png_size(image)
    assert [kind for kind, _ in png_chunks(marked)][:2] == [b"IHDR", b"iTXt"]


@pytest.mark.parametrize("place", [33, -12])
def test_an_image_that_a_vendor_has_marked_stays_as_it_is(place: int) -> None:
    """A manifest of C2PA would be invalid after any change; and there is one packet of XMP at most."""
    for mark in (C2PA, XMP):
        image = with_chunks(mark, place=place)
        assert png_marked(image, PACKET) is image


@pytest.mark.parametrize(
    "chunks",
    [
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + FOREIGN),
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET)),
        b"\x80\0\0\0IDAT",
        b"\x80\0\0\0caBX",
        b"\0\0\0\xffIDAT",
        b"\0\0\0\0IEND\xaeB`\x82",
        png_chunk(b"paDd") * 20_000,
    ],
    ids=[
        "other XMP",
        "compressed XMP",
        "2 GB",
        "a manifest of 2 GB",
        "beyond the end",
        "two ends",
        "too many",
    ],
)
def test_what_cannot_be_marked_is_told(chunks: bytes) -> None:
    """The caller stores such an image as it is."""
    image = with_chunks(chunks)
    assert png_size(image) == (96, 64)
    with pytest.raises(NotMarked):
        png_marked(image, PACKET)


def test_text_that_is_not_xmp_does_not_keep_the_mark_out() -> None:
    """Only the keyword of XMP counts."""
    image = with_chunks(png_chunk(b"iTXt", b"XML:com.adobe.xmpx\0\0\0\0\0" + FOREIGN))
    assert png_marked(image, PACKET) == image[:33] + XMP + image[33:]


@given(st.binary(max_size=120), st.lists(st.sampled_from([XMP, C2PA, ODD, b"\0\0\0\1"]), max_size=4))
def test_no_chunks_make_marking_fail_otherwise(noise: bytes, chunks: list[bytes]) -> None:
    """An accepted PNG is marked in its second chunk, returned as it is, or refused with `NotMarked`."""
    image = with_chunks(b"".join(chunks) + noise)
    assert png_size(image) == (96, 64)
    try:
        marked = png_marked(image, PACKET)
    except NotMarked:
        return
    assert marked is image or marked == image[:33] + XMP + image[33:]


@given(st.data())
def test_a_damaged_file_is_never_damaged_further(data: st.DataObject) -> None:
    """Bytes are overwritten anywhere between header and end; what is marked differs by the mark alone."""
    image = bytearray(with_chunks(ODD))
    for _ in range(data.draw(st.integers(0, 4))):
        image[data.draw(st.integers(33, len(image) - 13))] = data.draw(st.integers(0, 255))
    damaged = bytes(image)
    try:
        marked = png_marked(damaged, PACKET)
    except NotMarked:
        return
    assert marked.replace(XMP, b"", 1) == damaged
