"""Checks an image's bytes before they are stored: is it a complete PNG, and how large is it?"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from imagegen.errors import BadModelResponse

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
