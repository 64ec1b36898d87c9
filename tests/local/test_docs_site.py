"""The site of `make docs`: what it holds, what it loads, and which mistakes keep it from being built."""

from __future__ import annotations

import html
import json
import re
import shutil
from contextlib import contextmanager
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from docsite import result, sources
from docsite.build import build
from tests.support.local_instances import ENVIRON
from tests.support.pages import running_browser, serving
from tools.checkout import CHECKOUT
from tools.failures import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

NAVIGATION = """
[project]
site_name = "small"
site_description = "A small site."
docs_dir = "pages"
site_dir = "site"
use_directory_urls = false
nav = [
  { "Start" = "index.md" }, { "One" = "one.md" }, { "Client" = "python-client.md" },
  { "Reference" = "api-reference.md" },
  { "Rest" = [ { "Contributing" = "contributing.md" }, { "Tests" = "tests.md" }, { "Changes" = "changelog.md" } ] },
  { "Decisions" = "decisions/" },
]
[project.theme]
font = false
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site of this checkout."""
    folder = tmp_path_factory.mktemp("docs")
    build(folder / "site", work=folder / "work", environ=ENVIRON)
    return folder / "site"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a checkout with one page of its own."""
    root = tmp_path / "checkout"
    for name in (*sources.PAGES, "docs/one.md", "docs/decisions/0001-one.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n\nSome words.\n", encoding="utf-8")
    for name in (*sources.FILES, "docsite/site.css"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, root / name)
    (root / "docsite" / "zensical.toml").write_text(NAVIGATION, encoding="utf-8")
    return root


@pytest.fixture
def built(tmp_path: Path) -> Callable[[Path], Path]:
    """Return a function that builds the site of a checkout and returns its folder."""

    def make(root: Path) -> Path:
        build(tmp_path / "site", work=tmp_path / "work", environ=ENVIRON, root=root)
        return tmp_path / "site"

    return make


def add(root: Path, text: str) -> None:
    """Add words to the small site's own page."""
    page = root / "docs" / "one.md"
    page.write_text(f"{page.read_text(encoding='utf-8')}\n{text}\n", encoding="utf-8")


def test_every_page_is_there_for_people_and_for_programs(site: Path) -> None:
    """Each page is HTML, and beside it Markdown; every file of `docs/` is one of them."""
    of_docs = {path.relative_to(CHECKOUT / "docs") for path in (CHECKOUT / "docs").rglob("*.md")}
    names = {path.with_name("index.md") if path.name == "README.md" else path for path in of_docs}
    assert names
    assert {path for path in names if not (site / path).is_file()} == set()
    assert {path for path in names if not (site / path.with_suffix(".html")).is_file()} == set()


def test_the_list_for_programs_has_every_page_once(site: Path) -> None:
    """The file has the form of llmstxt.org: a heading, a quotation, and sections of links with a sentence each."""
    text = (site / "llms.txt").read_text(encoding="utf-8")
    links = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .{10,}\.$", text, re.MULTILINE)
    assert text.startswith("# imagegen\n\n> ")
    assert len(re.findall(r"^- ", text, re.MULTILINE)) == len(links)
    assert sorted(links) == sorted(path.relative_to(site).as_posix() for path in site.rglob("*.md"))
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[-1] == "Optional"


def test_every_link_of_the_markdown_leads_somewhere(site: Path) -> None:
    """A program that follows links from page to page finds Markdown again."""
    texts = {
        page.relative_to(site).as_posix(): re.sub(
            r"(`+)(?!`).+?(?<!`)\1(?!`)", "", page.read_text(encoding="utf-8")
        )
        for page in site.rglob("*.md")
    }
    links = {
        (page, link)
        for page, text in texts.items()
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    }
    assert len(links) > 100
    assert {(page, link) for page, link in links if not (site / page).parent.joinpath(link).exists()} == set()


def test_the_reference_has_every_operation_reply_header_code_and_schema(site: Path) -> None:
    """It is made of the API's document, so nothing may be lost on the way."""
    page = (site / "api-reference.md").read_text(encoding="utf-8")
    document = json.loads((CHECKOUT / "lambda/imagegen/http/openapi.json").read_text(encoding="utf-8"))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            section = page.partition(f"\n### {method.upper()} /v1{path}\n")[2].partition("\n### ")[0]
            expected = {
                *(f"\n| `{parameter['name']}`" for parameter in operation.get("parameters", ())),
                *(f"\n| {status} |" for status in operation["responses"]),
                *(f"`{code}`" for code in codes_of(operation)),
            }
            assert {text for text in expected if text not in section} == set()
    for kind, names in document["components"].items():
        if kind in {"headers", "schemas"}:
            assert [
                name
                for name in names
                if not re.search(rf"^(### Schema {name}$|\| `{name}`)", page, re.MULTILINE)
            ] == []
    members = {
        name for schema in document["components"]["schemas"].values() for name in schema.get("properties", ())
    }
    assert {name for name in members if f"| `{name}`" not in page} == set()


def codes_of(operation: dict[str, Any]) -> set[str]:
    """Return the codes of an operation's problems."""
    return {
        code
        for reply in operation["responses"].values()
        for media in reply.get("content", {}).values()
        for code in media.get("examples", {})
    }


def test_commands_in_tables_are_shown_as_they_are_run(site: Path) -> None:
    """GitHub wants a bar in a table escaped, also in code; Python-Markdown would show the backslash."""
    source = (CHECKOUT / "docs" / "aws.md").read_text(encoding="utf-8")
    shown = {
        html.unescape(code)
        for code in re.findall(r"<code>(.*?)</code>", (site / "aws.html").read_text(encoding="utf-8"))
    }
    in_tables = {
        code.replace("\\|", "|")
        for line in source.splitlines()
        if line.startswith("| ")
        for code in re.findall(r"`([^`]*\\\|[^`]*)`", line)
    }
    assert in_tables
    assert in_tables - shown == set()


