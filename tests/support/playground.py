"""The playground in a real browser: what a person does there, and what the page must never do."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from operating.keys import Keys
from tests.support.stack_callers import keys_of
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route

    from tests.support.deployed_stack import Stack

PATIENCE_MS: Final = 120_000
"""What a page may take. A passing test goes on as soon as what it waits for is there."""
MOMENT_MS: Final = 20
DESKTOP: Final = {"width": 1360, "height": 900}
PHONE: Final = {"width": 360, "height": 740}
AXE: Final = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
ANY_ORIGIN: Final = {"access-control-allow-origin": "*"}
"""What a reply needs that a test gives the page instead of the service."""
_UNTIL_SHOWN: Final = """
([selector, patience]) => new Promise((done, fail) => {
    const image = () => document.querySelector(selector);
    const look = () => image()?.complete && image().naturalWidth ? done() : setTimeout(look, 20);
    setTimeout(() => fail(new Error("The picture is not shown.")), patience);
    look();
})
"""
_REFUSED: Final = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


@dataclass(kw_only=True)
class Watch:
    """What the browser complained about, and where the page's requests went."""

    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """The requests for images, as they were sent."""
    refused: set[int] = field(default_factory=set)
    """The statuses of the replies that a browser complains about by itself."""
    refusals: list[str] = field(default_factory=list)
    """The same with the URLs, for a test that fails."""
    expected: set[int] = field(default_factory=set)
    """Those that the test provokes."""
    possible: set[int] = field(default_factory=set)
    """Those that the test may provoke; it depends on what a function has been asked before."""

    def listen(self, page: Page) -> None:
        """Watch this page."""
        page.on("console", lambda message: self._hear(message.type, message.text, message.location["url"]))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._see(request.url, request.method, request.post_data))

    def wait_for_refusals(self, page: Page) -> None:
        """Wait until the browser has complained as the test expects, which it does a moment after the reply."""
        for _ in range(PATIENCE_MS // MOMENT_MS):
            if self.refused >= self.expected:
                return
            page.wait_for_timeout(MOMENT_MS)

    def forget_lost(self, page: Page, reason: str, *, least: int = 1) -> None:
        """Forget what the browser says about lost replies, which it does a moment later: so many times at least."""
        for _ in range(PATIENCE_MS // MOMENT_MS):
            if len(self.complaints) >= least:
                break
            page.wait_for_timeout(MOMENT_MS)
        assert {complaint.partition("net::")[2] for complaint in self.complaints} == {reason}
        self.complaints.clear()

    def _hear(self, kind: str, text: str, url: str) -> None:
        if refused := _REFUSED.match(text):
            self.refused.add(int(refused[1]))
            self.refusals.append(f"{refused[1]} {url}")
        elif kind in {"error", "warning"}:
            self.complaints.append(text)

    def _see(self, url: str, method: str, sent: str | None) -> None:
        if not url.startswith(("blob:", "data:")):
            self.hosts.add(urlsplit(url).netloc)
        if method == "POST" and sent:
            self.bodies.append(json.loads(sent))


class Clock(Protocol):
    """The clock of a page, which goes on by itself as well."""

    def fast_forward(self, ticks: int | str) -> None:
        """Move it by milliseconds, or by minutes and seconds such as `00:30`."""


@dataclass(frozen=True, kw_only=True)
class Playground:
    """The page, as a person sees it, with an API key of its own."""

    page: Page
    stack: Stack
    api_key: str
    watch: Watch

    def open(self) -> None:
        """Open the page, and wait until it can be used."""
        self.page.goto(address_of(self.stack))
        self.prompt.wait_for()

    @property
    def prompt(self) -> Locator:
        """The field of the prompt."""
        return self.page.get_by_label("Prompt")

    @property
    def key(self) -> Locator:
        """The field of the API key."""
        return self.page.get_by_label("API key")

    @property
    def alert(self) -> Locator:
        """What went wrong."""
        return self.page.get_by_role("alert")

    @property
    def picture(self) -> Locator:
        """The picture that was made."""
        return self.page.locator("img.picture")

    @property
    def gallery(self) -> Locator:
        """The items of the history."""
        return self.page.locator(".gallery > li")

    def button(self, name: str) -> Locator:
        """The button with exactly this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def enter_key(self, key: str = "") -> None:
        """Enter the API key, and wait until the service has accepted it."""
        self.key.fill(key or self.api_key)
        self.key.press("Enter")
        self.page.locator(".key-state.known").wait_for()

    def generate(self, prompt: str) -> None:
        """Ask for a picture."""
        self.prompt.fill(prompt)
        self.button("Generate").click()

    def wait_for_picture(self) -> None:
        """Wait until the picture is shown, and its pixels are there."""
        self.picture.wait_for()
        self.wait_for_pixels("img.picture")

    def wait_for_pixels(self, selector: str) -> None:
        """Wait until the first image of this selector is loaded."""
        self.page.evaluate(_UNTIL_SHOWN, [selector, PATIENCE_MS])

    def wait_for_focus(self, id_: str) -> None:
        """Wait until the element with this id has the focus."""
        self.page.locator(f"#{id_}:focus").wait_for()

    def fact(self, name: str) -> str:
        """Return what the result says about the model, the cost, the seed and so on."""
        row = self.page.locator(".facts-list > div", has=self.page.locator("dt", has_text=name))
        return row.locator("dd").inner_text()

    def violations(self, *rules: str) -> list[str]:
        """Return what axe-core finds in the page as it is now, by these rules or by all that it has."""
        # By the debugger, because the page's policy lets no script in.
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": rules}
        found: Mapping[str, Any] = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{each['id']}: {each['help']}: {node['html'][:200]} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def kept(self) -> list[str]:
        """Return the names of what the tab keeps of requests and keys, which is more than what is filled in."""
        names: list[str] = self.page.evaluate("Object.keys(sessionStorage)")
        return sorted(set(names) - {"imagegen.form"})

    def is_wider_than_the_screen(self) -> bool:
        """Say whether a person would have to scroll sideways."""
        wider: bool = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return wider


@contextmanager
def kept_drawing(page: Page) -> Iterator[None]:
    """Tell the page that its pictures are still being made, for as long as the test wants."""
    # However fast the service and the machine are.
    looks = "**/v1/generations/gen_*"

    def delay(route: Route) -> None:
        id_ = route.request.url.rpartition("/")[2]
        route.fulfill(json={"id": id_, "status": "running"}, headers=ANY_ORIGIN)

    page.route(looks, delay)
    yield
    page.unroute(looks, delay)


def address_of(stack: Stack) -> str:
    """Return the address under which the browser opens the playground: the one that the service allows."""
    return stack.state.web_url if stack.ca_bundle else stack.page_url


def resolved_by(stack: Stack) -> dict[str, str]:
    """Return what the browser has to connect to instead of that address."""
    allowed, served = urlsplit(address_of(stack)).netloc, urlsplit(stack.state.web_url).netloc
    return {} if allowed == served else {allowed: served}


@contextmanager
def shared_profile(browser: Browser, stack: Stack) -> Iterator[None]:
    """Keep a profile that the tests use one after the other, each in a tab of its own, which shares no session."""
    with new_profile(browser) as context:
        # While a tab is open, the next one needs no new process, which takes half of what a page costs.
        context.new_page().goto(address_of(stack))
        yield


def new_profile(browser: Browser, **options: Any) -> BrowserContext:
    """Make a profile with these options; without motion, which costs more than everything else that is drawn."""
    usual = {"viewport": DESKTOP, "ignore_https_errors": True, "reduced_motion": "reduce"}
    return browser.new_context(**{**usual, **options})


@contextmanager
def profile(browser: Browser, *, clock: bool, options: Mapping[str, Any]) -> Iterator[BrowserContext]:
    """Give the shared profile, or one with these options; `clock` gives one whose clock the test can move."""
    if browser.contexts and not clock and not options:
        yield browser.contexts[0]
        browser.contexts[0].set_offline(False)
    else:
        with new_profile(browser, **options) as context:
            if clock:
                context.clock.install()
            yield context


@contextmanager
def opened_playground(
    browser: Browser,
    stack: Stack,
    *,
    limits: Mapping[str, float | None] | None = None,
    clock: bool = False,
    **options: Any,
) -> Iterator[Playground]:
    """Open the page in a tab of its own, with a new API key; at the end, check what it must never do."""
    allowed = {urlsplit(url).netloc for url in (address_of(stack), stack.state.aws_endpoint_url)}
    watch = Watch()
    with profile(browser, clock=clock, options=options) as context, context.new_page() as page:
        page.set_default_timeout(PATIENCE_MS)
        watch.listen(page)
        playground = Playground(
            page=page, stack=stack, api_key=key_with(_keys_of(stack), limits), watch=watch
        )
        playground.open()
        yield playground
        watch.wait_for_refusals(page)
    assert watch.complaints == []
    assert watch.expected <= watch.refused <= watch.expected | watch.possible, watch.refusals
    assert watch.hosts <= allowed


_keys_of = lru_cache(maxsize=1)(keys_of)
"""It makes clients of AWS, which takes longer than to make a key."""


def key_with(keys: Keys, limits: Mapping[str, float | None] | None) -> str:
    """Make an API key with limits of its own."""
    return keys.create(name=f"playground-{secrets.token_hex(4)}", limits=limits).text


def allow_the_clipboard(context: BrowserContext, stack: Stack) -> None:
    """Let the test read what the page has copied."""
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address_of(stack))
