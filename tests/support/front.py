"""A server with https in front of the deployed stack, which can fail a client's first attempts."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from local.certificates import Certificates, ensure, trust
from tests.support.pages import HOP_BY_HOP, Quiet, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.deployed_stack import Stack

Failure = Literal["refused", "reply lost"]
TIMEOUT: Final = 120.0
BUSY: Final = {"code": "model_throttled", "detail": "Bedrock takes no more calls at the moment."}


@dataclass(kw_only=True)
class Front:
    """Its address with the path of the API, its authority, and the idempotency key of each `POST` that came."""

    url: str = ""
    authority: Path
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def running(stack: Stack, *, folder: Path, failures: Sequence[Failure] = ()) -> Iterator[Front]:
    """Serve the API of the stack over https.

    Args:
        stack: What it stands in front of.
        folder: Where the certificates are made, unless the stack has its own.
        failures: What happens to the first attempts to `POST`: a refusal that cost nothing and may be repeated, or
            an image whose reply does not arrive.
    """
    now = dt.datetime.now(dt.UTC)
    files = Certificates(folder=stack.ca_bundle.parent) if stack.ca_bundle else ensure(folder, now=now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    front = Front(authority=files.authority)
    with serving(_handler(stack, front, failures), context=context) as port:
        front.url = f"https://127.0.0.1:{port}{urlsplit(stack.state.api_url).path}"
        yield front


def _handler(stack: Stack, front: Front, failures: Sequence[Failure]) -> type[Quiet]:
    upstream = urlsplit(stack.state.api_url)

    def connect() -> http.client.HTTPConnection:
        host, port = upstream.hostname or "", upstream.port
        if upstream.scheme == "https":
            return http.client.HTTPSConnection(host, port, context=trust(stack.ca_bundle), timeout=TIMEOUT)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)

    class Handler(Quiet):
        def do_GET(self) -> None:  # noqa: N802 - the base class calls it
            self.pass_on()

        def do_POST(self) -> None:  # noqa: N802 - likewise
            number = len(front.keys)
            front.keys.append(self.headers["idempotency-key"])
            failure = failures[number] if number < len(failures) else None
            if failure == "refused":
                self.rfile.read(int(self.headers["content-length"]))
                headers = {
                    "X-Should-Retry": "true",
                    "Retry-After": "0",
                    "Content-Type": "application/problem+json",
                }
                self.reply(503, headers, json.dumps(BUSY).encode())
            else:
                self.pass_on(lost=failure == "reply lost")

        def pass_on(self, *, lost: bool = False) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            connection = connect()
            sent = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, body, sent)
            found = connection.getresponse()
            content = found.read()
            connection.close()
            if lost:
                self.close_connection = True
                return
            kept = {name: value for name, value in found.getheaders() if name.lower() not in HOP_BY_HOP}
            self.reply(found.status, kept, content)

    return Handler
