"""The history of the playground: page by page, opened again, and deleted after a question."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.playground import allow_the_clipboard

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.support.deployed_stack import StandIn
    from tests.support.playground import Clock, Playground

PAGE = 12


def fail(playground: Playground, number: int) -> None:
    """Make a generation that fails at once, because the stand-in's filter stops it."""
    body = {"text_prompts": [{"text": f"Failure {number}"}]}
    with playground.stack.client(api_key=playground.api_key) as client:
        assert client.post("/text-to-image", json=body).json()["code"] == "content_filtered"


def make(playground: Playground, prompt: str) -> str:
    """Make an image of 640 x 1536 from this prompt, and return the id of the generation."""
    body = {
        "text_prompts": [{"text": prompt}],
        "seed": 5,
        "style_preset": "anime",
        "width": 640,
        "height": 1536,
    }
    with playground.stack.client(api_key=playground.api_key) as client:
        made: str = client.post("/text-to-image", json=body).raise_for_status().json()["id"]
        return made


@pytest.mark.thorough
def test_a_long_history_is_shown_page_by_page(playground: Playground, stand_in: StandIn) -> None:
    """The newest first, and no image is loaded before it is looked at. What is shown stays when one more is made."""
    stand_in.set_rules({"prompt": "Failure", "action": "prompt_filter"})
    make(playground, "The oldest")
    for number in range(PAGE + 1):
        fail(playground, number)
    playground.enter_key()
    playground.gallery.nth(PAGE - 1).wait_for()
    assert "Failure 12" in playground.gallery.first.inner_text()
    assert "filter" in playground.gallery.first.inner_text()
    playground.button("Show more").click()
    playground.gallery.nth(PAGE + 2 - 1).wait_for()
    assert "The oldest" in playground.gallery.last.inner_text()
    assert playground.gallery.last.locator("img").get_attribute("loading") == "lazy"
    assert playground.button("Show more").count() == 0
    playground.generate("Failure 13")
    playground.alert.wait_for()
    playground.gallery.nth(PAGE + 3 - 1).wait_for()
    assert "Failure 13" in playground.gallery.first.inner_text()
    assert "The oldest" in playground.gallery.last.inner_text()


def test_a_picture_of_the_history_is_opened_with_its_parameters(playground: Playground) -> None:
    """As if it had just been made."""
    make(playground, "An old tower")
    playground.enter_key()
    playground.gallery.get_by_role("button", name="Show An old tower").click()
    playground.wait_for_picture()
    assert (playground.fact("Seed"), playground.fact("Size"), playground.fact("Style preset")) == (
        "5",
        "640×1536",
        "anime",
    )
    playground.button("Reuse").click()
    assert playground.page.locator("input[value='640x1536']").is_checked()


def test_deleting_asks_first_and_then_removes_it_for_good(playground: Playground) -> None:
    """Escape and "Keep it" keep it; afterwards the id is unknown, and the focus is at the history."""
    id_ = make(playground, "A sand castle")
    playground.enter_key()
    delete = playground.gallery.get_by_role("button", name="Delete A sand castle")
    dialog = playground.page.get_by_role("dialog")
    for keep in ("Escape", "Keep it"):
        delete.click()
        dialog.wait_for()
        playground.page.keyboard.press(keep) if keep == "Escape" else playground.button(keep).click()
        dialog.wait_for(state="detached")
        assert playground.gallery.count() == 1
    delete.click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    playground.page.get_by_text("There is no picture yet.").wait_for()
    playground.wait_for_focus("history-heading")
    with playground.stack.client(api_key=playground.api_key) as client:
        assert client.get(f"/generations/{id_}").status_code == httpx.codes.NOT_FOUND


