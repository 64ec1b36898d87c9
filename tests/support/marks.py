"""The mark in an image, as its XMP packet says it, and hostile pieces of image files."""

from __future__ import annotations

import struct
import zlib
from typing import Final
from xml.etree import ElementTree as ET

from imagegen.generations.marks import packet

GENERATED: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for generated media, written out, so that a changed constant is noticed."""
PACKET: Final = packet(id_="gen_" + "a" * 26, model="stability.stable-image-core-v1:1")
FOREIGN: Final = PACKET.replace(b"trainedAlgorithmicMedia", b"digitalCapture")
"""A packet of somebody else's that says something else."""

_SPACES: Final = {
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
}


def properties(xmp: bytes) -> dict[str, str | None]:
    """Return the properties of an XMP packet, by their usual names."""
    (description,) = ET.fromstring(xmp).iter(  # noqa: S314 - the test's own packet
        "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
    )
    found = {}
    for element in description:
        space, name = element.tag[1:].split("}")
        found[f"{_SPACES[space]}:{name}"] = element.text
    return found


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_chunks(image: bytes) -> list[tuple[bytes, bytes]]:
    """Return type and data of each chunk of a PNG, and check each checksum."""
    found, position = [], 8
    while position < len(image):
        length, kind = struct.unpack_from(">I4s", image, position)
        data = image[position + 8 : position + 8 + length]
        assert image[position : position + 12 + length] == png_chunk(kind, data)
        found.append((kind, data))
        position += 12 + length
    return found


def png_xmp(image: bytes) -> bytes:
    """Return the only XMP packet of a PNG."""
    (data,) = (data for kind, data in png_chunks(image) if kind == b"iTXt")
    return data.removeprefix(b"XML:com.adobe.xmp\0\0\0\0\0")
