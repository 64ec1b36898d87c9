"""A real browser: a page of one origin calls the API of a second one, and takes the image from a third one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest

from local.aws import client_options
from tests.support import pages
from tests.support.pages import Bucket

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from local.state import State
    from tests.support.local_instances import Instance

TEA = {"text_prompts": [{"text": "Sri lanka tea plantation."}]}
GENERATE = """
async ([api, key, body]) => {
    const headers = {"x-api-key": key, "content-type": "application/json", "idempotency-key": crypto.randomUUID(),
                     "cache-control": "no-cache", "authorization": `Bearer ${key}`, "x-stainless-os": "Unknown"};
    const reply = await fetch(`${api}/text-to-image`, {method: "POST", headers, body: JSON.stringify(body)});
    return {status: reply.status, requestId: reply.headers.get("x-request-id"), body: await reply.json()};
}
"""
SHOW = """
url => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
    image.onerror = () => reject(new Error("The image cannot be shown."));
    document.body.append(image);
    image.src = url;
})
"""
DOWNLOAD = """
async ([url, key]) => {
    const reply = await fetch(url, key ? {headers: {"x-api-key": key}} : {});
    const bytes = new Uint8Array(await reply.arrayBuffer());
    return {status: reply.status, size: bytes.length, start: Array.from(bytes.slice(1, 4))};
}
"""
PIXELS = """
async url => {
    const image = new Image();
    image.crossOrigin = "anonymous";
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return new Set(context.getImageData(0, 0, canvas.width, canvas.height).data).size;
}
"""
IS_REFUSED = """
async ([url, key]) => {
    try { await fetch(url, {headers: {"x-api-key": key}}); return false } catch { return true }
}
"""
PNG = [*b"PNG"]


@dataclass(frozen=True, kw_only=True)
class Web:
    """The addresses as the browser sees them, the key, and the browser."""

    page_url: str
    stranger_url: str
    api_url: str
    api_key: str
    bucket: Bucket
    browser: Browser


@pytest.fixture(scope="module")
def web(create_instance: Callable[[str], Instance]) -> Iterator[Web]:
    """Deploy a service that allows one origin by name, and start the browser."""
    with ExitStack() as stack:
        pages.chromium()  # says what is missing before anything is deployed
        page_port = stack.enter_context(pages.serving(pages.files({})))
        page_url = f"http://app.localhost:{page_port}"
        instance = create_instance("browser")
        stack.callback(instance.down)
        state = instance.up(STRICT="0", CONFIG=f"cors_origins={page_url}")
        port = instance.emulator_port
        bucket = Bucket(port=port, rules=cors_rules(state))
        front = stack.enter_context(pages.serving(bucket.handler()))
        address = f"127.0.0.1:{port}"
        yield Web(
            page_url=page_url,
            stranger_url=f"http://other.localhost:{page_port}",
            api_url=f"http://{api_id(state)}.execute-api.localhost:{port}/{urlsplit(state.api_url).path.strip('/')}",
            api_key=state.api_key,
            bucket=bucket,
            browser=stack.enter_context(pages.running_browser(resolve={address: f"127.0.0.1:{front}"})),
        )


def cors_rules(state: State) -> list[dict[str, Any]]:
    """Return the CORS rules of the deployed bucket."""
    s3 = boto3.client("s3", **client_options(endpoint_url=state.aws_endpoint_url, ca_bundle=None))
    rules: list[dict[str, Any]] = s3.get_bucket_cors(Bucket=state.bucket)["CORSRules"]
    return rules


def api_id(state: State) -> str:
    """Return the id of the deployed API, which is part of its host name."""
    gateway = boto3.client(
        "apigateway", **client_options(endpoint_url=state.aws_endpoint_url, ca_bundle=None)
    )
    return str(gateway.get_rest_apis()["items"][0]["id"])


@pytest.fixture
def page(web: Web) -> Iterator[Page]:
    """Open the page in a profile of its own, with an empty cache."""
    with web.browser.new_context() as context:
        context.set_default_timeout(120_000)
        opened = context.new_page()
        opened.goto(web.page_url)
        yield opened


@pytest.fixture
def made(web: Web, page: Page) -> dict[str, Any]:
    """Make an image from the page and return the reply's body."""
    reply = page.evaluate(GENERATE, [web.api_url, web.api_key, TEA])
    assert reply["status"] == 200, reply
    body: dict[str, Any] = reply["body"]
    return body


