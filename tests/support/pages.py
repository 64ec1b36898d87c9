"""A web page on an origin of its own, a service that allows it, and S3's behaviour towards browsers.

The tests that use it drive a real browser.
"""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3

from local.aws import client_options
from tests.support.local_instances import STRICT

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from local.state import State
    from tests.support.deployed_stack import Stack
    from tests.support.local_instances import Instance

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript"}
HOP_BY_HOP = frozenset({"connection", "content-length", "date", "server", "transfer-encoding", "vary"})

SHOW = """
url => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
    image.onerror = () => reject(new Error("The image cannot be shown."));
    document.body.append(image);
    image.src = url;
})
"""
"""Shows the image of a URL in the page, and returns its width and height."""
DOWNLOAD = """
async ([url, key]) => {
    const reply = await fetch(url, key ? {headers: {"x-api-key": key}} : {});
    const bytes = new Uint8Array(await reply.arrayBuffer());
    return {status: reply.status, size: bytes.length, start: Array.from(bytes.slice(1, 4))};
}
"""
"""Fetches a URL, with an API key if there is one."""
PNG = [*b"PNG"]
"""What `DOWNLOAD` returns as the start of a PNG."""


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
    # Here, because it takes long in every process that collects a test of browsers.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments, timeout=120_000)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], *, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve requests of 127.0.0.1 by this handler, with TLS if there is a context, and yield the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
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


@dataclass(frozen=True, kw_only=True)
class Web:
    """The addresses as the browser sees them, the key, and the browser."""

    page_url: str
    stranger_url: str
    api_url: str
    bedrock_url: str
    api_key: str
    bucket: Bucket
    browser: Browser


@contextmanager
def running_web(instance: Instance, *, folders: Mapping[str, Path]) -> Iterator[Web]:
    """Deploy a service that allows one origin by name, which serves these folders, and start the browser."""
    with ExitStack() as stack:
        chromium()  # says what is missing before anything is deployed
        page_url = stack.enter_context(page_served(folders))
        stack.callback(instance.down)
        state = instance.up(STRICT="0", CONFIG=f"cors_origins={page_url}")
        yield stack.enter_context(opened_web(state, page_url=page_url))


def web_of(stack: Stack, instance: Instance) -> AbstractContextManager[Web]:
    """Start the browser; where the stack is strict, deploy another one, because the bucket's front has no TLS."""
    if STRICT:
        return running_web(instance, folders={})
    return opened_web(stack.state, page_url=stack.page_url)


@contextmanager
def page_served(folders: Mapping[str, Path]) -> Iterator[str]:
    """Serve a page and these folders, and yield the page's origin."""
    with serving(files(folders)) as port:
        yield f"http://app.localhost:{port}"


@contextmanager
def opened_web(state: State, *, page_url: str) -> Iterator[Web]:
    """Start the browser for a service that allows this page's origin by name, without TLS."""
    with ExitStack() as stack:
        port = urlsplit(state.aws_endpoint_url).port
        assert port is not None
        bucket = Bucket(port=port, rules=_cors_rules(state))
        front = stack.enter_context(serving(bucket.handler()))
        address = f"127.0.0.1:{port}"
        path = urlsplit(state.api_url).path.strip("/")
        yield Web(
            page_url=page_url,
            stranger_url=page_url.replace("//app.", "//other."),
            api_url=f"http://{_api_id(state)}.execute-api.localhost:{port}/{path}",
            bedrock_url=state.bedrock_url,
            api_key=state.api_key,
            bucket=bucket,
            browser=stack.enter_context(running_browser(resolve={address: f"127.0.0.1:{front}"})),
        )


@contextmanager
def opened_page(web: Web) -> Iterator[Page]:
    """Open the page in a profile of its own, with an empty cache."""
    with web.browser.new_context() as context:
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.goto(web.page_url)
        yield page


def _cors_rules(state: State) -> list[dict[str, Any]]:
    """Return the CORS rules of the deployed bucket."""
    s3 = boto3.client("s3", **client_options(endpoint_url=state.aws_endpoint_url, ca_bundle=None))
    rules: list[dict[str, Any]] = s3.get_bucket_cors(Bucket=state.bucket)["CORSRules"]
    return rules


def _api_id(state: State) -> str:
    """Return the id of the deployed API, which is part of its host name."""
    gateway = boto3.client(
        "apigateway", **client_options(endpoint_url=state.aws_endpoint_url, ca_bundle=None)
    )
    return str(gateway.get_rest_apis()["items"][0]["id"])
