"""What goes wrong in the playground is said in words: what happened, what to do, and whether it was charged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.playground import ANY_ORIGIN, address_of, kept_drawing, opened_playground
from tests.support.stand_in_calls import CORE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

    from tests.support.deployed_stack import Stack, StandIn
    from tests.support.playground import Clock, Playground


def test_a_wrong_key_is_refused_beside_its_field(playground: Playground) -> None:
    """The page asks the service as soon as the key is entered; another key is asked for anew."""
    playground.watch.expected = {401}
    playground.key.fill("ig_wrong")
    playground.prompt.fill("A mill")  # whoever goes on has entered the key
    playground.alert.wait_for()
    said = playground.alert.inner_text()
    assert "Check the key." in said
    assert "unauthorized" in said
    assert "Nothing was charged." in said
    assert playground.key.get_attribute("aria-invalid") == "true"
    assert "is not accepted" in playground.page.locator("#mistake-api_key").inner_text()
    playground.enter_key()
    assert playground.alert.count() == 0


def test_what_is_missing_or_cannot_be_a_key_is_not_sent(playground: Playground) -> None:
    """A browser could not put such a key into a header. The field that is missing is focused."""
    for key in ("ключ", "two words"):
        playground.key.fill(key)
        playground.key.press("Enter")
        playground.alert.get_by_text("A key has only plain letters and signs.").wait_for()
    playground.key.fill("")
    playground.generate("A mill")
    playground.alert.get_by_text("Enter your API key first").wait_for()
    playground.wait_for_focus("api-key")
    playground.enter_key()
    playground.generate("   ")
    playground.alert.get_by_text("Say what to draw").wait_for()
    playground.wait_for_focus("line-0")
    assert playground.watch.bodies == []


def test_a_filtered_prompt_says_that_it_was_charged(playground: Playground, stand_in: StandIn) -> None:
    """The alert is focused, and the history has the failure."""
    stand_in.set_rules({"prompt": "A forbidden thing", "action": "prompt_filter"})
    playground.enter_key()
    playground.generate("A forbidden thing")
    playground.alert.wait_for()
    said = playground.alert.inner_text()
    assert "content_filtered" in said
    assert "This was charged." in said
    assert "Put the prompt into other words." in said
    playground.wait_for_focus("problem")
    playground.gallery.wait_for()
    playground.page.locator(".left").get_by_text("used $0.04").wait_for()
    playground.button("Close this message").click()
    assert playground.alert.count() == 0


@pytest.mark.thorough
def test_a_busy_model_is_waited_for_and_the_person_is_told(
    playground: Playground, clock: Clock, stand_in: StandIn
) -> None:
    """The service itself asks again; as soon as the model is free, the picture is there, and was paid once."""
    busy = {"prompt": "A crowded inn", "action": {"type": "error", "name": "ThrottlingException"}}
    stand_in.set_rules(busy)
    playground.enter_key()
    playground.generate("A crowded inn")
    playground.page.locator(".canvas").wait_for()
    clock.fast_forward("00:30")
    playground.page.get_by_text("the model may be busy").wait_for()
    stand_in.client.delete("/_control/rules").raise_for_status()
    playground.wait_for_picture()
    assert stand_in.calls(prompt="A crowded inn")["billed"] == 1


@pytest.mark.thorough
def test_a_model_without_access_says_who_can_help(playground: Playground, stand_in: StandIn) -> None:
    """Nothing was charged; the request's id is shown for the operator."""
    stand_in.set_rules({"prompt": "A locked gate", "action": {"type": "account", "reason": "payment"}})
    playground.enter_key()
    playground.generate("A locked gate")
    playground.alert.wait_for()
    said = playground.alert.inner_text()
    assert "misconfigured" in said
    assert "Nothing was charged." in said
    assert "Tell whoever runs this service the request’s id." in said
    assert "Request" in said


def test_over_budget_is_said_with_what_is_left(browser: Browser, stack: Stack, stand_in: StandIn) -> None:
    """A key for one image: the second is refused, and nothing is charged for it."""
    stand_in.paint_once()
    with opened_playground(browser, stack, limits={"daily_images_per_caller": 1}) as playground:
        playground.watch.expected = {429}
        playground.enter_key()
        playground.page.get_by_text("1 image left today").wait_for()
        playground.generate("The last one")
        playground.wait_for_picture()
        playground.page.get_by_text("0 images left today").wait_for()
        playground.generate("One too many")
        playground.alert.wait_for()
        said = playground.alert.inner_text()
        assert "quota_exceeded" in said
        assert "Nothing was charged." in said
        assert "Wait until midnight UTC" in said
        assert playground.button("Try again").count() == 1


