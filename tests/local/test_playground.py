"""A person makes pictures in the playground: one, another of it, and one of each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from imagegen.contracts.text_to_image.parameters import SAMPLERS, SIZES, STYLE_PRESETS
from tests.support.playground import kept_drawing
from tests.support.stack_callers import start_anew
from tests.support.stand_in_calls import CORE, SDXL

if TYPE_CHECKING:
    from playwright.sync_api import APIResponse, Route

    from tests.support.deployed_stack import StandIn
    from tests.support.playground import Playground


def billed(stand_in: StandIn, prompt: str) -> int:
    """Return how many calls with this prompt were paid."""
    count: int = stand_in.calls(prompt=prompt)["billed"]
    return count


def sent_to_the_model(stand_in: StandIn, prompt: str) -> dict[str, Any]:
    """Return the body of the last call with this prompt."""
    body: dict[str, Any] = stand_in.calls(prompt=prompt)["last"][-1]["body"]
    return body


def test_a_picture_is_made_shown_and_accounted_for(playground: Playground, stand_in: StandIn) -> None:
    """The price is said before; afterwards the cost, the model, the seed, what is used up, and the history."""
    playground.enter_key()
    assert "Generate: $0.04." in playground.page.locator("#price").inner_text()
    playground.generate("A harbour in the morning")
    playground.wait_for_picture()
    assert playground.picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [1024, 1024]
    assert playground.picture.get_attribute("alt") == "A harbour in the morning"
    assert (playground.fact("Model"), playground.fact("Cost")) == ("Stable Image Core 1.1", "$0.04")
    assert 0 < int(playground.fact("Seed")) < 2**32
    playground.page.get_by_text("used $0.04, 1 image").wait_for()
    playground.gallery.wait_for()
    assert billed(stand_in, "A harbour in the morning") == 1
    assert playground.alert.count() == 0


def test_a_late_balance_does_not_replace_a_newer_one(playground: Playground) -> None:
    """Each run asks what is left, and the replies may come in another order."""
    page = playground.page
    late: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if late:
            route.continue_()
        else:
            late.append((route, route.fetch()))

    playground.enter_key()
    page.route("**/v1/usage**", hold_the_first)
    playground.generate("A slow balance")
    playground.gallery.nth(0).wait_for()
    playground.generate("A quick balance")
    page.locator(".left").get_by_text("used $0.08, 2 images").wait_for()
    route, reply = late[0]
    assert '"images":1' in reply.text().replace(" ", "")
    with page.expect_response("**/v1/usage**"):
        route.fulfill(response=reply)
    page.evaluate("fetch('config.json')")  # a reply that came before this one has been read
    assert "used $0.08, 2 images" in page.locator(".left").inner_text()


@pytest.mark.thorough
def test_a_second_press_while_it_draws_makes_no_second_picture(
    playground: Playground, stand_in: StandIn
) -> None:
    """Neither does Ctrl and Enter in the prompt."""
    playground.enter_key()
    with kept_drawing(playground.page):
        playground.generate("A quiet pond")
        playground.button("Generate").click(force=True)  # Playwright would wait until it can be pressed again
        playground.prompt.press("Control+Enter")
    playground.wait_for_picture()
    assert billed(stand_in, "A quiet pond") == 1


def test_every_parameter_reaches_the_model(playground: Playground, stand_in: StandIn) -> None:
    """Texts with weights, what to avoid, size, style, seed and the parameters of SDXL."""
    # A function that knows that SDXL has ended refuses at once; any other one accepts a job, which then fails.
    playground.watch.possible = {503}
    page = playground.page
    playground.enter_key()
    playground.prompt.fill("A walled garden")
    playground.button("Add what to avoid").click()
    page.get_by_label("What to avoid").fill("people")
    playground.button("Add a text").click()
    page.get_by_label("Another text").fill("roses")
    page.get_by_label("Weight").nth(2).fill("0.5")
    page.get_by_label("3:2").check(force=True)
    page.get_by_label("Line art").check(force=True)
    page.get_by_label("Seed").fill("77")
    page.get_by_text("More parameters").click()
    page.get_by_label("Steps").fill("60")
    page.get_by_label("CFG scale").fill("9.5")
    page.get_by_label("Sampler").select_option("K_EULER")
    page.get_by_label("CLIP guidance preset").select_option("FAST_BLUE")
    page.get_by_label("Extras").fill('{"a": 1}')
    page.get_by_label("SDXL 1.0").check(force=True)
    assert "Generate: $0.08." in page.locator("#price").inner_text()
    playground.button("Generate").click()
    playground.alert.wait_for()
    assert playground.watch.bodies == [
        {
            "text_prompts": [
                {"text": "A walled garden"},
                {"text": "people", "weight": -1},
                {"text": "roses", "weight": 0.5},
            ],
            "model": SDXL,
            "width": 1216,
            "height": 832,
            "steps": 60,
            "cfg_scale": 9.5,
            "style_preset": "line-art",
            "sampler": "K_EULER",
            "clip_guidance_preset": "FAST_BLUE",
            "seed": 77,
            "extras": {"a": 1},
        }
    ]
    page.get_by_label("First available").check(force=True)
    playground.button("Generate").click()
    playground.wait_for_picture()
    drawn = sent_to_the_model(stand_in, "A walled garden")
    assert (drawn["seed"], drawn["aspect_ratio"], drawn["negative_prompt"]) == (77, "3:2", "people")
    assert set(playground.fact("Ignored").split(", ")) == {
        "CFG scale", "CLIP guidance preset", "Extras", "Sampler", "Steps"
    }  # fmt: skip


def test_the_controls_offer_what_the_api_takes_and_show_what_the_model_ignores(
    playground: Playground,
) -> None:
    """Ranges, defaults and choices are those of the API's document. Core ignores some, SDXL honours all."""
    page = playground.page
    page.get_by_text("More parameters").click()
    assert [page.get_by_label("Steps").get_attribute(name) for name in ("min", "max")] == ["10", "150"]
    assert page.get_by_label("Steps").input_value() == "30"
    assert [page.get_by_label("CFG scale").get_attribute(name) for name in ("min", "max")] == ["0", "35"]
    assert page.get_by_label("CFG scale").input_value() == "7"
    sizes = page.locator("input[name=size]").evaluate_all("all => all.map(each => each.value)")
    assert sorted(sizes) == sorted(f"{width}x{height}" for width, height in SIZES)
    styles = page.locator("input[name=style_preset]").evaluate_all("all => all.map(each => each.value)")
    assert styles == ["", *STYLE_PRESETS]
    samplers = page.locator("#sampler option").evaluate_all("all => all.map(each => each.value)")
    assert samplers == ["", *sorted(SAMPLERS)]
    playground.enter_key()
    ignored = playground.page.locator(".ignored")
    assert ignored.count() == 5
    assert set(ignored.all_text_contents()) == {"ignored by Stable Image Core 1.1"}
    assert "ignored-steps" in (playground.page.locator("#steps").get_attribute("aria-describedby") or "")
    playground.page.get_by_label("SDXL 1.0").check(force=True)
    ignored.first.wait_for(state="detached")


