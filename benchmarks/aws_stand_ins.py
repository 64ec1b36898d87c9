"""Stands in for Bedrock, S3, DynamoDB and SQS over TLS, in a process of its own, at as little cost as possible.

Every call succeeds, and a reply holds only what a function needs to go on.
`benchmarks/table_stand_in.py` answers for the table.
`python -m benchmarks.aws_stand_ins CERTIFICATE KEY` prints its address.
"""

import json
import os
import random
import ssl
import struct
import sys
import threading
import time
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from benchmarks.table_stand_in import Table

SIDE: Final = 1024
_TARGET: Final = "DynamoDB_20120810."


@lru_cache(maxsize=8)
def image(size: int) -> bytes:
    """Return a PNG of `size` bytes. Its pixels are noise, which compression cannot make smaller."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
    end = chunk(b"IEND", b"")
    noise = random.Random(size).randbytes(size - len(head) - len(end) - 12)  # noqa: S311 - the same in each run
    return head + chunk(b"IDAT", noise) + end


@lru_cache(maxsize=8)
def answer(size: int) -> bytes:
    """Return an answer of SDXL 1.0 with one image of `size` bytes."""
    artifact = {"seed": 3407, "base64": b64encode(image(size)).decode(), "finishReason": "SUCCESS"}
    return json.dumps({"result": "success", "artifacts": [artifact]}).encode()


class StandIns:
    """The state of the services: the size of the next image, the seconds that the model takes, and the calls so far.

    `stored` holds the headers of the image that every key of the bucket leads to; with None, no key has one.
    """

    def __init__(self) -> None:
        self.table = Table()
        self.image_bytes = 1_800_000
        self.model_seconds = 0.0
        self.stored: Mapping[str, str] | None = None
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def control(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Set what the services do from now on, and return the calls counted since it was last set."""
        with self._lock:
            counted = dict(self.counts)
            self.counts.clear()
            self.image_bytes = wanted.get("image_bytes", self.image_bytes)
            self.model_seconds = wanted.get("model_seconds", self.model_seconds)
        # The answer is made now, so that no call waits for it.
        answer(self.image_bytes)
        return counted

    def count(self, what: str, number: int = 1) -> None:
        """Add to the count of a call, or of something else."""
        with self._lock:
            self.counts[what] += number


class Handler(BaseHTTPRequestHandler):
    """Serves the calls of all services; `services` is what they know."""

    services: StandIns
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one write

    def do_POST(self) -> None:
        """Answer for Bedrock, DynamoDB or SQS, or take a control call."""
        body = self._body()
        target = self.headers.get("X-Amz-Target", "")
        if self.path == "/_control":
            self._send(200, json.dumps(self.services.control(json.loads(body))).encode())
        elif target.startswith(_TARGET):
            self._table(target.removeprefix(_TARGET), body)
        elif target.startswith("AmazonSQS."):
            self.services.count("sqs " + target.removeprefix("AmazonSQS."))
            self._send(200, b'{"MessageId":"m"}', kind="application/x-amz-json-1.0")
        else:
            self.services.count("bedrock InvokeModel")
            time.sleep(self.services.model_seconds)
            self._send(200, answer(self.services.image_bytes))

    def do_PUT(self) -> None:
        """Take an object."""
        self.services.count("s3 PutObject")
        self.services.count("bytes stored", len(self._body()))
        self._send(200, b"", headers={"ETag": '"e"'})

    def handle_expect_100(self) -> bool:
        """Let the client send its image: S3's clients wait for this."""
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()
        return True

    def do_HEAD(self) -> None:
        """Reply that the image is there under every key, or under none."""
        self.services.count("s3 HeadObject")
        self._send(404 if self.services.stored is None else 200, b"", headers=self.services.stored)

    def _table(self, operation: str, body: bytes) -> None:
        self.services.count(f"dynamodb {operation}")
        status, reply = self.services.table.answer(operation, json.loads(body))
        sent = json.dumps(reply).encode()
        # DynamoDB sends this checksum too, and the SDK compares it.
        headers = {"x-amz-crc32": str(zlib.crc32(sent))}
        self._send(status, sent, kind="application/x-amz-json-1.0", headers=headers)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # The SDK sends images so if it computes their checksum while it sends.
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(
        self,
        status: int,
        body: bytes,
        *,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Type": kind, "x-amzn-RequestId": "r", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Write nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback if a function was stopped in the middle of a call."""


def serve(services: StandIns, certificate: str, key: str) -> None:
    """Print the address, and serve until the process that started this one is gone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    Handler.services = services
    server = _Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(f"https://127.0.0.1:{server.server_port}", flush=True)
    parent = os.getppid()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.getppid() == parent:
        time.sleep(1)


if __name__ == "__main__":
    serve(StandIns(), *sys.argv[1:])
