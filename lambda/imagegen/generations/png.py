"""Checks an image's bytes before they are stored (is it a complete PNG, and how large is it?), and marks them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from imagegen.errors import BadModelResponse
from imagegen.generations.marks import NotMarked, says_generated

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">8sI4sII")
# The IEND chunk is the same in every PNG: no data, and so always the same checksum.
_TRAILER: Final = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_IHDR_LENGTH: Final = 13
# Signature 8, length 4, type 4, data 13; the checksum follows. See the PNG specification, "Chunk layout" and "IHDR".
_IHDR_END: Final = 29
MAX_SIDE: Final = 4096
"""In pixels: more than any model draws, and small enough for a viewer's memory."""
MAX_BYTES: Final = 20_000_000
"""In bytes: far more than an image of these models has."""


def png_size(image: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels of a complete PNG.

    Raises:
        BadModelResponse: the bytes are not a PNG, are cut short, or claim an impossible size.
    """
    if len(image) > MAX_BYTES or len(image) < _IHDR_END + 4 + len(_TRAILER):
        raise BadModelResponse("The model's image is not a PNG of a plausible length.")
    signature, length, kind, width, height = _HEADER.unpack_from(image)
    if signature != _SIGNATURE or kind != b"IHDR" or length != _IHDR_LENGTH:
        raise BadModelResponse("The model's image is not a PNG.")
    (checksum,) = struct.unpack_from(">I", image, _IHDR_END)
    # Only the header is checked. Decoding all pixels would cost more than it could tell about a complete file.
    if zlib.crc32(image[12:_IHDR_END]) != checksum:
        raise BadModelResponse("The model's image has a damaged PNG header.")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BadModelResponse("The model's image claims an impossible size.")
    if not image.endswith(_TRAILER):
        raise BadModelResponse("The model's image is cut short.")
    return width, height


# XMP specification, part 3, "PNG": an iTXt chunk with this keyword, not compressed, without language and translation.
_XMP_KEYWORD: Final = b"XML:com.adobe.xmp\0"
_XMP_HEADER: Final = _XMP_KEYWORD + b"\0\0\0\0"
_C2PA: Final = b"caBX"
_MAX_CHUNKS: Final = 20_000
"""More than an image of `MAX_BYTES` has in parts of 1,000 bytes. Encoders write parts of 8,192 bytes or more."""


def png_marked(image: bytes, packet: bytes) -> bytes:
    """Return a PNG that `png_size` accepted, with an XMP packet as its second chunk; all other chunks stay as they are.

    An image that holds a manifest of C2PA, or XMP that says that it is generated, is returned as it is.

    Raises:
        NotMarked: the chunks cannot be read, or there is XMP that says something else.
    """
    for kind, start, end in _chunks(image):
        # A manifest signs the whole file, so one more chunk would make the vendor's own mark invalid.
        if kind == _C2PA:
            return image
        if kind == b"iTXt" and image.startswith(_XMP_KEYWORD, start, end):
            if says_generated(image[start:end]):
                return image
            # A file has one packet at most: XMP specification, part 3, "PNG".
            raise NotMarked("other XMP")
    # Directly after the header, as XMP part 3 advises: whoever reads the beginning of the file finds it.
    place = _IHDR_END + 4
    # A view, because a slice of bytes is a copy.
    rest = memoryview(image)[place:]
    return b"".join((image[:place], _chunk(b"iTXt", _XMP_HEADER + packet), rest))


def _chunks(image: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each chunk, and where its data begin and end."""
    position = 8
    for _ in range(_MAX_CHUNKS):
        if position + 12 > len(image):
            break
        length, kind = struct.unpack_from(">I4s", image, position)
        start = position + 8
        position = start + length + 4
        if position > len(image):
            break
        yield kind, start, start + length
        if kind == b"IEND":
            if position == len(image):
                return
            break
    raise NotMarked("chunks that cannot be read")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
