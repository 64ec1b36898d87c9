"""The playground pays once for a request whose end it does not know: after a stop, a lost reply, or another key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.playground import kept_drawing

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.support.deployed_stack import StandIn
    from tests.support.playground import Clock, Playground

DOOR = "**/v1/text-to-image"
KEPT = "sessionStorage.getItem('imagegen.run')"


def billed(stand_in: StandIn, prompt: str) -> int:
    """Return how many calls with this prompt were paid."""
    count: int = stand_in.calls(prompt=prompt)["billed"]
    return count


class LosingDoor:
    """Delivers requests to the service or not, and loses every reply."""

    def __init__(self, playground: Playground, *, delivers: bool) -> None:
        """Lose replies from now on, until `repaired`."""
        self._playground = playground
        self._delivers = delivers
        self.keys: list[str] = []
        playground.page.route(DOOR, self._lose)

    def _lose(self, route: Route) -> None:
        self.keys.append(route.request.headers["idempotency-key"])
        if self._delivers:
            route.fetch()
        route.abort()

    def repair(self) -> None:
        """Let everything through again, and forget what the browser said about the lost replies."""
        self._playground.page.unroute_all(behavior="wait")
        self._playground.watch.forget_lost(self._playground.page, "ERR_FAILED", least=len(self.keys))


def keys_of_requests(playground: Playground) -> list[str]:
    """Return a list that grows by the idempotency key of each request that the page sends."""
    keys: list[str] = []

    def note(request: Any) -> None:
        if request.method == "POST":
            keys.append(request.headers["idempotency-key"])

    playground.page.on("request", note)
    return keys


def test_who_stops_between_two_tries_buys_nothing_more(
    playground: Playground, clock: Clock, stand_in: StandIn
) -> None:
    """The pause between the tries ends, and nothing is sent: nobody wants the picture any more."""
    playground.enter_key()
    door = LosingDoor(playground, delivers=False)
    playground.generate("A cancelled trip")
    playground.page.get_by_text("No connection.").wait_for()
    playground.button("Stop waiting").click()
    playground.page.get_by_role("status").get_by_text("may be paid").wait_for()
    clock.fast_forward("01:00")
    playground.page.evaluate("fetch('config.json')")  # a request that was sent before this one has been seen
    door.repair()
    assert len(door.keys) == len(playground.watch.bodies) == 1
    assert billed(stand_in, "A cancelled trip") == 0


@pytest.mark.parametrize("reloads", [False, True])
@pytest.mark.thorough
def test_the_same_request_after_a_stop_is_not_paid_again(
    playground: Playground, stand_in: StandIn, *, reloads: bool
) -> None:
    """It was sent, and nobody knows its end; the next one is a new request."""
    prompt = f"A doubtful weather {reloads}"
    playground.enter_key()
    door = LosingDoor(playground, delivers=True)
    playground.generate(prompt)
    playground.page.get_by_text("No connection.").wait_for()
    playground.button("Stop waiting").click()
    playground.page.get_by_text("Your picture will be here").wait_for()
    door.repair()
    if reloads:
        playground.page.reload()
        playground.enter_key()
    keys = keys_of_requests(playground)
    playground.generate(prompt)
    playground.wait_for_picture()
    assert keys == door.keys[:1]
    assert billed(stand_in, prompt) == 1
    with kept_drawing(playground.page):
        playground.button("Generate").click()
        playground.page.locator(".canvas").wait_for()
    playground.wait_for_picture()
    assert billed(stand_in, prompt) == 2


@pytest.mark.thorough
def test_a_stopped_drawing_is_waited_for_again(playground: Playground, stand_in: StandIn) -> None:
    """Also the models side by side, whose seed the page has chosen."""
    playground.enter_key()
    for press in ("Generate", "Compare models"):
        playground.prompt.fill(f"A late bus {press}")
        with kept_drawing(playground.page):
            playground.button(press).click()
            playground.page.get_by_text("Drawing…").first.wait_for()
            playground.button("Stop waiting").click()
        playground.page.get_by_text("Your picture will be here").wait_for()
        playground.button(press).click()
        playground.button("Stop waiting").wait_for(state="detached")
        playground.wait_for_picture()
        assert billed(stand_in, f"A late bus {press}") == 1


@pytest.mark.parametrize("how", ["Try again", "Generate", "a reload"])
def test_four_lost_replies_are_paid_once(
    playground: Playground, clock: Clock, stand_in: StandIn, how: str
) -> None:
    """Whatever the person does next about the same request has the same idempotency key."""
    playground.enter_key()
    door = LosingDoor(playground, delivers=True)
    playground.generate(f"A lost parcel {how}")
    hurry(clock, playground.alert.is_visible)
    assert "Nobody can know whether this was charged" in playground.alert.inner_text()
    door.repair()
    keys = keys_of_requests(playground)
    if how == "a reload":
        playground.page.reload()
        playground.enter_key()
    else:
        playground.button(how).click()
    playground.wait_for_picture()
    assert len(door.keys) == 4
    assert {*keys, *door.keys} == {door.keys[0]}
    assert billed(stand_in, f"A lost parcel {how}") == 1
    assert playground.kept() == []


@pytest.mark.thorough
def test_a_model_of_a_comparison_has_its_own_try_again(
    playground: Playground, clock: Clock, stand_in: StandIn
) -> None:
    """The one whose replies were lost is asked again; the others are left alone."""
    playground.enter_key()
    playground.prompt.fill("Two lost parcels")
    door = LosingDoor(playground, delivers=True)
    playground.button("Compare models").click()
    hurry(clock, lambda: playground.button("Try again").nth(1).is_visible())
    door.repair()
    keys = keys_of_requests(playground)
    playground.page.get_by_role("button", name="Try again").nth(1).click()
    playground.wait_for_picture()
    assert keys == [door.keys[1]]
    assert billed(stand_in, "Two lost parcels") == 1


def hurry(clock: Clock, is_so: Callable[[], bool]) -> None:
    """Let the page's time fly until this is so."""
    while not is_so():
        clock.fast_forward(1000)


@pytest.mark.thorough
def test_the_field_of_the_key_can_be_changed_while_it_draws(
    playground: Playground, stand_in: StandIn
) -> None:
    """The run keeps the key that it began with; a half typed one is refused without an effect on the run."""
    playground.watch.expected = {401}
    make = {"text_prompts": [{"text": "An earlier sign"}]}
    with playground.stack.client(api_key=playground.api_key) as client:
        client.post("/text-to-image", json=make).raise_for_status()
    playground.enter_key()
    playground.gallery.wait_for()
    with kept_drawing(playground.page):
        playground.generate("A changed sign")
        playground.page.get_by_text("Drawing…").wait_for()
        playground.key.fill(playground.api_key[:-9])
        playground.key.press("Enter")
        playground.page.locator(".key-state.refused").wait_for()
        assert playground.gallery.count() == 0
    playground.wait_for_picture()
    assert billed(stand_in, "A changed sign") == 1
    assert playground.kept() == []


@pytest.mark.thorough
def test_a_repeat_goes_to_the_caller_who_asked_first(
    playground: Playground, clock: Clock, stand_in: StandIn
) -> None:
    """Another caller's key in the field, when the reply was lost, would buy the picture once more."""
    playground.enter_key()
    door = LosingDoor(playground, delivers=True)
    playground.generate("A lost umbrella")
    playground.page.get_by_text("No connection.").wait_for()
    playground.enter_key(playground.stack.state.other_api_key)
    door.repair()
    clock.fast_forward(8000)
    playground.wait_for_picture()
    assert billed(stand_in, "A lost umbrella") == 1
