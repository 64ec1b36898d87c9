"""`make screenshots`: pictures of the playground in its states, into `out/screenshots/`, from a service of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from PIL import Image

from tests.support import local_instances
from tests.support.deployed_stack import Stack, StandIn
from tests.support.pages import running_browser
from tests.support.playground import DESKTOP, PHONE, Playground, opened_playground
from tests.support.stand_in_calls import CORE, FAMILY
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDER: Final = CHECKOUT / "out" / "screenshots"
CONFIG: Final = f"models={','.join(FAMILY)} daily_usd_per_caller=14 daily_images_per_caller=100"
README: Final = "readme.jpg"
README_WIDTH: Final = 1200
PROMPT: Final = "Terraced tea hills in the morning mist, mountains behind"
LIMITS: Final[Mapping[str, float | None]] = {"daily_usd_per_caller": 14, "daily_images_per_caller": 100}


def empty(playground: Playground) -> None:
    """Show the page as a newcomer sees it."""
    playground.page.locator(".empty").wait_for()
    playground.page.locator(".style-grid img").last.scroll_into_view_if_needed()
    playground.page.wait_for_load_state("networkidle")
    playground.page.evaluate("scrollTo(0, 0)")


def result(playground: Playground) -> None:
    """Show a picture, with others in the history."""
    playground.enter_key()
    for prompt, style in (
        ("A city by a lake at night", "Neon punk"),
        ("A desert under a big moon", "Comic book"),
        ("A forest in autumn fog", "Analog film"),
        (PROMPT, "Photographic"),
    ):
        playground.page.get_by_label(style).check(force=True)
        playground.generate(prompt)
        playground.page.locator(f"img.picture[alt='{prompt}']").wait_for()
        playground.wait_for_picture()
    playground.page.wait_for_load_state("networkidle")


def drawing(playground: Playground) -> None:
    """Show a picture that is being made."""
    playground.enter_key()
    playground.page.get_by_label("16:9").check(force=True)
    playground.generate("A slow river")
    playground.page.get_by_text("Drawing…").wait_for()


def compare(playground: Playground) -> None:
    """Show the models side by side."""
    playground.enter_key()
    playground.page.get_by_label("3:2").check(force=True)
    playground.prompt.fill("A harbour at sunset, hills")
    playground.button("Compare models").click()
    playground.page.get_by_text("Together they cost").wait_for()
    playground.page.wait_for_load_state("networkidle")


def problem(playground: Playground) -> None:
    """Show what a filter has stopped, and the parameters with what the model ignores."""
    playground.enter_key()
    playground.page.get_by_text("More parameters").click()
    playground.page.locator(f"input[value='{CORE}']").check(force=True)
    playground.generate("Something that a filter stops")
    playground.alert.wait_for()
    playground.gallery.wait_for()
    playground.page.get_by_text("used $0.04").wait_for()


def commands(playground: Playground) -> None:
    """Show the same request as a program, and the question before a deletion."""
    playground.enter_key()
    playground.generate(PROMPT)
    playground.wait_for_picture()
    playground.page.get_by_text("The same request elsewhere").click()
    playground.button("Python").click()
    playground.gallery.get_by_role("button", name="Delete").first.click()
    playground.page.get_by_role("dialog").wait_for()


STATES: Final[tuple[Callable[[Playground], None], ...]] = (empty, result, drawing, compare, problem, commands)
LOOKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "has_touch": True, "device_scale_factor": 2},
}


def shoot(browser: Browser, stack: Stack, folder: Path) -> None:
    """Take every picture: each state in each look."""
    for look, options in LOOKS.items():
        for state in STATES:
            with opened_playground(browser, stack, limits=LIMITS, **options) as playground:
                state(playground)
                path = folder / f"{state.__name__}-{look}.png"
                playground.page.screenshot(path=path, full_page=state is not commands, animations="disabled")
                if (state, look) == (result, "light"):
                    playground.page.evaluate("scrollTo(0, 0)")
                    playground.page.set_viewport_size({"width": 1360, "height": 1250})
                    playground.page.screenshot(path=folder / "readme.png")


def main() -> int:
    """Bring a service up, take the pictures, and stop it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    instance = local_instances.create("screenshots")
    try:
        state = instance.up(CONFIG=CONFIG)
        stack = Stack(state=state, folder=instance.folder, page_url=state.web_url)
        with (
            httpx.Client(base_url=stack.state.bedrock_url, trust_env=False) as client,
            running_browser(resolve={}) as browser,
        ):
            StandIn(client=client).set_rules(
                {"prompt": "a filter stops", "action": "prompt_filter"},
                {"prompt": "A slow river", "action": {"type": "latency", "seconds": 4}},
            )
            shoot(browser, stack, FOLDER)
    finally:
        instance.down()
        local_instances.remove_own()
    with Image.open(FOLDER / "readme.png") as image:
        height = round(image.height * README_WIDTH / image.width)
        image.convert("RGB").resize((README_WIDTH, height), Image.Resampling.LANCZOS).save(
            FOLDER / README, quality=80, optimize=True, progressive=True
        )
    sys.stdout.write(f"screenshots: {FOLDER}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