def with_ultra(route: Route) -> None:
    """List one model more, which is dearer and which this service does not know."""
    reply = route.fetch()
    listed = reply.json()
    ultra = {
        **listed["models"][-1],
        "id": "ultra",
        "name": "Ultra",
        "default": False,
        "price_per_image": 0.14,
        "prices": [{"max_steps": 150, "usd": 0.14}],
    }
    route.fulfill(response=reply, json={**listed, "models": [*listed["models"], ultra]})


@pytest.mark.thorough
def test_the_price_says_what_a_dearer_model_costs(playground: Playground) -> None:
    """Without a chosen model, another one of the list may draw; a chosen one has one price."""
    playground.page.route("**/v1/models", with_ultra)
    playground.enter_key()
    price = playground.page.locator("#price")
    assert "Generate: $0.04, at most $0.14." in price.inner_text()
    playground.page.get_by_label("Ultra").check(force=True)
    price.get_by_text("Generate: $0.14. ").wait_for()


def test_the_models_are_compared_by_one_click(playground: Playground, stand_in: StandIn) -> None:
    """Each enabled model is asked once, with the same seed; one of these has ended, which costs nothing."""
    playground.watch.possible = {503}  # as in the test above
    playground.enter_key()
    assert (
        "Compare: 2 images, one by each model, at most $0.08."
        in playground.page.locator("#price").inner_text()
    )
    playground.prompt.fill("Two boats on a lake")
    playground.button("Compare models").click()
    playground.page.get_by_text("Together they cost $0.04.").wait_for()
    bodies = playground.watch.bodies
    assert [body["model"] for body in bodies] == [SDXL, CORE]
    assert bodies[0]["seed"] == bodies[1]["seed"] > 0
    ended, drawn = playground.page.locator(".job").all()
    assert "model_retired" in ended.inner_text()
    assert "Nothing was charged." in ended.inner_text()
    playground.wait_for_picture()
    assert drawn.locator("img.picture").count() == 1
    assert billed(stand_in, "Two boats on a lake") == 1


