"""The navigation of the site: `nav` in `zensical.toml`, with its folders written out."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from docsite.sources import Page
from tools.failures import LocalError

_FOLDER: Final = re.compile(r'"(?P<title>[^"]+)" = "(?P<folder>[^"]+/)"')


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One page of the navigation, under the titles of its sections."""

    sections: tuple[str, ...]
    title: str
    path: str


def written_out(configuration: str, pages: Sequence[Page]) -> str:
    """Replace each folder in the navigation by its pages, in the order of their names; its index comes first."""

    def pages_of(match: re.Match[str]) -> str:
        folder = match["folder"]
        below = sorted(
            (page for page in pages if page.path.startswith(folder)),
            key=lambda page: (not page.path.endswith("/index.md"), page.path),
        )
        rows = [f"    {{ {json.dumps(page.title)} = {json.dumps(page.path)} }},\n" for page in below]
        return f'"{match["title"]}" = [\n{"".join(rows)}  ]'

    return _FOLDER.sub(pages_of, configuration)


def entries(configuration: str) -> list[Entry]:
    """Return the pages of a navigation that is written out."""
    return list(_entries(tomllib.loads(configuration)["project"]["nav"], ()))


def check(found: Sequence[Entry], pages: Sequence[Page]) -> None:
    """Make sure that every page stands in the navigation, and nothing else does.

    Raises:
        LocalError: the sentence names the pages.
    """
    listed = [entry.path for entry in found]
    there = {page.path: page.source or page.path for page in pages}
    missing = sorted(source for path, source in there.items() if path not in listed)
    if missing:
        raise LocalError(f"docsite/zensical.toml does not have in its navigation: {', '.join(missing)}.")
    strange = sorted({path for path in listed if path not in there or listed.count(path) > 1})
    if strange:
        raise LocalError(
            f"docsite/zensical.toml has in its navigation what is no page, or twice: {', '.join(strange)}."
        )


def _entries(rows: Any, sections: tuple[str, ...]) -> Iterator[Entry]:
    for row in rows:
        ((title, value),) = row.items()
        if isinstance(value, str):
            yield Entry(sections=sections, title=title, path=value)
        else:
            yield from _entries(value, (*sections, title))
