"""Only a whole WebP of one picture of a possible size may be stored, and its mark leaves the picture as it is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagegen.errors import BadModelResponse
from imagegen.generations.marks import NotMarked
from imagegen.generations.png import MAX_BYTES, MAX_SIDE
from imagegen.generations.webp import webp_marked, webp_size
from tests.support.fakes import png
from tests.support.marks import FOREIGN, PACKET
from tests.support.picture_files import SIDES, saved


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk, padded to an even length."""
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes) -> bytes:
    """Return a file of these chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunks_of(image: bytes) -> list[tuple[bytes, bytes]]:
    """Return type and data of each chunk."""
    found, position = [], 12
    while position < len(image):
        kind, length = struct.unpack_from("<4sI", image, position)
        found.append((kind, image[position + 8 : position + 8 + length]))
        position += 8 + length + length % 2
    return found


def extended(flags: int, *chunks: bytes, width: int = SIDES[0], height: int = SIDES[1]) -> bytes:
    """Return a file with the extended header."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff(chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides), *chunks)


LOSSY = saved("WEBP", quality=80)
LOSSLESS = saved("WEBP", lossless=True)
TRANSPARENT = saved("WEBP", lossless=True, mode="RGBA")
PICTURE = LOSSLESS[12:]
EXIF = chunk(b"EXIF", b"odd")
XMP = chunk(b"XMP ", PACKET)
C2PA = chunk(b"C2PA", b"jumb")


@pytest.mark.parametrize(
    "image",
    [
        LOSSY,
        LOSSLESS,
        TRANSPARENT,
        saved("WEBP", mode="RGBA"),
        saved("WEBP", exif=Image.Exif(), icc_profile=b"any"),
        extended(0, PICTURE, EXIF),
        riff(PICTURE, chunk(b"OWN ", b"xyz")),
    ],
    ids=["lossy", "lossless", "transparent", "with alpha", "with a profile", "extended", "unknown chunk"],
)
def test_the_size_is_read_from_the_image(image: bytes) -> None:
    """There are two kinds of pictures, each with and without an extended header."""
    assert webp_size(image) == SIDES


def test_the_largest_side_is_included() -> None:
    """Both kinds of pictures are bounded alike."""
    for options in ({"quality": 1}, {"lossless": True}):
        assert webp_size(saved("WEBP", sides=(MAX_SIDE, 1), **options)) == (MAX_SIDE, 1)
        with pytest.raises(BadModelResponse, match="size"):
            webp_size(saved("WEBP", sides=(1, MAX_SIDE + 1), **options))


def test_a_side_of_nothing_is_refused() -> None:
    """The lossy kind can claim it."""
    image = riff(chunk(b"VP8 ", LOSSY[20:26] + b"\0\0" + LOSSY[28:40]))
    with pytest.raises(BadModelResponse, match="size"):
        webp_size(image)


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"RIFF\x04\0\0\0WEBP",
        b"<html>" + LOSSY,
        png(),
        LOSSY[:-1],
        LOSSY[: len(LOSSY) // 2],
        LOSSY + b"trailing",
        b"RIFF\xff\xff\xff\xff" + LOSSY[8:],
        LOSSY.replace(b"WEBP", b"WAVE", 1),
        riff(EXIF),
        riff(EXIF, PICTURE),
        riff(PICTURE, PICTURE),
        riff(chunk(b"VP8L", b"\x30" + LOSSLESS[21:])),
        riff(chunk(b"VP8 ", b"\x01" + LOSSY[21:])),
        riff(chunk(b"VP8 ", b"short")),
        riff(b"VP8L\xff\xff\xff\xff" + LOSSLESS[20:]),
        extended(0, PICTURE, width=65),
        extended(0x02, PICTURE),
        riff(chunk(b"VP8X", b"\0" * 9), PICTURE),
        riff(PICTURE, *[chunk(b"OWN ", b"")] * 1_000),
    ],
    ids=[
        "nothing",
        "no chunks",
        "an error page",
        "a PNG",
        "cut by a byte",
        "half",
        "something behind the end",
        "a length of 4 GB",
        "another RIFF file",
        "no picture",
        "a picture that is not the first",
        "two pictures",
        "another signature",
        "no key frame",
        "a short frame",
        "a chunk of 4 GB",
        "two sizes",
        "animated",
        "a short extended header",
        "too many chunks",
    ],
)
def test_what_is_not_a_whole_webp_is_refused(image: bytes) -> None:
    """A file with any of these flaws never reaches the bucket."""
    with pytest.raises(BadModelResponse):
        webp_size(image)


