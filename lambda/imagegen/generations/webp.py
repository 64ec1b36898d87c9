"""Checks an image's bytes before they are stored (is it a complete WebP, and how large is it?), and marks them.

Chunks follow RFC 9649, "WebP Image Format". Only still images are accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from imagegen.errors import BadModelResponse
from imagegen.generations.marks import NotMarked, says_generated
from imagegen.generations.png import MAX_BYTES, MAX_SIDE

_FILE: Final = struct.Struct("<4sI4s")
"""`RIFF`, the length of everything behind it, and `WEBP`."""
_RIFF: Final = b"RIFF"
_WEBP: Final = b"WEBP"
_LENGTH_END: Final = 8
_CHUNK: Final = struct.Struct("<4sI")
_EXTENDED: Final = b"VP8X"
_LOSSY: Final = b"VP8 "
_LOSSLESS: Final = b"VP8L"
_XMP: Final = b"XMP "
_C2PA: Final = b"C2PA"
_CANVAS: Final = struct.Struct("<B3x3s3s")
"""Flags, and two sides less one: RFC 9649, section 2.7."""
_LOSSY_HEADER: Final = struct.Struct("<B2x3sHH")
"""The tag of a frame, the start code, and two sides of 14 bits with a scale: RFC 6386, section 9.1."""
_LOSSLESS_HEADER: Final = struct.Struct("<BI")
"""The signature, and in bits two sides less one of 14 bits each, and whether there is alpha: RFC 9649, section 3.4."""
_START_CODE: Final = b"\x9d\x01\x2a"
_LOSSLESS_SIGNATURE: Final = 0x2F
_SIDE: Final = 0x3FFF
_ALPHA_BIT: Final = 1 << 28
_ANIMATED_FLAG: Final = 0x02
_XMP_FLAG: Final = 0x04
_ALPHA_FLAG: Final = 0x10
_MAX_CHUNKS: Final = 1_000


def webp_size(image: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels of a complete WebP with one still image.

    Raises:
        BadModelResponse: the bytes are not such a WebP, are cut short, or claim an impossible size.
    """
    if len(image) > MAX_BYTES or len(image) < _FILE.size:
        raise BadModelResponse("The model's image is not a WebP of a plausible length.")
    riff, length, webp = _FILE.unpack_from(image)
    if (riff, webp) != (_RIFF, _WEBP):
        raise BadModelResponse("The model's image is not a WebP.")
    if length + _LENGTH_END != len(image):
        raise BadModelResponse("The model's image is cut short.")
    chunks = list(_chunks(image))
    canvas = _canvas(image, *chunks.pop(0)[1:]) if chunks and chunks[0][0] == _EXTENDED else None
    pictures = [chunk for chunk in chunks if chunk[0] in {_LOSSY, _LOSSLESS}]
    # Without the extended header the picture comes first: RFC 9649, section 2.5.
    if len(pictures) != 1 or (canvas is None and chunks[0] != pictures[0]):
        raise BadModelResponse("The model's image is not a WebP of one picture.")
    size = _picture_size(image, *pictures[0])
    if canvas not in {None, size}:
        raise BadModelResponse("The model's image claims two sizes.")
    if not (0 < size[0] <= MAX_SIDE and 0 < size[1] <= MAX_SIDE):
        raise BadModelResponse("The model's image claims an impossible size.")
    return size


def webp_marked(image: bytes, packet: bytes) -> bytes:
    """Return a WebP that `webp_size` accepted, with an XMP packet as its last chunk.

    The extended header announces the packet. A file without that header gets one; every other chunk stays as it is. An
    image that holds a manifest of C2PA, or XMP that says that it is generated, is returned as it is.

    Raises:
        NotMarked: there is XMP that says something else.
    """
    chunks = list(_chunks(image))
    for kind, start, end in chunks:
        # A manifest signs the whole file, so one more chunk would make the vendor's own mark invalid.
        if kind == _C2PA:
            return image
        if kind == _XMP:
            if says_generated(image[start:end]):
                return image
            raise NotMarked("other XMP")
    kind, start, end = chunks[0]
    if kind == _EXTENDED:
        # The flags are the first byte of the header's data.
        header = image[_FILE.size : start] + bytes([image[start] | _XMP_FLAG]) + image[start + 1 : end]
        place = end
    else:
        header, place = _extended_header(image, kind, start, end), _FILE.size
    # A view, because a slice of bytes is a copy.
    body = (header, memoryview(image)[place:], _chunk(_XMP, packet))
    length = _FILE.size - _LENGTH_END + sum(map(len, body))
    return b"".join((_FILE.pack(_RIFF, length, _WEBP), *body))


def _chunks(image: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each chunk, and where its data begin and end.

    Raises:
        BadModelResponse: the file does not end where its last chunk does.
    """
    position = _FILE.size
    for _ in range(_MAX_CHUNKS):
        if position == len(image):
            return
        start = position + _CHUNK.size
        if start > len(image):
            break
        kind, length = _CHUNK.unpack_from(image, position)
        # A chunk of an odd length has one byte of padding behind it.
        position = start + length + length % 2
        if position > len(image):
            break
        yield kind, start, start + length
    raise BadModelResponse("The model's image has damaged WebP chunks.")


def _canvas(image: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the size that the extended header claims."""
    if end - start != _CANVAS.size or image[start] & _ANIMATED_FLAG:
        raise BadModelResponse("The model's image is not a WebP of one picture.")
    _, width, height = _CANVAS.unpack_from(image, start)
    return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1


def _picture_size(image: bytes, kind: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the size in the header of the picture's own stream."""
    if kind == _LOSSY and end - start >= _LOSSY_HEADER.size:
        tag, code, width, height = _LOSSY_HEADER.unpack_from(image, start)
        # The lowest bit of a key frame's tag is 0.
        if not tag & 1 and code == _START_CODE:
            return width & _SIDE, height & _SIDE
    if kind == _LOSSLESS and end - start >= _LOSSLESS_HEADER.size:
        signature, bits = _LOSSLESS_HEADER.unpack_from(image, start)
        if signature == _LOSSLESS_SIGNATURE:
            return (bits & _SIDE) + 1, (bits >> 14 & _SIDE) + 1
    raise BadModelResponse("The model's image has no WebP header.")


def _extended_header(image: bytes, kind: bytes, start: int, end: int) -> bytes:
    """Return the header that a file of one chunk lacks; it says whether there is alpha, as the picture itself does."""
    flags = _XMP_FLAG
    if kind == _LOSSLESS and _LOSSLESS_HEADER.unpack_from(image, start)[1] & _ALPHA_BIT:
        flags |= _ALPHA_FLAG
    sides = ((side - 1).to_bytes(3, "little") for side in _picture_size(image, kind, start, end))
    return _chunk(_EXTENDED, _CANVAS.pack(flags, *sides))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return _CHUNK.pack(kind, len(data)) + data + b"\0" * (len(data) % 2)