@pytest.mark.thorough
def test_a_picture_whose_link_has_ended_gets_a_fresh_one(playground: Playground) -> None:
    """The page has the old link for longer than it lives: in the gallery, and of the picture that is shown large."""
    make(playground, "A sundial")
    broken: list[str] = []

    def refuse_once(route: Route) -> None:
        if broken:
            route.continue_()
        else:
            broken.append(route.request.url)
            route.fulfill(status=403, body="")

    playground.watch.expected = {403}
    playground.page.route("**/images/**", refuse_once)
    playground.enter_key()
    playground.wait_for_pixels(".gallery img")
    assert broken
    broken.clear()
    playground.generate("A moondial")
    playground.wait_for_picture()
    assert broken


def tell_the_time(route: Route) -> None:
    """Let the page read when the service has replied, as it can where page and API are one origin."""
    reply = route.fetch()
    route.fulfill(response=reply, headers={**reply.headers, "access-control-expose-headers": "*"})


@pytest.mark.thorough
def test_a_known_image_is_not_downloaded_again(playground: Playground, clock: Clock) -> None:
    """Each look at the history brings new URLs; the page keeps the known one until it ends."""
    make(playground, "A stone bridge")
    playground.enter_key()
    playground.gallery.locator("img").wait_for()
    kept = playground.gallery.locator("img").get_attribute("src")
    playground.page.route("**/v1/generations**", tell_the_time)
    clock.fast_forward("01:00:02")  # so that a new URL would differ, and this machine's clock is wrong
    playground.generate("A wooden bridge")
    playground.wait_for_picture()
    playground.gallery.nth(1).wait_for()
    assert playground.gallery.nth(1).locator("img").get_attribute("src") == kept
    shown = playground.picture.get_attribute("src")
    assert playground.gallery.nth(0).locator("img").get_attribute("src") == shown


@pytest.mark.thorough
def test_an_ended_link_is_renewed_each_time(playground: Playground) -> None:
    """Download and "Copy link" look the generation up again, however often the hour has passed."""
    id_ = make(playground, "A sun clock")
    looks: list[str] = []

    def hurry(route: Route) -> None:
        # By the time that the page can use it, the link has ended.
        reply = route.fetch()
        looks.append(route.request.url)
        ended = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        content = re.sub(r'"expires_at": ?"[^"]+"', f'"expires_at":"{ended}"', reply.text())
        route.fulfill(response=reply, json=json.loads(content))

    playground.page.route("**/v1/generations**", hurry)
    allow_the_clipboard(playground.page.context, playground.stack)
    playground.enter_key()
    playground.gallery.get_by_role("button", name="Show A sun clock").click()
    playground.wait_for_picture()
    for number in (1, 2):
        with playground.page.expect_download():
            playground.button("Download").click()
        assert sum(url.endswith(id_) for url in looks) == 2 * number - 1
        with playground.page.expect_response(f"**/generations/{id_}"):
            playground.button("Copy link").click()
        playground.page.get_by_role("status").get_by_text("The link is copied.").wait_for()
        assert sum(url.endswith(id_) for url in looks) == 2 * number
    assert "X-Amz-Signature" in playground.page.evaluate("navigator.clipboard.readText()")


@pytest.mark.thorough
def test_a_job_that_is_deleted_is_forgotten(playground: Playground, stand_in: StandIn) -> None:
    """A reload does not wait for it any more. The service's own reply would depend on how far the job is."""
    busy = {"prompt": "A cancelled plan", "action": {"type": "error", "name": "ThrottlingException"}}
    stand_in.set_rules(busy)
    playground.page.route(
        "**/v1/generations/*",
        lambda route: route.fulfill(status=204) if route.request.method == "DELETE" else route.continue_(),
    )
    playground.enter_key()
    with playground.page.expect_response("**/v1/generations/gen_*"):
        playground.generate("A cancelled plan")
    playground.page.reload()
    playground.enter_key()
    playground.gallery.get_by_role("button", name="Delete A cancelled plan").click()
    playground.page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    playground.page.get_by_text("Your picture will be here").wait_for()
    assert playground.kept() == []
