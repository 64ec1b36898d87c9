"""A web page on an origin of its own, and S3's behaviour towards browsers, for tests that drive a real one."""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript"}
HOP_BY_HOP = frozenset({"connection", "content-length", "date", "server", "transfer-encoding", "vary"})


class NoBrowserError(Exception):
    """Chromium is not installed; the message says how to install it."""


def chromium(*, path: str | None = None) -> str:
    """Return the path of Debian's Chromium; `path` replaces the variable PATH.

    Raises:
        NoBrowserError: there is none.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name, path=path):
            return found
    raise NoBrowserError(
        "The tests of browsers need Chromium, and there is none on PATH: install it"
        " (apt-get install chromium on Debian and Ubuntu) and run the tests again."
    )


@contextmanager
def running_browser(*, resolve: Mapping[str, str]) -> Iterator[Browser]:
    """Start Chromium without a window; it connects to `resolve[address]` instead of each `address` (host:port)."""
    rules = ",".join(f"MAP {address} {other}" for address, other in resolve.items())
    # No sandbox, because Chromium refuses to run as root with it; it only visits pages of the test.
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--host-resolver-rules={rules}"]
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments, timeout=120_000)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve requests of 127.0.0.1 by this handler, and yield the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class Quiet(BaseHTTPRequestHandler):
    """A handler that prints nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send one reply."""
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def files(folders: Mapping[str, Path]) -> type[BaseHTTPRequestHandler]:
    """Return a handler that serves an empty page at `/`, and the files of each folder below its path."""

    class Files(Quiet):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            for prefix, folder in folders.items():
                file = (folder / path.removeprefix(prefix)).resolve()
                if path.startswith(prefix) and file.is_relative_to(folder) and file.is_file():
                    self.reply(200, {"Content-Type": TYPES.get(file.suffix, "text/plain")}, file.read_bytes())
                    return
            self.reply(
                200 if path == "/" else 404,
                {"Content-Type": TYPES[".html"]},
                b"<!doctype html><title>x</title>",
            )

    return Files


@dataclass
class Bucket:
    """A bucket of the emulator as S3 shows it to browsers: with the bucket's own CORS rules.

    The emulator lets every page read everything. S3 sends CORS headers, and `Vary`, only to a request that has an
    `Origin` which a rule names: Amazon S3 user guide, "Using cross-origin resource sharing".
    """

    port: int
    rules: list[dict[str, Any]]
    origins: list[str | None] = field(default_factory=list)
    """The `Origin` of every request that came."""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the handler that stands in front of the emulator's port."""
        bucket = self

        class Front(Quiet):
            def do_GET(self) -> None:
                origin = self.headers["Origin"]
                bucket.origins.append(origin)
                connection = http.client.HTTPConnection("127.0.0.1", bucket.port, timeout=120)
                connection.request("GET", self.path, headers={"Host": f"127.0.0.1:{bucket.port}"})
                found = connection.getresponse()
                body = found.read()
                connection.close()
                own = {
                    name: value
                    for name, value in found.getheaders()
                    if name.lower() not in HOP_BY_HOP and not name.lower().startswith("access-control-")
                }
                self.reply(found.status, {**own, **bucket.cors(origin)}, body)

            def do_OPTIONS(self) -> None:
                # A preflight: the page's own headers, such as an API key, follow it through a redirect.
                allowed = bucket.cors(self.headers["Origin"])
                asked = self.headers["Access-Control-Request-Headers"]
                if allowed and asked:
                    allowed["Access-Control-Allow-Headers"] = asked
                self.reply(200 if allowed else 403, allowed, b"")

        return Front

    def cors(self, origin: str | None) -> dict[str, str]:
        """Return the headers that S3 adds for a page of this origin."""
        for rule in self.rules:
            allowed = rule["AllowedOrigins"]
            if origin and "GET" in rule["AllowedMethods"] and (origin in allowed or "*" in allowed):
                return {
                    "Access-Control-Allow-Origin": "*" if "*" in allowed else origin,
                    "Access-Control-Allow-Methods": ", ".join(rule["AllowedMethods"]),
                    "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
                }
        return {}
