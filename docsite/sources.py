"""The files of the checkout that become pages, and their text as the site needs it.

A page is laid out twice: as GitHub's Markdown for programs (`api.md`), and as the Markdown that Zensical reads. In
both, a link leads to where its target is on the site.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Final

from tools.checkout import CHECKOUT
from tools.failures import LocalError

PAGES: Final[Mapping[str, str]] = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "client/README.md": "python-client.md",
    "tests/README.md": "tests.md",
    "docs/decisions/README.md": "decisions/index.md",
}
"""Pages whose place on the site is not their place below `docs/`."""
FILES: Final[Mapping[str, str]] = {
    "LICENSE": "license.txt",
    "lambda/imagegen/http/openapi.json": "openapi.json",
    "tests/data/seed_sample.py.txt": "seed_sample.py.txt",
}
"""Files that pages link, copied as they are; so is whatever else is in `docs/`."""
ELSEWHERE: Final = ("http:", "https:", "//", "mailto:", "#")
_FENCE: Final = re.compile(r"\s*(```|~~~)")
_CODE: Final = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_CONSOLE: Final = re.compile(r"^```console\n(?P<commands>\$ .*?^)```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r'(?:(?<=\]\()|(?<= src=")|(?<= srcset=")|(?<= href="))[^)\s"]+')


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: its file in the checkout (empty if it is generated), its place on the site, and its text."""

    source: str
    path: str
    text: str

    @property
    def title(self) -> str:
        """The text of the first heading, without code marks.

        Raises:
            LocalError: it has none.
        """
        found = re.search(r"^# (.+)$", self.text, re.MULTILINE)
        if found is None:
            raise LocalError(f"{self.source or self.path} has no heading.")
        return found[1].replace("`", "")


def places(root: Path = CHECKOUT) -> dict[str, str]:
    """Return where each file of the checkout is on the site."""
    below = (path.relative_to(root) for path in sorted((root / "docs").rglob("*")) if path.is_file())
    of_docs = {path.as_posix(): path.relative_to("docs").as_posix() for path in below}
    return {**of_docs, **FILES, **PAGES}


def pages(root: Path = CHECKOUT) -> list[Page]:
    """Read every page, with its links turned into links of the site.

    Raises:
        LocalError: a link leads to a file that is not on the site.
    """
    found = places(root)
    return [
        Page(source=source, path=path, text=_linked(source, found, root))
        for source, path in found.items()
        if path.endswith(".md")
    ]


def lay_out(written: list[Page], target: Path, root: Path = CHECKOUT) -> None:
    """Write the pages in the Markdown that Zensical reads, and beside them the files that they link."""
    for source, path in places(root).items():
        if not path.endswith(".md"):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / source, target / path)
    for page in written:
        (target / page.path).parent.mkdir(parents=True, exist_ok=True)
        (target / page.path).write_text(for_zensical(page.text), encoding="utf-8")


def for_zensical(text: str) -> str:
    r"""Return a page as Zensical needs it.

    - In the code of tables, GitHub wants `\|`, and Python-Markdown a plain bar.
    - The button that copies a block of commands would copy the prompts as well, so they are left out.
    """

    def unescaped(line: str) -> str:
        return _CODE.sub(lambda code: code[0].replace("\\|", "|"), line) if line.startswith("|") else line

    return _CONSOLE.sub(_without_prompts, _outside_of_fences(text, unescaped))


def _without_prompts(block: re.Match[str]) -> str:
    commands = block["commands"]
    # Whatever has neither a prompt nor a command before it that goes on is an output: then the prompts tell them apart.
    if re.search(r"(?<!\\)\n(?!\$ |\Z)", commands):
        return block[0]
    plain = re.sub(r"^\$ ", "", commands, flags=re.MULTILINE)
    return f"```bash\n{plain}```"


def _linked(source: str, found: Mapping[str, str], root: Path) -> str:
    here = found[source]

    def target_of(link: str) -> str:
        if link.startswith(ELSEWHERE):
            return link
        path, mark, anchor = link.partition("#")
        wanted = normpath(PurePosixPath(source).parent / path)
        if wanted not in found:
            raise LocalError(f"{source} links {link}, which is not on the site: see docsite/sources.py.")
        return relpath(found[wanted], PurePosixPath(here).parent) + mark + anchor

    def changed(line: str) -> str:
        codes = [code.span() for code in _CODE.finditer(line)]

        def replaced(match: re.Match[str]) -> str:
            in_code = any(start <= match.start() < end for start, end in codes)
            return match[0] if in_code else target_of(match[0])

        return _LINK.sub(replaced, line)

    return _outside_of_fences((root / source).read_text(encoding="utf-8"), changed)


def _outside_of_fences(text: str, change: Callable[[str], str]) -> str:
    def lines() -> Iterator[str]:
        fence = ""
        for line in text.splitlines(keepends=True):
            mark = _FENCE.match(line)
            if mark and fence in {"", mark[1]}:
                fence = "" if fence else mark[1]
                yield line
            else:
                yield line if fence else change(line)

    return "".join(lines())
