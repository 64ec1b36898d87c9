"""Serves the playground on 127.0.0.1, with the headers that CloudFront adds in an account."""

import argparse
import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from stacks import playground_site as site
from stacks.stage import LOCAL_STAGE
from tools.checkout import CHECKOUT

SECONDS_FOR_A_REQUEST: Final = 60


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(
        prog="python -m local.page_server", description="The playground, on this machine."
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--api-url", required=True, help="the base URL of the API")
    parser.add_argument(
        "--aws", required=True, help="the origin of the emulator: of the API and of the bucket"
    )
    parser.add_argument("--cert", type=Path, help="a certificate, to speak TLS")
    parser.add_argument("--key", type=Path, help="its private key")
    arguments = parser.parse_args()
    with server(
        port=arguments.port,
        api_url=arguments.api_url,
        aws=arguments.aws,
        root=CHECKOUT,
        tls=arguments.cert is not None,
    ) as serving:
        if arguments.cert:
            speak_tls(serving, certificate=arguments.cert, key=arguments.key)
        serving.serve_forever()


def server(*, port: int, api_url: str, aws: str, root: Path, tls: bool) -> ThreadingHTTPServer:
    """Return a server of the page on this port of 127.0.0.1; port 0 takes a free one."""
    document = json.dumps(site.config(api_url=api_url, stage=LOCAL_STAGE)).encode()
    headers = security_headers(aws=aws, tls=tls)

    class Handler(BaseHTTPRequestHandler):
        """Replies to GET and HEAD."""

        protocol_version = "HTTP/1.1"
        timeout = SECONDS_FOR_A_REQUEST

        def do_GET(self) -> None:
            """Send a file of the page."""
            status, type_, body = _reply(self.path, root=root, document=document)
            self._send(status, {"Content-Type": type_, **headers}, body)

        def do_HEAD(self) -> None:
            """Send the headers of a file."""
            self.do_GET()

        def version_string(self) -> str:
            """Name no program and no version."""
            return "imagegen"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Log nothing: a path may be typed by anybody."""

        def _send(self, status: HTTPStatus, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def speak_tls(serving: ThreadingHTTPServer, *, certificate: Path, key: Path) -> None:
    """Let a server that does not serve yet speak TLS with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # Each connection shakes hands in its own thread, so a client that stops half-way holds up no other.
    serving.socket = context.wrap_socket(serving.socket, server_side=True, do_handshake_on_connect=False)


def security_headers(*, aws: str, tls: bool) -> dict[str, str]:
    """Return the headers of every reply: those of the response headers policy in an account."""
    headers = {
        "Cache-Control": site.CACHE_CONTROL,
        "Content-Security-Policy": site.content_security_policy(sources=(aws,)),
        "Cross-Origin-Opener-Policy": site.OPENER,
        "Permissions-Policy": site.PERMISSIONS,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    # A browser ignores it over http.
    return headers | ({"Strict-Transport-Security": f"max-age={site.TRANSPORT_SECONDS}"} if tls else {})


def _reply(target: str, *, root: Path, document: bytes) -> tuple[HTTPStatus, str, bytes]:
    """Return the status, type and content for a request's target; only files of the list can be read."""
    name = unquote(urlsplit(target).path).removeprefix("/") or site.INDEX
    if name == site.CONFIG:
        return HTTPStatus.OK, site.TYPES[".json"], document
    found = site.files(root).get(name)
    if found is None:
        return HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"There is no such page.\n"
    return HTTPStatus.OK, site.TYPES[PurePosixPath(name).suffix], found.read_bytes()


if __name__ == "__main__":
    main()
