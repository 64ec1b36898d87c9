"""What goes wrong in the playground is said in words: what happened, what to do, and whether it was charged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.playground import opened_playground
from tests.support.stand_in_calls import CORE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.deployed_stack import Stack, StandIn
    from tests.support.playground import Playground


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
    assert "used $0.04" in playground.page.locator(".left").inner_text()
    playground.button("Close this message").click()
    assert playground.alert.count() == 0


def test_a_busy_model_is_waited_for_and_the_person_is_told(playground: Playground, stand_in: StandIn) -> None:
    """The service itself asks again; as soon as the model is free, the picture is there, and was paid once."""
    busy = {"prompt": "A crowded inn", "action": {"type": "error", "name": "ThrottlingException"}}
    stand_in.set_rules(busy)
    playground.page.clock.install()
    playground.enter_key()
    playground.generate("A crowded inn")
    playground.page.locator(".canvas").wait_for()
    playground.page.clock.fast_forward("00:30")
    playground.page.get_by_text("the model may be busy").wait_for()
    stand_in.client.delete("/_control/rules").raise_for_status()
    playground.wait_for_picture()
    assert stand_in.calls(prompt="A crowded inn")["billed"] == 1


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
    playground.generate("A mill")
    playground.alert.wait_for()
    for control, name in (
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


def test_a_lost_connection_is_no_failure(playground: Playground, stand_in: StandIn) -> None:
    """The page goes on asking, and the picture appears."""
    stand_in.set_rules({"prompt": "A far island", "action": {"type": "latency", "seconds": 1}})
    playground.enter_key()
    playground.generate("A far island")
    playground.page.get_by_text("Drawing…").or_(
        playground.page.get_by_text("Waiting for its turn…")
    ).wait_for()
    playground.page.context.set_offline(True)
    playground.page.get_by_text("No connection. Trying again").wait_for()
    playground.page.context.set_offline(False)
    playground.wait_for_picture()
    assert stand_in.calls(prompt="A far island")["billed"] == 1
    assert {one.partition("net::")[2] for one in playground.watch.complaints} == {"ERR_INTERNET_DISCONNECTED"}
    playground.watch.complaints.clear()


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