def test_commands_are_copied_without_their_prompts() -> None:
    """A block with outputs keeps them, because they tell commands and outputs apart."""
    commands = "```console\n$ make up\n$ curl -sS \\\n    one\n```\n"
    assert sources.for_zensical(commands) == "```bash\nmake up\ncurl -sS \\\n    one\n```\n"
    mixed = "```console\n$ make status\nurl http://127.0.0.1\n```\n"
    assert sources.for_zensical(mixed) == mixed


def test_a_link_leads_to_where_its_target_is_on_the_site(small: Path) -> None:
    """A link in code stays as it is."""
    add(small, "A [link](../README.md#a), [another](decisions/README.md), `a [link](nowhere.md) in code`.")
    (page,) = (page for page in sources.pages(small) if page.path == "one.md")
    assert "A [link](index.md#a), [another](decisions/index.md), `a [link](nowhere.md) in code`." in page.text


@pytest.mark.parametrize("target", ["nowhere.md", "../Makefile"])
def test_a_link_to_what_is_not_on_the_site_keeps_it_from_being_built(
    target: str, small: Path, built: Callable[[Path], Path]
) -> None:
    """That holds for a file that does not exist, and for one that is no page."""
    add(small, f"A [link]({target}).")
    with pytest.raises(
        LocalError, match=rf"^docs/one\.md links {re.escape(target)}, which is not on the site"
    ):
        built(small)


@pytest.mark.thorough
def test_a_link_to_a_heading_that_does_not_exist_keeps_the_site_from_being_built(
    small: Path, built: Callable[[Path], Path], tmp_path: Path
) -> None:
    """On the page itself and on another one; the site of before stays."""
    add(small, "A [link](../README.md#not-there) and [another](#not-here).")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "of-before").touch()
    with pytest.raises(LocalError, match=r"(?s)one\.md:5.*#not-there.*one\.md:5.*#not-here") as failure:
        built(small)
    assert "Traceback" not in str(failure.value)
    assert (tmp_path / "site" / "of-before").exists()


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("one.html", '<img src="https://x.example/one.png">', "one.html loads https://x.example/one.png"),
        ("one.html", '<script src="//x.example/one.js"></script>', "one.html loads //x.example/one.js"),
        ("one.html", '<link href="http://x.example/a.css">', "one.html loads http://x.example/a.css"),
        ("one.html", '<a href="two.html">', "one.html links two.html, which does not exist"),
        ("one.html", '<img srcset="a.png 1x">', "one.html links a.png, which does not exist"),
        ("one.html", '<b id="a"></b><a href="#b">', "one.html links #b, and there is no such heading"),
        ("one.css", "@import 'https://x.example/a.css';", "one.css loads https://x.example/a.css"),
        ("one.css", "b { background: url(//x.example/c.png) }", "one.css loads //x.example/c.png"),
    ],
)
def test_a_fault_of_the_finished_site_is_found(name: str, text: str, fault: str, tmp_path: Path) -> None:
    """Zensical does not look for some of them; a link to another host is none, because nothing is loaded."""
    (tmp_path / name).write_text(f'<a href="https://x.example">x</a>{text}', encoding="utf-8")
    assert result.faults(tmp_path) == [fault]


def test_a_page_that_is_not_in_the_navigation_keeps_the_site_from_being_built(
    small: Path, built: Callable[[Path], Path]
) -> None:
    """Nobody would find it."""
    (small / "docs" / "two.md").write_text("# Two\n\nWords.\n", encoding="utf-8")
    with pytest.raises(LocalError, match=r"does not have in its navigation: docs/two\.md\.$"):
        built(small)


def test_a_name_in_the_navigation_without_a_page_keeps_the_site_from_being_built(
    small: Path, built: Callable[[Path], Path]
) -> None:
    """The same holds for a page that stands in it twice."""
    (small / "docs" / "one.md").unlink()
    with pytest.raises(LocalError, match=r"is no page, or twice: one\.md\.$"):
        built(small)


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site from a folder of a host, and return its address."""

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(site.parent))

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Files) as port:
        yield f"http://127.0.0.1:{port}/{site.name}"


@contextmanager
def watched_page() -> Iterator[tuple[Page, set[str], list[str]]]:
    """Open a browser, and collect the hosts that it asks, and the addresses that it does not get."""
    with running_browser(resolve={}) as browser, browser.new_context() as context:
        context.set_default_timeout(120_000)
        page = context.new_page()
        hosts: set[str] = set()
        missing: list[str] = []
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on(
            "response",
            lambda reply: missing.append(reply.url) if reply.status >= HTTPStatus.BAD_REQUEST else None,
        )
        yield page, hosts, missing


def test_the_search_finds_a_page_and_asks_no_other_host(address: str) -> None:
    """The whole of the site is on one host: pages, styles, scripts, icons and the index of the search."""
    with watched_page() as (page, hosts, missing):
        page.goto(f"{address}/index.html", wait_until="networkidle")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("combobox", name="Search").fill("idempotency_conflict")
        page.locator("a[role=option][href*='errors.html']").first.wait_for()
        for name in ("architecture", "api-reference"):
            page.goto(f"{address}/{name}.html", wait_until="networkidle")
    assert hosts == {urlsplit(address).netloc}
    assert missing == []