def test_a_real_animation_is_refused() -> None:
    """No model of the registry makes one, and its viewers would see something else than its size says."""
    image = saved("WEBP", save_all=True, append_images=[Image.new("RGB", SIDES)], duration=100)
    with pytest.raises(BadModelResponse):
        webp_size(image)


def test_the_longest_image_is_bounded() -> None:
    """A file that is too long is refused before it is parsed."""
    room = MAX_BYTES - len(riff(PICTURE)) - 8
    assert webp_size(riff(PICTURE, chunk(b"OWN ", bytes(room)))) == SIDES
    with pytest.raises(BadModelResponse, match="length"):
        webp_size(riff(PICTURE, chunk(b"OWN ", bytes(room + 2))))


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_make_it_fail_otherwise(noise: bytes, framed: bool) -> None:  # noqa: FBT001
    """No bytes raise any other exception than `BadModelResponse`."""
    with pytest.raises(BadModelResponse):
        webp_size(riff(noise) if framed else noise)


# -- the mark ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("image", "flags"), [(LOSSY, 0x04), (LOSSLESS, 0x04), (TRANSPARENT, 0x14)])
def test_a_simple_file_gets_the_header_that_announces_the_mark(image: bytes, flags: int) -> None:
    """The picture is the same chunk as before; the flags say that there is XMP, and whether there is alpha."""
    (picture,) = chunks_of(image)
    header, *rest = chunks_of(webp_marked(image, PACKET))
    assert header == (b"VP8X", bytes([flags, 0, 0, 0, SIDES[0] - 1, 0, 0, SIDES[1] - 1, 0, 0]))
    assert rest == [picture, (b"XMP ", PACKET)]
    assert webp_size(webp_marked(image, PACKET)) == SIDES


def test_an_extended_file_keeps_its_chunks_and_its_flags() -> None:
    """The mark is the last chunk, as the specification orders them."""
    image = extended(0x18, PICTURE, EXIF)
    assert webp_marked(image, PACKET) == extended(0x1C, PICTURE, EXIF, XMP)


def test_an_image_that_a_vendor_has_marked_stays_as_it_is() -> None:
    """A manifest of C2PA would be invalid after any change; and there is one packet of XMP at most."""
    for mark in (C2PA, XMP):
        image = extended(0x04, PICTURE, mark)
        assert webp_marked(image, PACKET) is image


def test_other_xmp_is_told() -> None:
    """The caller stores such an image as it is."""
    with pytest.raises(NotMarked):
        webp_marked(extended(0x04, PICTURE, chunk(b"XMP ", FOREIGN)), PACKET)


@given(st.data())
def test_a_damaged_file_is_never_damaged_further(data: st.DataObject) -> None:
    """Any bytes are overwritten; whatever is accepted and marked keeps each of its chunks but for one flag."""
    damaged = bytearray(extended(0x08, EXIF, PICTURE))
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    image = bytes(damaged)
    try:
        size = webp_size(image)
        marked = webp_marked(image, PACKET)
    except (BadModelResponse, NotMarked):
        return
    assert webp_size(marked) == size
    assert chunks_of(marked)[-1] == (b"XMP ", PACKET)
    assert [each for each in chunks_of(image) if each[0] != b"VP8X"] == chunks_of(marked)[1:-1]