@pytest.mark.thorough
def test_every_model_that_draws_is_paid_once_and_one_that_fails_harms_no_other(
    playground: Playground, stand_in: StandIn
) -> None:
    """Three side by side from one click: two draw, and the service refuses the third."""
    playground.watch.expected = {400}
    stand_in.client.post("/_control/rules", json={"alive": [SDXL]}).raise_for_status()
    # Otherwise a function that has just learned that SDXL has ended would refuse it for twenty seconds.
    start_anew(playground.stack)
    playground.page.route("**/v1/models", with_ultra)
    playground.enter_key()
    assert "Compare: 3 images, one by each model" in playground.page.locator("#price").inner_text()
    playground.prompt.fill("Three boats on a lake")
    playground.button("Compare models").click()
    playground.page.get_by_text("Together they cost $0.08.").wait_for()
    assert [body["model"] for body in playground.watch.bodies] == [SDXL, CORE, "ultra"]
    assert len({body["seed"] for body in playground.watch.bodies}) == 1
    *drawn, refused = playground.page.locator(".job").all()
    for job, name in zip(drawn, ("SDXL 1.0", "Stable Image Core 1.1"), strict=True):
        assert job.get_by_role("heading").inner_text() == name
        assert job.locator("dd").first.inner_text() == "$0.04"
        job.locator("img.picture").wait_for()
    assert "unknown_model" in refused.inner_text()
    assert "Nothing was charged." in refused.inner_text()
    playground.page.get_by_text("used $0.08, 2 images").wait_for()
    by_model = [call["model"] for call in stand_in.calls(prompt="Three boats on a lake")["last"]]
    assert sorted(by_model) == sorted([SDXL, CORE])


def test_a_picture_is_varied_reused_and_its_seed_edited(playground: Playground, stand_in: StandIn) -> None:
    """A variation differs in its seed alone; the seed of a picture can be put into the form, and is kept there."""
    playground.enter_key()
    playground.page.get_by_label("Origami").check(force=True)
    playground.generate("A paper crane")
    playground.wait_for_picture()
    first = playground.fact("Seed")
    playground.page.get_by_label("None").check(force=True)
    playground.prompt.fill("something else")
    with kept_drawing(playground.page):
        playground.button("Vary").click()
        playground.page.locator(".canvas").wait_for()
    playground.wait_for_picture()
    assert playground.fact("Seed") != first
    bodies = playground.watch.bodies
    assert {**bodies[1], "seed": 0} == {**bodies[0], "seed": 0}
    assert billed(stand_in, "A paper crane") == 2

    playground.button("Edit seed").click()
    seed = playground.page.get_by_label("Seed")
    assert seed.input_value() == playground.fact("Seed")
    playground.wait_for_focus("seed")
    seed.fill("5")
    playground.button("Reuse").click()
    assert playground.prompt.input_value() == "A paper crane"
    assert playground.page.get_by_label("Origami").is_checked()
    assert seed.input_value() == playground.fact("Seed")
    assert playground.button("Lock").get_attribute("aria-pressed") == "true"


def test_the_picture_is_saved_under_a_name_that_says_what_it_is(playground: Playground) -> None:
    """A link to another origin could not do that."""
    playground.enter_key()
    playground.page.get_by_label("Seed").fill("41")
    playground.generate("Two Cafés, at night!")
    playground.wait_for_picture()
    with playground.page.expect_download() as started:
        playground.button("Download").click()
    assert started.value.suggested_filename == "two-cafés-at-night-seed-41.png"
    assert started.value.path().read_bytes().startswith(b"\x89PNG")


