"""OpenAI's client for JavaScript works in a page of another origin: its preflight passes, and it loses no error."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from tests.support import pages
from tests.support.client_programs import FOLDER
from tests.support.deployed_stack import StandIn
from tests.support.packages import node_packages
from tests.support.pages import DOWNLOAD, PNG, SHOW, Web

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.local_instances import Instance

PROMPT = "Sri lanka tea plantation."
GENERATE = """
async ([baseURL, apiKey, request, options]) => {
    const {default: OpenAI} = await import("/openai/index.mjs");
    const client = new OpenAI({baseURL, apiKey, dangerouslyAllowBrowser: true});
    try {
        return {data: (await client.images.generate(request, options)).data};
    } catch (error) {
        const kinds = Object.keys(OpenAI).filter(name => OpenAI[name] === error.constructor);
        return {error: {kinds, message: error.message, code: error.code, requestID: error.requestID}};
    }
}
"""
OF_THE_CLIENT = {
    "authorization",
    "content-type",
    "x-stainless-arch",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
}
"""The headers for which the browser asks the service, because the client sends them."""


@pytest.fixture(scope="module")
def web(create_instance: Callable[[str], Instance]) -> Iterator[Web]:
    """Deploy a service that allows one origin by name, which serves the client's files as they are in its package."""
    package = node_packages(FOLDER / "node/openai-browser/package.json") / "node_modules/openai"
    with pages.running_web(create_instance("browser"), folders={"/openai/": package}) as running:
        yield running


@pytest.fixture
def page(web: Web) -> Iterator[Page]:
    """Open the page that the service allows."""
    with pages.opened_page(web) as opened:
        yield opened


@pytest.fixture
def stand_in_of_web(web: Web) -> Iterator[StandIn]:
    """The stand-in model of the service that allows the page."""
    with httpx.Client(base_url=web.bedrock_url, trust_env=False, timeout=120) as client:
        control = StandIn(client=client)
        control.reset()
        yield control
        control.reset()


def test_a_page_shows_and_fetches_the_picture_behind_the_url(web: Web, page: Page) -> None:
    """The API is on a second host, and the picture on a third one."""
    request = {"model": "dall-e-3", "prompt": PROMPT}
    made = page.evaluate(GENERATE, [web.api_url, web.api_key, request, {}])
    url = made["data"][0]["url"]
    assert page.evaluate(SHOW, url) == [1024, 1024]
    fetched = page.evaluate(DOWNLOAD, [url, None])
    assert (fetched["status"], fetched["start"]) == (200, PNG)


def test_a_page_shows_the_picture_in_base64(web: Web, page: Page) -> None:
    """It is in the reply of a model of the present."""
    request = {"model": "gpt-image-1", "prompt": PROMPT}
    made = page.evaluate(GENERATE, [web.api_url, web.api_key, request, {}])
    encoded = made["data"][0]["b64_json"]
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
        assert image.format == "PNG"
    assert page.evaluate(SHOW, f"data:image/png;base64,{encoded}") == [1024, 1024]


def test_the_preflight_allows_every_header_of_the_client(web: Web, page: Page) -> None:
    """The browser asks for each of them by name before it sends the request. A time-out of one's own adds one."""
    asked, allowed = preflights(page)
    request = {"model": "dall-e-3", "prompt": PROMPT}
    made = page.evaluate(GENERATE, [web.api_url, web.api_key, request, {"timeout": 60_000}])
    assert asked == [OF_THE_CLIENT]
    assert [OF_THE_CLIENT - each for each in allowed] == [set()]
    assert made["data"][0]["url"]


def preflights(page: Page) -> tuple[list[set[str]], list[set[str]]]:
    """Return two lists that fill: the headers that each preflight of the page asks for, and those it is allowed."""
    asked: list[set[str]] = []
    allowed: list[set[str]] = []
    devtools = page.context.new_cdp_session(page)

    def on_request(event: dict[str, Any]) -> None:
        if event["request"]["method"] == "OPTIONS":
            asked.append(listed_names(event["request"]["headers"], "access-control-request-headers"))

    def on_reply(event: dict[str, Any]) -> None:
        if event["type"] == "Preflight":
            allowed.append(listed_names(event["response"]["headers"], "access-control-allow-headers"))

    devtools.on("Network.requestWillBeSent", on_request)
    devtools.on("Network.responseReceived", on_reply)
    devtools.send("Network.enable")
    return asked, allowed


def listed_names(headers: dict[str, str], header: str) -> set[str]:
    """Return the names that a header lists, in lower case."""
    listed = next((value for name, value in headers.items() if name.lower() == header), "")
    return {name.strip().lower() for name in listed.split(",")}


def test_a_refused_request_raises_the_clients_own_error(web: Web, page: Page) -> None:
    """It has this service's sentence and code, and the id by which the operator finds the request."""
    made = page.evaluate(GENERATE, [web.api_url, web.api_key, {"model": "gpt-image-1", "prompt": ""}, {}])
    error = made["error"]
    assert (error["kinds"], error["code"]) == (["BadRequestError"], "invalid_parameter")
    assert "prompt must be a string of 1 to" in error["message"]
    assert error["requestID"]


def test_a_wrong_key_raises_the_clients_own_error(web: Web, page: Page) -> None:
    """The gateway refuses it, and lets the page read why."""
    request = {"model": "gpt-image-1", "prompt": PROMPT}
    error = page.evaluate(GENERATE, [web.api_url, "not-a-key-0123456789", request, {}])["error"]
    assert error["kinds"] == ["AuthenticationError"]
    assert "Send it as x-api-key or as a bearer token" in error["message"]
    assert error["requestID"]


def test_what_may_have_been_paid_is_not_repeated_by_the_client(
    web: Web, page: Page, stand_in_of_web: StandIn
) -> None:
    """The page may read `X-Should-Retry`. Without it the client would repeat a 5xx twice."""
    stand_in_of_web.set_rules({"action": {"type": "error", "name": "InternalServerException"}})
    request = {"model": "gpt-image-1", "prompt": PROMPT}
    error = page.evaluate(GENERATE, [web.api_url, web.api_key, request, {}])["error"]
    assert error["kinds"] == ["InternalServerError"]
    assert stand_in_of_web.calls()["billed"] == 1
