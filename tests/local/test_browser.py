"""A real browser: a page of one origin calls the API of a second one, and takes the image from a third one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import pages
from tests.support.pages import DOWNLOAD, PNG, SHOW, Web

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.deployed_stack import Stack
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


@pytest.fixture(scope="module")
def web(stack: Stack, create_instance: Callable[[str], Instance]) -> Iterator[Web]:
    """Start the browser for this module's tests."""
    with pages.web_of(stack, create_instance("browser")) as running:
        yield running


@pytest.fixture
def page(web: Web) -> Iterator[Page]:
    """Open the page that the service allows."""
    with pages.opened_page(web) as opened:
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