def test_a_page_makes_an_image_and_reads_the_headers_of_the_reply(web: Web, page: Page) -> None:
    """The preflight allows the headers of clients, and the request id may be read."""
    reply = page.evaluate(GENERATE, [web.api_url, web.api_key, TEA])
    assert (reply["status"], reply["body"]["status"]) == (200, "succeeded")
    assert reply["requestId"]


def test_a_page_reads_why_it_was_refused(web: Web, page: Page) -> None:
    """That holds for the function's refusals, and for those of the gateway itself."""
    bad = page.evaluate(GENERATE, [web.api_url, web.api_key, {**TEA, "steps": 1}])
    assert (bad["status"], bad["body"]["code"]) == (400, "invalid_parameter")
    strange = page.evaluate(GENERATE, [web.api_url, "not-a-key-0123456789", TEA])
    assert (strange["status"], strange["body"]["code"]) == (401, "unauthorized")


def test_an_image_that_was_shown_can_be_fetched_and_drawn(page: Page, made: dict[str, Any]) -> None:
    """What the browser kept of the first, without CORS headers, would fail the two that need them."""
    url = made["artifacts"][0]["url"]
    assert page.evaluate(SHOW, url) == [1024, 1024]
    fetched = page.evaluate(DOWNLOAD, [url, None])
    assert (fetched["status"], fetched["size"]) == (200, made["artifacts"][0]["bytes"])
    assert fetched["start"] == PNG
    assert page.evaluate(SHOW, url) == [1024, 1024]
    assert page.evaluate(PIXELS, url) > 10


def test_the_redirect_to_the_image_can_be_followed(web: Web, page: Page, made: dict[str, Any]) -> None:
    """Behind it the browser says that it comes from nowhere."""
    fetched = page.evaluate(DOWNLOAD, [f"{web.api_url}/generations/{made['id']}/image", web.api_key])
    assert (fetched["status"], fetched["start"]) == (200, PNG)
    assert web.bucket.origins[-1] == "null"


def test_a_link_saves_the_image_under_the_name_that_was_asked_for(
    web: Web, page: Page, made: dict[str, Any]
) -> None:
    """The page asks for the address, because a link cannot carry the API key."""
    name = "my téa 50%.png"
    with page.expect_response(lambda reply: "/images/" in reply.url) as answered:
        page.evaluate(
            DOWNLOAD,
            [
                f"{web.api_url}/generations/{made['id']}/image?download={name.replace('%', '%25')}",
                web.api_key,
            ],
        )
    with page.expect_download() as started:
        page.evaluate("url => { location.href = url }", answered.value.url)
    assert started.value.suggested_filename == name


def test_an_image_is_shown_by_its_url_alone(page: Page, made: dict[str, Any]) -> None:
    """It is inline, so a tab shows it; a browser offers a sensible name to whoever saves it."""
    reply = page.goto(made["artifacts"][0]["url"])
    assert reply is not None
    assert reply.headers["content-disposition"] == f'inline; filename="imagegen-{made["id"]}.png"'
    assert page.evaluate("document.images.length") == 1


def test_a_machine_without_a_browser_is_told_what_to_install() -> None:
    """These tests fail there; they are not passed over."""
    with pytest.raises(pages.NoBrowserError, match=r"need Chromium, .*apt-get install chromium"):
        pages.chromium(path="")


def test_a_page_of_another_origin_is_refused(web: Web, page: Page) -> None:
    """Only the origins in `cors_origins` may call the API."""
    assert not page.evaluate(IS_REFUSED, [f"{web.api_url}/models", web.api_key])
    page.goto(web.stranger_url)
    assert page.evaluate(IS_REFUSED, [f"{web.api_url}/models", web.api_key])
