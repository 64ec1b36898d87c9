"""Checks an image's bytes before they are stored (is it a complete JPEG, and how large is it?), and marks them.

Markers and segments follow ITU-T T.81, annex B. Only the segments in front of the pixels are read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from imagegen.errors import BadModelResponse
from imagegen.generations.marks import NotMarked, says_generated
from imagegen.generations.png import MAX_BYTES, MAX_SIDE

_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_SCAN: Final = 0xDA
_APP0: Final = 0xE0
_APP1: Final = 0xE1
_APP11: Final = 0xEB
# Start of frame, in each way of coding; 0xC4, 0xC8 and 0xCC between them mean something else.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_FRAME: Final = struct.Struct(">xHHx")
"""Precision, height, width and the number of components."""
# A marker and the length of its segment, which counts itself.
_SEGMENT: Final = struct.Struct(">BBH")
_LENGTH_SIZE: Final = 2
_PREFIX: Final = 0xFF
# Only these have segments; the ten in between are restarts, start and end of the image.
_MARKERS: Final = frozenset(range(0xC0, 0xFF)) - frozenset(range(0xD0, 0xDA))
# XMP specification, part 3, "JPEG"; and Exif, which stands before it.
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF: Final = b"Exif\0"
_MAX_SEGMENT: Final = 65_535
_MAX_SEGMENTS: Final = 2_000
"""A color profile of 16 MB and a few more."""


def jpeg_size(image: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels of a complete JPEG.

    Raises:
        BadModelResponse: the bytes are not a JPEG, are cut short, or claim an impossible size.
    """
    if len(image) > MAX_BYTES or not image.startswith(_START):
        raise BadModelResponse("The model's image is not a JPEG of a plausible length.")
    size = None
    for marker, start, end in _segments(image):
        if marker in _FRAMES and size is None and end - start >= _FRAME.size:
            height, width = _FRAME.unpack_from(image, start)
            size = width, height
    if size is None:
        raise BadModelResponse("The model's image has no JPEG header.")
    if not (0 < size[0] <= MAX_SIDE and 0 < size[1] <= MAX_SIDE):
        raise BadModelResponse("The model's image claims an impossible size.")
    if not image.endswith(_END):
        raise BadModelResponse("The model's image is cut short.")
    return size


def jpeg_marked(image: bytes, packet: bytes) -> bytes:
    """Return a JPEG that `jpeg_size` accepted, with an XMP packet in an APP1 segment; all other bytes stay as they are.

    An image that holds a manifest of C2PA, or XMP that says that it is generated, is returned as it is.

    Raises:
        NotMarked: there is XMP that says something else, or the packet is too long for a segment.
    """
    place, leading = len(_START), True
    for marker, start, end in _segments(image):
        # A manifest signs the whole file, so one more segment would make the vendor's own mark invalid.
        if marker == _APP11 and image.startswith(b"JP", start, end):
            return image
        if marker == _APP1 and image.startswith(_XMP, start, end):
            if says_generated(image[start:end]):
                return image
            raise NotMarked("other XMP")
        # JFIF and Exif each want to be the first segment; the packet comes behind them.
        leading = leading and (marker == _APP0 or (marker == _APP1 and image.startswith(_EXIF, start, end)))
        place = end if leading else place
    data = _XMP + packet
    length = len(data) + _LENGTH_SIZE
    if length > _MAX_SEGMENT:
        raise NotMarked("a packet too long for a segment")
    # A view, because a slice of bytes is a copy.
    rest = memoryview(image)[place:]
    return b"".join((image[:place], _SEGMENT.pack(_PREFIX, _APP1, length), data, rest))


def _segments(image: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker of each segment up to the first scan, and where its data begin and end.

    Raises:
        BadModelResponse: there is no scan behind whole segments.
    """
    position = len(_START)
    for _ in range(_MAX_SEGMENTS):
        # More bytes 0xFF may stand before a marker.
        if image.startswith(b"\xff\xff", position):
            position += 1
            continue
        start = position + _SEGMENT.size
        if start > len(image):
            break
        prefix, marker, length = _SEGMENT.unpack_from(image, position)
        end = start - _LENGTH_SIZE + length
        if prefix != _PREFIX or marker not in _MARKERS or length < _LENGTH_SIZE or end > len(image):
            break
        yield marker, start, end
        if marker == _SCAN:
            return
        position = end
    raise BadModelResponse("The model's image has a damaged JPEG header.")