@pytest.mark.thorough
def test_too_many_a_minute_is_said_with_the_wait(browser: Browser, stack: Stack, stand_in: StandIn) -> None:
    """A key for one image a minute: the next is refused, nothing is charged for it, and the form stays usable."""
    stand_in.paint_once()
    prompt, drawn = "One at a time", 0
    with opened_playground(browser, stack, limits={"images_per_minute_per_caller": 1}) as playground:
        playground.watch.expected = {429}
        playground.enter_key()
        while not playground.alert.is_visible():  # a new minute may begin between two of them
            playground.generate(prompt)
            playground.picture.or_(playground.alert).wait_for()
            drawn += playground.picture.count()
        said = playground.alert.inner_text()
        assert "rate_limited" in said
        assert "limit of 1 images a minute is used up" in said
        assert re.search(r"Wait [1-5]?\d s, then try again\.", said) or "Wait 1 min 0 s, then" in said
        assert "Nothing was charged." in said
        assert stand_in.calls(prompt=prompt)["billed"] == drawn >= 1
        playground.page.get_by_text(f"used ${0.04 * drawn:.2f}, ").wait_for()
        assert playground.button("Try again").count() == 1
        assert playground.prompt.input_value() == prompt
        for name in ("Generate", "Compare models"):
            assert playground.button(name).get_attribute("aria-disabled") == "false"


HTML: dict[str, Any] = {
    "body": "<!doctype html><title>Sign in</title>",
    "content_type": "text/html",
    "headers": ANY_ORIGIN,
}
"""What a hotel's network replies to everything, with status 200."""


@pytest.mark.thorough
def test_what_is_no_reply_of_the_service_is_said_and_nothing_is_paid_twice(
    playground: Playground, stand_in: StandIn
) -> None:
    """The key counts as not checked, and can be checked again; a request keeps its idempotency key."""
    page, door = playground.page, "**/v1/text-to-image"
    for elsewhere in ("**/v1/models", "**/v1/usage*"):
        page.route(elsewhere, lambda route: route.fulfill(**HTML))
        playground.key.fill(playground.api_key)
        playground.key.press("Enter")
        playground.alert.get_by_text("is not one of the service’s").wait_for()
        assert "Nothing was charged." in playground.alert.inner_text()
        assert page.locator(".key-state").inner_text() == "not checked"
        page.unroute(elsewhere)
    playground.button("Try again").click()
    page.locator(".key-state.known").wait_for()

    def deliver(route: Route) -> None:
        route.fetch()
        route.fulfill(**HTML)

    page.route(door, deliver)
    playground.generate("A hotel by the sea")
    playground.alert.get_by_text("Nobody can know whether this was charged").wait_for()
    page.unroute(door)
    playground.button("Try again").click()
    playground.wait_for_picture()
    assert stand_in.calls(prompt="A hotel by the sea")["billed"] == 1


@pytest.mark.thorough
def test_a_page_that_is_not_set_up_or_at_fault_says_so(playground: Playground) -> None:
    """A wrong `config.json` is the operator's to mend; a fault of the page's own is said once, with what helps."""
    page = playground.page
    for config in ("<!doctype html>", "{}", '{"api_url": 5}', '{"api_url": "javascript:alert(1)"}'):
        page.route("**/config.json", lambda route: route.fulfill(body=config))  # noqa: B023 - used at once
        page.goto(address_of(playground.stack))
        playground.alert.get_by_text("The page is not set up").wait_for()
        assert "config.json" in playground.alert.inner_text()
        page.unroute("**/config.json")
    playground.button("Reload the page").click()
    playground.prompt.wait_for()
    page.route(
        "**/v1/models", lambda route: route.fulfill(json={"models": [{"default": True}]}, headers=ANY_ORIGIN)
    )
    playground.key.fill(playground.api_key)
    playground.key.press("Enter")
    playground.alert.get_by_text("The page has a fault").wait_for()
    assert playground.watch.complaints
    playground.watch.complaints.clear()


