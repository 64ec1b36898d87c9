"""Messages in AWS's event-stream encoding: botocore reads them, and each byte of them is ASCII."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from imagegen.http import event_stream


def read(message: bytes) -> tuple[dict[str, str], bytes]:
    """Return headers and payload of the only message, by botocore's own decoder, which checks both CRCs."""
    buffer = EventStreamBuffer()
    buffer.add_data(message)
    (only,) = list(buffer)
    headers: Any = only.headers
    return headers, only.payload


@pytest.mark.parametrize("length", [0, 1, 4, 100, 127, 128, 255, 256, 33_000, 70_001, 4_400_000])
def test_a_message_of_any_length_is_ascii_and_can_be_read(length: int) -> None:
    """The payload has the member, and the padding beside it."""
    text = "A" * length
    message = event_stream.chunk(f'"bytes":"{text}"'.encode())
    assert message.isascii()
    assert len(message) < length + 34_000
    headers, payload = read(message.encode("ascii"))
    assert headers == {
        ":event-type": "chunk",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    members = json.loads(payload)
    assert members.pop("p").isdecimal()
    assert members == {"bytes": text}


def test_many_messages_are_ascii() -> None:
    """Each content has other CRCs."""
    for number in range(300):
        message = event_stream.chunk(f'"bytes":"{number:x}"'.encode())
        assert json.loads(read(message.encode("ascii"))[1])["bytes"] == f"{number:x}"


def test_a_damaged_message_is_noticed() -> None:
    """So the reader above does check the CRCs."""
    message = event_stream.chunk(b'"bytes":"e30="').replace("e30=", "e31=")
    with pytest.raises(ChecksumMismatch):
        read(message.encode("ascii"))
