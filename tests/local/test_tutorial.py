"""What the pages for newcomers show is run on the deployed stack, as it stands."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import documented, front, pages
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from tests.support.deployed_stack import Stack, StandIn
    from tests.support.local_instances import Instance
    from tests.support.pages import Web

PAGES = ("quick-start.md", "tutorial.md")
PNG = b"\x89PNG"


@pytest.fixture
def folder(stack: Stack, tmp_path: Path) -> Path:
    """Return a folder in which the commands find the state of the stack, as in a checkout."""
    (tmp_path / ".local").symlink_to(stack.folder)
    return tmp_path


@pytest.fixture
def environ(stack: Stack) -> dict[str, str]:
    """Return the environment of a reader; in strict mode with what docs/clients.md says about the certificate."""
    trusted = {name: str(stack.ca_bundle) for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE")}
    programs = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": programs, "NO_PROXY": "*", **(trusted if stack.ca_bundle else {})}


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_do_what_it_says(name: str, folder: Path, environ: dict[str, str]) -> None:
    """Each output that the page shows is what its commands print."""
    blocks = documented.blocks(name)
    documented.save_files(blocks, folder)
    printed = documented.run(blocks, folder, environ)
    shown = list(documented.expected(blocks))
    assert len(shown) >= 3
    assert [(number, printed[number].rstrip("\n") + "\n") for number, _ in shown] == shown
    pictures = sorted(folder.glob("*.png"))
    assert pictures
    assert {path.name for path in pictures if path.read_bytes()[:4] != PNG} == set()


@pytest.mark.parametrize("name", [*PAGES, "moving.md"])
def test_every_block_of_a_page_is_run_or_says_that_it_is_not(name: str) -> None:
    """A block is a console, a file that a command or the browser uses, an output, or what the reader had before."""
    blocks = documented.blocks(name)
    consoles = "\n".join(block.text for block in blocks if block.kind == "console")
    assert blocks
    for block in blocks:
        used = block.file and (
            f" {block.file} " in f"{consoles} ".replace("\n", " ") or block.file == "page.html"
        )
        assert block.kind in {"console", "text"} or used or block.is_before, block.text


@pytest.mark.parametrize("name", [*PAGES, "moving.md"])
def test_every_target_of_make_that_a_page_names_exists(name: str) -> None:
    """The shell of the tests does not run them."""
    page = (CHECKOUT / "docs" / name).read_text(encoding="utf-8")
    targets = set(
        re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert set(re.findall(r"(?:^\$ |`)make ([a-z-]+)", page, re.MULTILINE)) <= targets


def test_the_program_of_the_tutorial_pays_once_whatever_happens_to_its_first_tries(
    folder: Path, environ: dict[str, str], stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """The first is refused for free, the reply of the second gets lost, and the third gets its picture."""
    blocks = documented.blocks("tutorial.md")
    documented.save_files(blocks, folder)
    (block,) = (block for block in blocks if block.kind == "console" and "picture.py" in block.text)
    with front.running(stack, folder=tmp_path / "tls", failures=("refused", "reply lost")) as before:
        variables = {"API": before.url, "KEY": stack.state.api_key, "SSL_CERT_FILE": str(before.authority)}
        printed = documented.run([block], folder, {**environ, **variables})
    assert printed[0].startswith("tea.png: 1024 x 1024")
    assert len(before.keys) == 3
    assert len(set(before.keys)) == 1
    assert stand_in.calls(prompt="Sri lanka tea plantation.")["billed"] == 1


@pytest.mark.thorough
def test_the_programs_of_the_moving_page_do_what_it_says(
    folder: Path, environ: dict[str, str], stack: Stack, tmp_path: Path
) -> None:
    """They run over https, as boto3 wants it; Bedrock's program and OpenAI's are those of before."""
    blocks = documented.blocks("moving.md")
    documented.save_files(blocks, folder)
    with front.running(stack, folder=tmp_path / "tls") as before:
        (folder / ".local").unlink()
        (folder / ".local" / "tls").mkdir(parents=True)
        shutil.copy(before.authority, folder / ".local" / "tls" / "ca.pem")
        replace(stack.state, api_url=before.url).write(folder / ".local")
        printed = documented.run(blocks, folder, environ)
    shown = list(documented.expected(blocks))
    assert [(number, printed[number].rstrip("\n") + "\n") for number, _ in shown] == shown
    assert {path.name for path in folder.glob("*.png") if path.read_bytes()[:4] == PNG} == {
        "bedrock.png",
        "openai.png",
        "stability.png",
        "harbour.png",
    }


def test_openais_program_is_the_one_of_before_and_saves_its_picture() -> None:
    """The page says that two variables move the same call."""
    blocks = documented.blocks("moving.md")
    (old,) = (block.text for block in blocks if block.is_before and block.kind == "python")
    (new,) = (block.text for block in blocks if block.file == "with_openai.py")
    assert [line for line in new.splitlines() if line in old.splitlines() and line] == [
        line for line in old.splitlines() if line
    ]


@pytest.fixture(scope="module")
def web(stack: Stack, create_instance: Callable[[str], Instance]) -> Iterator[Web]:
    """Start the browser for this module's tests."""
    with pages.web_of(stack, create_instance("tutorial")) as running:
        yield running


@pytest.fixture
def page(web: Web) -> Iterator[Page]:
    """Open the page of the tutorial on the origin that the service allows."""
    (block,) = (block for block in documented.blocks("tutorial.md") if block.file == "page.html")
    with pages.opened_page(web) as opened:
        opened.set_content(block.text)
        opened.get_by_label("Address of the service").fill(web.api_url)
        yield opened


@pytest.mark.thorough
def test_the_page_of_the_tutorial_shows_the_picture(web: Web, page: Page) -> None:
    """A reader enters address, key and prompt, and sees the picture and what it cost."""
    page.get_by_label("API key").fill(web.api_key)
    page.get_by_label("Prompt").fill("Sri lanka tea plantation.")
    page.get_by_role("button", name="Make an image").click()
    page.get_by_text(re.compile(r"^Drawn by stability\.stable-image-core-v1:1 for \$0\.04\.$")).wait_for()
    image = page.get_by_role("img", name="Sri lanka tea plantation.")
    image.wait_for()
    assert image.evaluate("async image => { await image.decode(); return image.naturalWidth }") == 1024


@pytest.mark.thorough
def test_the_page_of_the_tutorial_shows_why_it_was_refused(page: Page) -> None:
    """The sentence is the service's own."""
    page.get_by_label("API key").fill("ig_wrong")
    page.get_by_label("Prompt").fill("Tea.")
    page.get_by_role("button", name="Make an image").click()
    refused = page.get_by_role("status").filter(has_text="key")
    refused.wait_for()
    assert page.get_by_role("img").count() == 0
