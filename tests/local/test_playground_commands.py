"""What the playground shows for other programs makes the same request as the page."""

from __future__ import annotations

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from tests.support.local_instances import ENVIRON
from tests.support.pages import serving
from tests.support.playground import allow_the_clipboard
from tests.support.stand_in_calls import CORE
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from tests.support.deployed_stack import StandIn
    from tests.support.playground import Playground

DOCUMENT: Final = json.loads((CHECKOUT / "lambda/imagegen/http/openapi.json").read_text(encoding="utf-8"))[
    "components"
]["schemas"]["TextToImageRequest"]


def sent_to_the_model(stand_in: StandIn, prompt: str) -> dict[str, Any]:
    """Return the body of the last call with this prompt."""
    body: dict[str, Any] = stand_in.calls(prompt=prompt)["last"][-1]["body"]
    return body


def run(code: str, *, language: str, playground: Playground) -> str:
    """Run what the page shows, as somebody who pastes it, and return what it prints."""
    state = playground.stack.state
    trust = {name: state.ca_bundle or "" for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE") if state.ca_bundle}
    program = ["bash", "-c", code] if language == "curl" else [sys.executable, "-c", code]
    done = subprocess.run(  # noqa: S603 - the commands that the page shows
        program,
        env={
            "PATH": ENVIRON["PATH"],
            "IMAGEGEN_API_KEY": playground.api_key,
            "NO_PROXY": "127.0.0.1",
            **trust,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_same_request_runs_elsewhere(playground: Playground, stand_in: StandIn) -> None:
    """Each program draws the same picture again, as it was run: with the seed that the service chose."""
    allow_the_clipboard(playground.page.context, playground.stack)
    playground.enter_key()
    playground.button("Add what to avoid").click()
    playground.page.get_by_label("What to avoid").fill("rain")
    playground.generate("It's a windmill")
    playground.wait_for_picture()
    seed = int(playground.fact("Seed"))
    playground.page.get_by_text("The same request elsewhere").click()
    for language in ("curl", "Python", "openai"):
        playground.button(language).click()
        playground.button("Copy").click()
        playground.page.get_by_text(f"The command for {language} is copied.").wait_for()
        code = playground.page.evaluate("navigator.clipboard.readText()")
        assert playground.api_key not in code
        printed = run(code, language=language, playground=playground)
        assert "http" in (printed if language != "curl" else json.loads(printed)["artifacts"][0]["url"])
        drawn = sent_to_the_model(stand_in, "It's a windmill")
        assert (drawn["seed"], drawn["negative_prompt"]) == (seed, "rain")


class Recorder(BaseHTTPRequestHandler):
    """Notes each request for an image, and refuses it."""

    bodies: ClassVar[list[tuple[str | None, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        """Refuse it in a way that no client repeats."""
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append((self.headers["Prefer"], sent))
        self.send_response(400)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Stay quiet."""


def shown_command(playground: Playground) -> str:
    """Return the command `imagegen` as the page shows it."""
    playground.button("imagegen").click()
    shown = playground.page.locator("pre code")
    shown.get_by_text("imagegen generate").wait_for()
    return shown.text_content() or ""


def run_imagegen(command: str, *, playground: Playground, folder: Path, url: str) -> str:
    """Run the command of the page in this folder, as if it were installed, and return what it says."""
    _, _, line = command.split("\n", maxsplit=2)
    done = subprocess.run(  # noqa: S603 - the command that the page shows
        ["bash", "-c", f'imagegen() {{ "{sys.executable}" -m imagegen_client "$@"; }}\n{line}'],  # noqa: S607
        env={
            "PATH": ENVIRON["PATH"],
            "PYTHONPATH": str(CHECKOUT / "client"),
            "IMAGEGEN_URL": url,
            "IMAGEGEN_API_KEY": playground.api_key,
            "IMAGEGEN_CONFIG_DIR": str(folder),
            "NO_PROXY": "127.0.0.1",
            **({"SSL_CERT_FILE": str(bundle)} if (bundle := playground.stack.ca_bundle) else {}),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


PROMPTS: Final = ("history", '-x\n<b>🌊</b> "$HOME"', "-")
"""A command, an option with what a shell could take apart, and the name of stdin."""


@pytest.mark.thorough
def test_every_field_reaches_the_service_by_the_command(playground: Playground, tmp_path: Path) -> None:
    """Also a prompt that could be a command or an option; the request is the page's own, field by field."""
    page = playground.page
    playground.watch.expected = {400}
    playground.enter_key()
    for text in ("roses", "-1:it's odd", "people", "rain"):
        playground.button("Add a text").click()
        page.get_by_label("Another text").last.fill(text)
    for number, weight in enumerate(("0.75", "-0.5", "2", "-1", "-1")):
        page.get_by_label("Weight").nth(number).fill(weight)
    page.get_by_label("3:2").check(force=True)
    page.get_by_label("Line art").check(force=True)
    page.get_by_label("Seed").fill("77")
    page.get_by_text("More parameters").click()
    page.get_by_label("Steps").fill("60")
    page.get_by_label("CFG scale").fill("9.5")
    page.get_by_label("Sampler").select_option("K_EULER")
    page.get_by_label("CLIP guidance preset").select_option("FAST_BLUE")
    page.get_by_label("Output format").select_option("jpeg")
    page.get_by_label("Extras").fill('{"it\'s": [1, "a b"]}')
    page.get_by_label("Webhook URL").fill("https://example.com/hook?a=1&b=2")
    page.get_by_label("Strict").check()
    page.locator(f"input[value='{CORE}']").check(force=True)
    for prompt in PROMPTS:
        playground.prompt.fill(prompt)
        playground.button("Generate").click()
        playground.alert.wait_for()
        asked = playground.watch.bodies[-1]
        assert asked["text_prompts"][0]["text"] == prompt
        assert asked.keys() == DOCUMENT["properties"].keys() - {"samples"}
        if prompt == PROMPTS[0]:
            page.get_by_text("The same request elsewhere").click()
        Recorder.bodies.clear()
        with serving(Recorder) as port:
            said = run_imagegen(
                shown_command(playground),
                playground=playground,
                folder=tmp_path,
                url=f"http://127.0.0.1:{port}/v1",
            )
        assert Recorder.bodies == [("respond-async", asked)], said


@pytest.mark.thorough
def test_the_command_makes_the_picture_of_the_page(playground: Playground, tmp_path: Path) -> None:
    """The service has stored the same request twice."""
    playground.enter_key()
    playground.button("Add what to avoid").click()
    playground.page.get_by_label("What to avoid").fill("rain")
    playground.generate("It's a windmill")
    playground.wait_for_picture()
    playground.page.get_by_text("The same request elsewhere").click()
    said = run_imagegen(
        shown_command(playground),
        playground=playground,
        folder=tmp_path,
        url=playground.stack.state.api_url,
    )
    with playground.stack.client(api_key=playground.api_key) as client:
        first, second = client.get("/generations").json()["generations"]
    assert first["request"] == second["request"], said
    assert len(list(tmp_path.glob("*.png"))) == 1