@pytest.mark.thorough
def test_another_format_follows_the_models_and_names_the_file(
    playground: Playground, stand_in: StandIn
) -> None:
    """SDXL draws PNG alone, no model here draws WebP; a variation and a program keep the format."""
    page = playground.page
    playground.enter_key()
    page.get_by_text("More parameters").click()
    format_ = page.get_by_label("Output format")

    def offered() -> list[str]:
        values: list[str] = page.locator("#output_format option:enabled").evaluate_all(
            "all => all.map(each => each.value)"
        )
        return values

    assert offered() == ["png", "jpeg"]
    page.get_by_label("SDXL 1.0").check(force=True)
    assert offered() == ["png"]
    page.get_by_label("First available").check(force=True)
    format_.select_option("jpeg")
    page.locator("#price").get_by_text("Compare: 1 image,").wait_for()
    playground.generate("A red barn")
    playground.wait_for_picture()
    with page.expect_download() as started:
        playground.button("Download").click()
    assert started.value.suggested_filename == f"a-red-barn-seed-{playground.fact('Seed')}.jpg"
    assert started.value.path().read_bytes().startswith(b"\xff\xd8\xff")
    page.get_by_text("The same request elsewhere").click()
    assert '"output_format":"jpeg"' in (page.locator("pre code").text_content() or "")
    format_.select_option("png")
    with kept_drawing(page):
        playground.button("Vary").click()
        page.locator(".canvas").wait_for()
    playground.wait_for_picture()
    assert [body["output_format"] for body in playground.watch.bodies] == ["jpeg", "jpeg"]
    playground.button("Reuse").click()
    assert format_.input_value() == "jpeg"
    assert sent_to_the_model(stand_in, "A red barn")["output_format"] == "jpeg"


@pytest.mark.parametrize("remembers", [True, False])
def test_a_reload_in_the_middle_pays_once_and_shows_the_picture(
    playground: Playground, stand_in: StandIn, *, remembers: bool
) -> None:
    """The tab keeps the request and its key; an API key that was not to be remembered is asked for again."""
    prompt = f"A ferry {remembers}"
    playground.page.get_by_label("Remember for this session").set_checked(remembers)
    playground.enter_key()
    with kept_drawing(playground.page):
        playground.generate(prompt)
        playground.page.get_by_text("Drawing…").wait_for()
        if remembers:
            with (
                playground.page.expect_popup() as opened
            ):  # gets a copy of what the tab keeps, as a duplicate does
                playground.page.evaluate("void open(location.href)")
            opened.value.locator("img.picture").wait_for()
            opened.value.close()
            playground.page.reload()
        else:  # as another page and the button "Back" do
            playground.page.goto("about:blank")
            playground.page.go_back()
    playground.page.get_by_role("heading", name="Your picture").wait_for()
    assert playground.prompt.input_value() == prompt
    if not remembers:
        playground.page.get_by_text("Enter your API key to see it").wait_for()
        assert playground.key.input_value() == ""
        playground.enter_key()
    playground.wait_for_picture()
    assert billed(stand_in, prompt) == 1
    assert playground.page.evaluate("sessionStorage.getItem('imagegen.run')") is None


@pytest.mark.thorough
def test_a_reload_before_the_reply_pays_once(playground: Playground, stand_in: StandIn) -> None:
    """The request has reached the service, and its reply is lost: the page does not know the generation's id."""
    page = playground.page
    page.get_by_label("Remember for this session").check()
    playground.enter_key()
    lost: list[int] = []

    def lose(route: Any) -> None:
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/v1/text-to-image", lose)
    playground.generate("A lost letter")
    page.get_by_text("No connection.").wait_for()
    page.unroute_all(behavior="wait")
    page.reload()
    playground.wait_for_picture()
    assert set(lost) == {202}
    playground.watch.forget_lost(page, "ERR_FAILED", least=len(lost))
    assert billed(stand_in, "A lost letter") == 1


def test_who_stops_waiting_finds_the_picture_in_the_history(
    playground: Playground, stand_in: StandIn
) -> None:
    """Only the waiting ends; nothing is cancelled, and a reload does not begin to wait again."""
    playground.enter_key()
    with kept_drawing(playground.page):
        playground.generate("A slow train")
        playground.page.get_by_text("Drawing…").wait_for()
        playground.button("Stop waiting").click()
    playground.page.get_by_text("Your picture will be here").wait_for()
    assert "imagegen.run" not in playground.kept()
    playground.gallery.get_by_role("button", name="Show A slow train").click()
    playground.wait_for_picture()
    assert billed(stand_in, "A slow train") == 1
    assert playground.kept() == []
