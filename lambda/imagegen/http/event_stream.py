"""Writes one message in AWS's event-stream encoding, in bytes that are also ASCII text.

See the Smithy specification, "Amazon Event Stream Specification": a prelude of two lengths and their CRC-32, headers,
a payload, and the CRC-32 of everything before. API Gateway decodes a binary reply only for a client whose `Accept`
names its media type, and boto3 sends no `Accept` for a stream. So the padding is chosen so that each byte of the
message is below 0x80, and the message passes as text: see docs/decisions/0055-bedrocks-own-shape.md.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import count
from typing import Final

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

_STRING: Final = 7
"""The number of the type of a header whose value is a text."""

_PRELUDE: Final = 12
_CRC: Final = 4
_LEAST_PADDING: Final = 8
"""So many digits give 10^8 paddings to choose from; every sixteenth has a usable CRC."""


def chunk(members: bytes) -> str:
    """Return one `chunk` event with these members of its JSON payload, such as `"bytes":"e30="`.

    The payload also gets a member `p` of digits, the padding, which clients of Bedrock ignore.
    """
    before, after = b"{" + members + b',"p":"', b'"}'
    fixed = _PRELUDE + len(_HEADERS) + len(before) + len(after) + _CRC
    for padding in count(_LEAST_PADDING):
        prelude = _prelude(fixed + padding)
        if prelude.isascii():
            break
    start = prelude + _HEADERS + before
    # A CRC can be continued, so the long part is read only once.
    crc = zlib.crc32(start)
    for end in _ends(padding, after):
        last = struct.pack(">I", zlib.crc32(end, crc))
        if last.isascii():
            break
    return (start + end + last).decode("ascii")


def _prelude(total: int) -> bytes:
    lengths = struct.pack(">II", total, len(_HEADERS))
    return lengths + struct.pack(">I", zlib.crc32(lengths))


def _ends(padding: int, after: bytes) -> Iterator[bytes]:
    return (f"{number:0{padding}}".encode("ascii") + after for number in count())


def _header(name: str, value: str) -> bytes:
    text = value.encode("ascii")
    return struct.pack(">B", len(name)) + name.encode("ascii") + struct.pack(">BH", _STRING, len(text)) + text


_HEADERS: Final = (
    _header(":event-type", "chunk")
    + _header(":content-type", "application/json")
    + _header(":message-type", "event")
)