@pytest.mark.thorough
def test_a_browser_that_keeps_nothing_for_the_page_still_draws(
    playground: Playground, stand_in: StandIn
) -> None:
    """As where site data is switched off; the page's memory takes the tab's place."""
    playground.page.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    playground.open()
    playground.page.get_by_label("Remember for this session").check()
    playground.enter_key()
    playground.generate("A sieve")
    playground.wait_for_picture()
    assert stand_in.calls(prompt="A sieve")["billed"] == 1


@pytest.mark.thorough
def test_a_strange_text_is_shown_as_a_text(playground: Playground, stand_in: StandIn) -> None:
    """Markup, a new line, signs beyond 16 bits, and a script from right to left, in every place that shows it."""
    strange = "שלום <img src=x onerror=alert(1)>\n🌊 हिन्दी &amp; ${1} </textarea>"
    playground.enter_key()
    assert playground.prompt.evaluate("it => getComputedStyle(it).direction") == "ltr"
    playground.generate(strange)
    playground.wait_for_picture()
    assert playground.prompt.evaluate("it => it.matches(':dir(rtl)')")
    assert playground.prompt.input_value() == strange
    assert playground.picture.get_attribute("alt") == strange
    playground.gallery.wait_for()
    assert playground.gallery.locator(".item-text").text_content() == strange
    assert playground.page.locator("[onerror]").count() == 0
    assert stand_in.calls(prompt=strange)["billed"] == 1
    with playground.page.expect_download() as started:
        playground.button("Download").click()
    seed = playground.fact("Seed")
    assert (
        started.value.suggested_filename == f"שלום-img-src-x-onerror-alert-1-हिन्दी-amp-1-text-seed-{seed}.png"
    )


def test_a_mistake_is_shown_beside_its_control(playground: Playground) -> None:
    """In the service's words; it goes away as soon as the control is changed."""
    playground.watch.expected = {400}
    playground.enter_key()
    playground.button("Add a text").click()
    playground.button("Add a text").click()
    playground.page.get_by_label("Another text").nth(1).fill("a hill")
    playground.page.get_by_label("Weight").nth(2).fill("")
    playground.page.get_by_text("More parameters").click()
    playground.page.get_by_label("Seed").fill("99999999999")
    playground.page.get_by_label("Samples").fill("3")
    playground.page.get_by_label("Extras").fill("[]")
    playground.page.locator("#line-2").fill("a\u202ehill")
    playground.generate("🌊" * 10_000)
    playground.alert.wait_for()
    assert playground.page.get_by_text("10000 of 2000").count() == 1
    for control, name in (
        ("#line-0", "line-0-text"),
        ("#seed", "seed"),
        ("#samples", "samples"),
        ("#extras", "extras"),
        ("#line-2", "line-2-text"),
    ):
        assert playground.page.locator(control).get_attribute("aria-invalid") == "true"
        assert len(playground.page.locator(f"#mistake-{name}").inner_text()) > 10
    assert "4294967295" in playground.page.locator("#mistake-seed").inner_text()
    playground.page.get_by_label("Seed").fill("9")
    playground.page.locator("#mistake-seed").wait_for(state="detached")


@pytest.mark.thorough
def test_a_lost_connection_is_no_failure(playground: Playground, stand_in: StandIn) -> None:
    """The page goes on asking, and the picture appears."""
    playground.enter_key()
    with kept_drawing(playground.page):
        playground.generate("A far island")
        playground.page.get_by_text("Drawing…").wait_for()
        playground.page.context.set_offline(True)
    playground.page.get_by_text("No connection. Trying again").wait_for()
    playground.page.context.set_offline(False)
    playground.wait_for_picture()
    assert stand_in.calls(prompt="A far island")["billed"] == 1
    playground.watch.forget_lost(playground.page, "ERR_INTERNET_DISCONNECTED")


def test_strict_names_what_the_model_cannot_honour(playground: Playground) -> None:
    """The remedy names the switch."""
    playground.watch.expected = {400}
    playground.enter_key()
    playground.page.get_by_text("More parameters").click()
    playground.page.get_by_label("Steps").fill("60")
    playground.page.get_by_label("Strict").check()
    playground.page.locator(f"input[value='{CORE}']").check(force=True)
    playground.generate("A mill")
    playground.alert.wait_for()
    assert "unsupported_parameter" in playground.alert.inner_text()
    assert "Switch “Strict” off" in playground.alert.inner_text()
    assert playground.page.get_by_label("Steps").get_attribute("aria-invalid") == "true"
