"""Everybody can use the playground: by keyboard, with a screen reader, on a phone, in the dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.playground import PHONE, kept_drawing, opened_playground

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.deployed_stack import Stack, StandIn
    from tests.support.playground import Playground


# What is dark differs from what is light in its colours alone.
@pytest.mark.parametrize(
    ("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))], ids=["light", "dark"]
)
def test_axe_finds_nothing_in_any_state(
    browser: Browser, stack: Stack, stand_in: StandIn, scheme: str, rules: tuple[str, ...]
) -> None:
    """Empty, with a problem, with everything open, with a picture, with the models side by side, and the question."""
    stand_in.paint_once()
    with opened_playground(browser, stack, color_scheme=scheme) as playground:
        assert playground.violations(*rules) == []
        playground.generate("A mill")
        playground.alert.wait_for()
        assert playground.violations(*rules) == []
        playground.enter_key()
        playground.button("Add what to avoid").click()
        playground.page.get_by_text("More parameters").click()
        playground.generate("A mill")
        playground.wait_for_picture()
        playground.page.get_by_text("The same request elsewhere").click()
        playground.gallery.wait_for()
        assert playground.violations(*rules) == []
        playground.button("Compare models").click()
        playground.page.get_by_text("Together they cost").wait_for()
        playground.page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # width and height
        assert playground.violations(*rules) == []
        playground.gallery.get_by_role("button", name="Delete").first.click()
        assert playground.violations(*rules) == []


def test_nobody_scrolls_sideways_on_a_phone(browser: Browser, stack: Stack, stand_in: StandIn) -> None:
    """Nor with large type. Empty, with a long word, with a picture, a problem, the models, and the question."""
    stand_in.paint_once()
    # The last one is a desktop's at twice its size.
    sizes = [{"width": width, "height": 700} for width in (320, 400, 680)]

    def fits() -> list[int]:
        wider = []
        for size in sizes:
            playground.page.set_viewport_size(size)  # type: ignore[arg-type]  # width and height
            if playground.is_wider_than_the_screen():
                wider.append(size["width"])
        return wider

    with opened_playground(browser, stack, viewport=sizes[0], has_touch=True) as playground:
        assert fits() == []
        playground.generate("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen")
        playground.alert.wait_for()
        assert fits() == []
        playground.enter_key()
        playground.page.get_by_text("More parameters").click()
        playground.button("Generate").click()
        playground.wait_for_picture()
        playground.page.get_by_text("The same request elsewhere").click()
        assert fits() == []
        playground.button("Compare models").click()
        playground.page.get_by_text("Together they cost").wait_for()
        assert fits() == []
        playground.gallery.get_by_role("button", name="Delete").first.click()
        assert fits() == []
        playground.button("Keep it").click()
        playground.page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert sizes[-1]["width"] not in fits()


def focused(playground: Playground) -> str:
    """Return the id of what has the focus, or its text."""
    name: str = playground.page.evaluate(
        "document.activeElement.id || document.activeElement.textContent.trim()"
    )
    return name


def tab_to(playground: Playground, name: str, *, most: int = 40) -> None:
    """Press the tabulator until this has the focus."""
    for _ in range(most):
        playground.page.keyboard.press("Tab")
        if focused(playground) == name:
            return
    pytest.fail(f"{name} cannot be reached by the keyboard")


def test_the_keyboard_is_enough(playground: Playground, stand_in: StandIn) -> None:
    """Key, prompt, size, picture, deletion; the focus goes where something has happened."""
    page, keyboard = playground.page, playground.page.keyboard
    tab_to(playground, "api-key")
    keyboard.type(playground.api_key)
    tab_to(playground, "line-0")
    keyboard.type("A rope bridge")
    page.locator(".key-state.known").wait_for()
    page.locator("input[name=size]:checked").focus()
    keyboard.press("ArrowRight")
    assert page.locator("input[value='1152x896']").is_checked()
    for _ in range(20):
        keyboard.press("Shift+Tab")
        if focused(playground) == "generate":
            break
    keyboard.press("Enter")
    playground.wait_for_picture()
    playground.wait_for_focus("result-heading")
    tab_to(playground, "Delete A rope bridge, " + page.locator(".item-facts > span").first.inner_text())
    keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    keyboard.press("Tab")
    keyboard.press("Enter")
    page.get_by_text("There is no picture yet.").wait_for()
    assert stand_in.calls(prompt="A rope bridge")["billed"] == 1


def press_until(playground: Playground, script: str, *, key: str = "Tab", most: int = 40) -> None:
    """Press the key until this holds for the focused element, `it`."""
    for _ in range(most):
        playground.page.keyboard.press(key)
        if playground.page.evaluate(f"(it => {script})(document.activeElement)"):
            return
    pytest.fail(f"{script} cannot be reached by the keyboard")


@pytest.mark.thorough
def test_the_keyboard_is_enough_for_everything_else(playground: Playground, stand_in: StandIn) -> None:
    """Sizes, more parameters, the models side by side, another picture, commands, and the history."""
    page, keyboard = playground.page, playground.page.keyboard
    tab_to(playground, "api-key")
    keyboard.type(playground.api_key)
    tab_to(playground, "line-0")
    keyboard.type("A rope ladder")
    page.locator(".key-state.known").wait_for()
    press_until(playground, "it.name === 'size'")
    keyboard.press("ArrowRight")
    assert page.locator("input[value='1152x896']").is_checked()
    tab_to(playground, "More parameters")
    keyboard.press("Enter")
    tab_to(playground, "steps")
    keyboard.press("ArrowRight")
    press_until(playground, "it.id === 'compare'", key="Shift+Tab")
    keyboard.press("Enter")
    page.get_by_text("Together they cost").wait_for()
    tab_to(playground, "Vary", most=60)
    keyboard.press("Enter")
    page.get_by_role("heading", name="Your picture").wait_for()
    playground.wait_for_picture()
    playground.wait_for_focus("result-heading")
    assert [body.get("steps") for body in playground.watch.bodies] == [31, 31, 31]
    tab_to(playground, "The same request elsewhere")
    keyboard.press("Enter")
    tab_to(playground, "Python")
    keyboard.press("Enter")
    page.get_by_text("import httpx").wait_for()
    show = playground.gallery.get_by_role("button", name="Show A rope ladder")
    show.first.wait_for()
    press_until(playground, "it.textContent.includes('Show A rope ladder')")
    keyboard.press("Enter")
    playground.wait_for_focus("result-heading")
    assert stand_in.calls(prompt="A rope ladder")["billed"] == 2


def test_a_screen_reader_hears_what_happens(playground: Playground) -> None:
    """One region announces it; it does not count the seconds aloud."""
    said = playground.page.get_by_role("status")
    playground.enter_key()
    assert "The key is accepted." in said.inner_text()
    playground.generate("A bell tower")
    playground.wait_for_picture()
    assert "The picture is done." in said.inner_text()
    assert playground.page.locator("[aria-live] .elapsed").count() == 0
    assert playground.page.get_by_role("heading", name="History").count() == 1
    assert playground.page.title() == "imagegen playground"


@pytest.mark.thorough
def test_who_wants_no_motion_sees_none(browser: Browser, stack: Stack, stand_in: StandIn) -> None:
    """The shimmer of a picture that is being made stands still."""
    stand_in.paint_once()
    with opened_playground(browser, stack) as playground, kept_drawing(playground.page):
        playground.enter_key()
        playground.generate("A still lake")
        playground.page.locator(".canvas.is-drawing").wait_for()
        assert (
            playground.page.evaluate(
                "getComputedStyle(document.querySelector('.canvas'), '::before').animationName"
            )
            == "none"
        )
        playground.button("Stop waiting").click()
