"""The playground knows every error of the API, and names the fields by which people and programs find them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from imagegen_client.command_line import program
from imagegen_client.command_line.app import app

ROOT = Path(__file__).parents[2]
APP = ROOT / "web" / "app"
DOCUMENT = json.loads((ROOT / "lambda/imagegen/http/openapi.json").read_text(encoding="utf-8"))
CODES = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
MODULES = sorted(APP.rglob("*.js"))
MOST_LINES = 400
MOST_BYTES_OF_THE_PICTURE = 200_000


def remedies() -> dict[str, str]:
    """Return what the page advises, by the code of the error."""
    table = (
        (APP / "words.js")
        .read_text(encoding="utf-8")
        .partition("export const REMEDIES = {")[2]
        .partition("};")[0]
    )
    return dict(re.findall(r'^  (\w+): "(.+)",$', table, re.MULTILINE))


def test_the_page_says_what_to_do_about_every_error() -> None:
    """One code more is the page's own: no reply came."""
    assert remedies().keys() - {"unreachable"} == set(CODES)
    assert all(len(remedy) > 15 and remedy.endswith(".") for remedy in remedies().values())


def test_the_form_has_every_field_of_the_request() -> None:
    """A new field of the API needs a control; the texts and the size have other names in the form."""
    form = (APP / "form.js").read_text(encoding="utf-8").partition("emptyForm() {")[2].partition("};")[0]
    names = set(re.findall(r"^    (\w+):", form, re.MULTILINE))
    here = {"lines", "size", "keepsSeed"}
    assert here <= names
    properties = DOCUMENT["components"]["schemas"]["TextToImageRequest"]["properties"]
    assert names - here == properties.keys() - {"text_prompts", "width", "height"}


def test_the_command_that_is_shown_has_only_options_that_exist() -> None:
    """Every field of the request has one, except the texts, which have three, and `samples`, which is always 1."""
    shown = (APP / "commands.js").read_text(encoding="utf-8").partition("const OPTIONS")[2]
    named = set(re.findall(r"--[a-z][a-z-]*", shown))
    generate: Any = typer.main.get_command(app).commands["generate"]  # type: ignore[attr-defined]  # a group
    known = {option for parameter in generate.params for option in parameter.opts}
    assert program.COMMANDS
    assert named <= known
    assert {"--add", "--weight", "--negative", "--async", "--webhook-url", "--strict", "--extras"} <= named
    by_field = dict(re.findall(r'^  (\w+): "(--[a-z-]+)",$', shown, re.MULTILINE))
    properties = DOCUMENT["components"]["schemas"]["TextToImageRequest"]["properties"]
    others = {"text_prompts", "samples", "strict", "extras", "webhook_url"}
    assert by_field.keys() == properties.keys() - others


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(APP)))
def test_a_module_says_what_it_is_for_and_stays_short(module: Path) -> None:
    """As the modules of the service do."""
    lines = module.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("// ")
    assert len(lines) <= MOST_LINES


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(APP)))
def test_no_module_turns_a_text_into_html_or_code(module: Path) -> None:
    """A prompt of somebody is shown as a text."""
    text = module.read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySet|\beval\(|new Function|localStorage",
        text,
    )


def test_the_readme_shows_the_page_by_a_small_picture() -> None:
    """Whoever clones the repository loads it as well; `make screenshots` takes it anew."""
    assert "(docs/playground.jpg)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "docs" / "playground.jpg").stat().st_size < MOST_BYTES_OF_THE_PICTURE
