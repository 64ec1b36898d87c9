"""The server of the playground: the files of the page, nothing else, and the headers of an account."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from imagegen.contracts.text_to_image.parameters import STYLE_PRESETS
from local import page_server
from stacks import playground_site as site
from tools.checkout import CHECKOUT

AWS = "http://127.0.0.1:4566"
MOST_BYTES = 150_000
FILES = site.files(CHECKOUT)
STYLE_PICTURES = {name for name in FILES if name.startswith("style-pictures/")}


@pytest.fixture(scope="module")
def page() -> Iterator[httpx.Client]:
    """A client of the server, which runs in this process."""
    with page_server.server(port=0, api_url=f"{AWS}/v1", aws=AWS, root=CHECKOUT, tls=False) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            yield client
        server.shutdown()
        thread.join()


def policy_of(reply: httpx.Response) -> dict[str, set[str]]:
    """Return the directives of the content security policy."""
    parts = [part.split() for part in reply.headers["Content-Security-Policy"].split(";")]
    return {name: set(sources) for name, *sources in parts}


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_is_served_with_its_type(page: httpx.Client, name: str) -> None:
    """A browser runs no module and shows no picture of another type, because of `nosniff`."""
    reply = page.get(f"/{name}")
    assert reply.status_code == 200
    assert reply.content == FILES[name].read_bytes()
    assert reply.headers["Content-Type"] == site.TYPES[Path(name).suffix]


def test_the_address_alone_is_the_page(page: httpx.Client) -> None:
    """HEAD says the same without the content."""
    assert page.get("/").text == (CHECKOUT / "web" / "index.html").read_text(encoding="utf-8")
    assert page.head("/").headers["Content-Length"] == page.get("/").headers["Content-Length"]
    assert page.head("/").content == b""


def test_the_configuration_names_the_api(page: httpx.Client) -> None:
    """The page learns there whom to call."""
    assert page.get("/config.json").json() == {"api_url": f"{AWS}/v1", "stage": "local"}


@pytest.mark.parametrize(
    "path",
    [
        "/../cdk.json",
        "/..%2fcdk.json",
        "/%2e%2e/cdk.json",
        "//etc/passwd",
        "/vendor/",
        "/app",
        "/vendor/../../cdk.json",
    ],
)
def test_nothing_but_the_page_can_be_read(page: httpx.Client, path: str) -> None:
    """Neither the checkout nor the machine; httpx would tidy the path, so it is sent as it is."""
    with socket.create_connection((page.base_url.host, page.base_url.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        with connection.makefile("rb") as reply:
            assert b" 404 " in reply.readline()


@pytest.mark.parametrize("path", ["/", "/config.json", "/absent"])
def test_every_reply_has_the_security_headers(page: httpx.Client, path: str) -> None:
    """Nothing comes from elsewhere but from the API and the bucket; no script and no style stands in the page."""
    reply = page.get(path)
    policy = policy_of(reply)
    assert policy["default-src"] == {"'none'"}
    assert policy["script-src"] == policy["style-src"] == {"'self'"}
    assert policy["img-src"] == policy["connect-src"] == {"'self'", AWS}
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == {"'none'"}
    assert "unsafe" not in reply.headers["Content-Security-Policy"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert "Strict-Transport-Security" not in reply.headers
    assert "Python" not in reply.headers["Server"]


def test_over_https_the_browser_remembers_to_come_by_https() -> None:
    """That is the strict mode, and an account."""
    assert page_server.security_headers(aws=AWS, tls=True)["Strict-Transport-Security"] == "max-age=31536000"


def test_a_method_that_changes_something_is_refused(page: httpx.Client) -> None:
    """The server only reads."""
    assert page.post("/", content=b"x").status_code == 501


def test_the_page_is_small() -> None:
    """All that it loads itself, but for the pictures of the styles, which it loads when they are looked at."""
    assert sum(FILES[name].stat().st_size for name in FILES.keys() - STYLE_PICTURES) < MOST_BYTES


def test_every_style_has_a_small_picture_and_no_picture_is_left_over() -> None:
    """A style that is added gets one by `python -m local.painter.style_pictures web/style-pictures`."""
    assert {f"style-pictures/{style}.webp" for style in STYLE_PRESETS} == STYLE_PICTURES
    assert all(FILES[name].stat().st_size < 4_000 for name in STYLE_PICTURES)


def test_every_module_is_asked_for_at_once(page: httpx.Client) -> None:
    """Otherwise a browser learns of a module only when it has read the one that needs it."""
    html = page.get("/").text
    asked = set(re.findall(r'<(?:link rel="modulepreload" href|script type="module" src)="([^"]+)"', html))
    assert asked == {name for name in FILES if name.endswith(".js")}


def test_the_page_names_no_other_host_and_has_no_script_in_it() -> None:
    """Whatever it loads is beside it; the libraries are served under /vendor/."""
    own = {
        name: path.read_text(encoding="utf-8")
        for name, path in FILES.items()
        if path.suffix in {".html", ".js", ".css"}
    }
    loaded = re.compile(r"""(?:src|href|from|import)\s*[=(]?\s*["'](?:https?:)?//|url\(""")
    assert not [name for name, text in own.items() if loaded.search(text)]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", own["index.html"])


def test_a_library_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    """It says what to run."""
    (tmp_path / "web").mkdir()
    with pytest.raises(site.SiteError, match=r"htm\.mjs, which is not installed: run `make set-up`"):
        site.files(tmp_path)


def test_a_client_that_says_nothing_holds_up_no_other(tmp_path: Path) -> None:
    """In the strict mode, each connection shakes hands by itself."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from local import certificates  # noqa: PLC0415

    made = certificates.ensure(tmp_path / "tls", now=datetime.now(tz=UTC))
    with page_server.server(port=0, api_url=f"{AWS}/v1", aws=AWS, root=CHECKOUT, tls=True) as server:
        page_server.speak_tls(server, certificate=made.certificate, key=made.key)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with socket.create_connection(("127.0.0.1", server.server_port)):
            trust = ssl.create_default_context(cafile=str(made.authority))
            reply = httpx.get(
                f"https://127.0.0.1:{server.server_port}/", verify=trust, trust_env=False, timeout=60
            )
        server.shutdown()
        thread.join()
    assert reply.headers["Strict-Transport-Security"]
