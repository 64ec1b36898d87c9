"""Only a whole JPEG of a possible size may be stored, and its mark changes nothing else in the file."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.errors import BadModelResponse
from imagegen.generations.jpeg import jpeg_marked, jpeg_size
from imagegen.generations.marks import NotMarked
from imagegen.generations.png import MAX_BYTES, MAX_SIDE
from tests.support.fakes import png
from tests.support.marks import FOREIGN, PACKET
from tests.support.picture_files import SIDES, saved

GOOD = saved("JPEG")
JFIF_END = 20
"""Where the segment ends that Pillow writes first."""
NAME = b"http://ns.adobe.com/xap/1.0/\0"


def segment(marker: int, data: bytes) -> bytes:
    """Return one segment."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def with_segments(segments: bytes, *, place: int = JFIF_END) -> bytes:
    """Return a JPEG with these bytes, by default behind its first segment."""
    return GOOD[:place] + segments + GOOD[place:]


def with_size(width: int, height: int) -> bytes:
    """Return a JPEG whose header claims this size."""
    place = GOOD.index(b"\xff\xc0") + 5
    return GOOD[:place] + struct.pack(">HH", height, width) + GOOD[place + 4 :]


XMP = segment(0xE1, NAME + PACKET)
EXIF = segment(0xE1, b"Exif\0\0MM")
COMMENT = segment(0xFE, b"a comment")
C2PA = segment(0xEB, b"JP\0\1\0\0\0\1jumb")


@pytest.mark.parametrize(
    "image",
    [
        GOOD,
        saved("JPEG", progressive=True),
        saved("JPEG", mode="L"),
        with_segments(COMMENT + b"\xff\xff\xff"),
        GOOD[:2] + GOOD[JFIF_END:],
    ],
    ids=["baseline", "progressive", "grey", "fill bytes", "no JFIF"],
)
def test_the_size_is_read_from_the_image(image: bytes) -> None:
    """Each way of coding has a header of its own, and any segments may stand before it."""
    assert jpeg_size(image) == SIDES


@pytest.mark.parametrize("size", [(1, 1), (MAX_SIDE, 1), (1, MAX_SIDE)])
def test_sizes_up_to_the_bound_are_read(size: tuple[int, int]) -> None:
    """The largest allowed side is included."""
    assert jpeg_size(with_size(*size)) == size


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (MAX_SIDE + 1, 1), (1, 65_535)])
def test_impossible_sizes_are_refused(size: tuple[int, int]) -> None:
    """A program that reads such an image could run out of memory."""
    with pytest.raises(BadModelResponse, match="size"):
        jpeg_size(with_size(*size))


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"\xff\xd8\xff\xd9",
        b"<html>" + GOOD,
        png(),
        GOOD[:-1],
        GOOD[:-2],
        GOOD[: len(GOOD) // 2],
        GOOD[:200] + b"\xff\xd9",
        GOOD + b"trailing",
        GOOD.replace(b"\xff\xc0", b"\xff\xfe"),
        with_segments(b"\xff\xe5\x00\x01"),
        with_segments(b"\xff\xe5\xff\xff"),
        with_segments(b"\xff\xd0\x00\x02"),
        GOOD.replace(b"\xff\xda\x00\x0c", b"\xff\xda\x00\x01"),
        with_segments(b"\x00\x00"),
        with_segments(b"\xff" * 5_000),
    ],
    ids=[
        "nothing",
        "start and end alone",
        "an error page",
        "a PNG",
        "cut by a byte",
        "no end",
        "half",
        "an end in the header",
        "something behind the end",
        "no frame",
        "a length below its own",
        "a length beyond the file",
        "a restart among the segments",
        "a scan shorter than its length",
        "no marker",
        "endless fill bytes",
    ],
)
def test_what_is_not_a_whole_jpeg_is_refused(image: bytes) -> None:
    """A file with any of these flaws never reaches the bucket."""
    with pytest.raises(BadModelResponse):
        jpeg_size(image)


def test_the_longest_image_is_bounded() -> None:
    """A file that is too long is refused before it is parsed."""
    padding = b"\0" * (MAX_BYTES - len(GOOD))
    assert jpeg_size(GOOD[:-2] + padding + GOOD[-2:]) == SIDES
    with pytest.raises(BadModelResponse, match="length"):
        jpeg_size(GOOD[:-2] + padding + b"\0" + GOOD[-2:])


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_make_it_fail_otherwise(noise: bytes, framed: bool) -> None:  # noqa: FBT001
    """No bytes raise any other exception than `BadModelResponse`."""
    with pytest.raises(BadModelResponse):
        jpeg_size(b"\xff\xd8" + noise[:200] + b"\xff\xd9" if framed else noise)


# -- the mark ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "place"),
    [
        (GOOD, JFIF_END),
        (with_segments(COMMENT), JFIF_END),
        (with_segments(EXIF), JFIF_END + len(EXIF)),
        (GOOD[:2] + EXIF + GOOD[JFIF_END:], 2 + len(EXIF)),
        (GOOD[:2] + GOOD[JFIF_END:], 2),
    ],
    ids=["JFIF", "JFIF, comment", "JFIF, Exif", "Exif", "neither"],
)
def test_the_mark_is_one_segment_behind_jfif_and_exif(image: bytes, place: int) -> None:
    """Those two want to be first. Every other byte of the file is as it was."""
    marked = jpeg_marked(image, PACKET)
    assert marked == image[:place] + XMP + image[place:]
    assert jpeg_size(marked) == SIDES


def test_an_image_that_a_vendor_has_marked_stays_as_it_is() -> None:
    """A manifest of C2PA would be invalid after any change; and there is one packet of XMP at most."""
    for mark in (C2PA, XMP):
        image = with_segments(COMMENT + mark)
        assert jpeg_marked(image, PACKET) is image


def test_what_cannot_be_marked_is_told() -> None:
    """The caller stores such an image as it is."""
    with pytest.raises(NotMarked):
        jpeg_marked(with_segments(segment(0xE1, NAME + FOREIGN)), PACKET)
    longest = 65_533 - len(NAME)
    assert jpeg_size(jpeg_marked(GOOD, b"x" * longest)) == SIDES
    with pytest.raises(NotMarked):
        jpeg_marked(GOOD, b"x" * (longest + 1))


@given(st.data())
def test_a_damaged_file_is_never_damaged_further(data: st.DataObject) -> None:
    """Any bytes are overwritten; whatever is accepted and marked differs by the mark alone."""
    damaged = bytearray(with_segments(EXIF + COMMENT))
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(2, 250))] = data.draw(st.integers(0, 255))
    image = bytes(damaged)
    try:
        size = jpeg_size(image)
        marked = jpeg_marked(image, PACKET)
    except (BadModelResponse, NotMarked):
        return
    assert jpeg_size(marked) == size
    assert marked.replace(XMP, b"", 1) == image
