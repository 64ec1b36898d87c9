"""The `application/vnd.amazon.eventstream` encoding of a streamed answer.

A message is: total length, headers' length, CRC-32 of the two, headers, payload, CRC-32 of all before it.
https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
"""

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Final

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
STREAM_ERRORS: Final = (
    "internalServerException",
    "modelStreamErrorException",
    "validationException",
    "throttlingException",
    "modelTimeoutException",
    "serviceUnavailableException",
)
# The type number of a header value that is a string.
_STRING: Final = 7
# Two lengths and two CRC-32s, four bytes each.
_AROUND_HEADERS_AND_PAYLOAD: Final = 16


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one message with string headers."""
    block = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", _AROUND_HEADERS_AND_PAYLOAD + len(block) + len(payload), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return message + struct.pack(">I", zlib.crc32(message))


def chunk(part: bytes) -> bytes:
    """Return the `chunk` event that carries a part of the model's answer."""
    payload = json.dumps({"bytes": base64.b64encode(part).decode("ascii")}).encode()
    return encode(
        {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, payload
    )


def failure(name: str, message: str) -> bytes:
    """Return the event by which a stream that has begun fails, `name` being one of STREAM_ERRORS."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return encode(headers, json.dumps({"message": message}).encode())


def _header(name: str, value: str) -> bytes:
    encoded_name, encoded_value = name.encode(), value.encode()
    return b"".join(
        (
            struct.pack(">B", len(encoded_name)),
            encoded_name,
            struct.pack(">BH", _STRING, len(encoded_value)),
            encoded_value,
        )
    )
