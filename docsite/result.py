"""Checks of the finished site: whether every link leads somewhere, and whether a page loads only what is beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from posixpath import normpath
from typing import Final
from urllib.parse import unquote, urlsplit

LOADS: Final = {
    "audio",
    "embed",
    "iframe",
    "img",
    "input",
    "link",
    "object",
    "script",
    "source",
    "track",
    "video",
}
"""Elements whose address a browser loads by itself."""
_FOREIGN_CSS: Final = re.compile(r"""(?:@import\s+|url\()\s*["']?((?:https?:)?//[^"')\s]+)""")


@dataclass(kw_only=True)
class _Addresses(HTMLParser):
    """Collects the ids of a page, the addresses that it links, and those that it loads."""

    ids: set[str] = field(default_factory=set)
    linked: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the addresses of an element."""
        values = {name: value or "" for name, value in attrs}
        self.ids.update(values[name] for name in ("id", "name") if name in values)
        found = [values[name] for name in ("href", "src", "data", "poster") if name in values]
        found += [part.split()[0] for part in values.get("srcset", "").split(",") if part.split()]
        (self.loaded if tag in LOADS else self.linked).extend(found)


def faults(site: Path) -> list[str]:
    """Return a sentence for each link that leads nowhere, and for each address of another host that is loaded."""
    pages = {path.relative_to(site).as_posix(): _read(path) for path in sorted(site.rglob("*.html"))}
    return [
        *(sentence for name, page in pages.items() for sentence in _of_page(name, page, pages, site)),
        *(
            f"{path.relative_to(site)} loads {address}"
            for path in sorted(site.rglob("*.css"))
            for address in _FOREIGN_CSS.findall(path.read_text(encoding="utf-8"))
        ),
    ]


def _read(path: Path) -> _Addresses:
    page = _Addresses()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _of_page(name: str, page: _Addresses, pages: dict[str, _Addresses], site: Path) -> Iterator[str]:
    foreign = ("http:", "https:", "//")
    yield from (f"{name} loads {address}" for address in page.loaded if address.startswith(foreign))
    for address in (*page.linked, *page.loaded):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        path = unquote(parts.path)
        base = "" if path.startswith("/") else name.rpartition("/")[0]
        target = normpath(f"{base}/{path.lstrip('/')}".lstrip("/")) if path else name
        if (site / target).is_dir():
            target = normpath(f"{target}/index.html")
        if not (site / target).is_file():
            yield f"{name} links {address}, which does not exist"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
            yield f"{name} links {address}, and there is no such heading"
