"""`llms.txt`, which tells programs what each page is about (https://llmstxt.org)."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from docsite.navigation import Entry
from docsite.sources import Page

_LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_SENTENCE: Final = re.compile(r"^.*?\.(?= |$)")
_DECISION: Final = re.compile(r"decisions/\d")
_OTHER: Final = "Optional"
"""The section that a reader with little room may leave out, by llmstxt.org's own word."""


def llms_txt(*, name: str, summary: str, found: Sequence[Entry], pages: Mapping[str, Page]) -> str:
    """Return the file: a heading, a quotation, and a list of links for each section of the navigation."""
    parts = [f"# {name}\n\n> {summary}\n"]
    parts.append("Every page is here twice: as HTML, and as Markdown with the ending `.md`.\n")
    front = [entry for entry in found if len(entry.sections) < 2]  # noqa: PLR2004 - the second level is a folder
    rest = [entry for entry in found if entry not in front]
    for section, rows in groupby(front, key=lambda entry: entry.sections[0] if entry.sections else name):
        parts.append(_section(section if section != name else "Overview", list(rows), pages))
    parts.append(_section(_OTHER, rest, pages))
    return "\n".join(parts)


def _section(title: str, rows: Sequence[Entry], pages: Mapping[str, Page]) -> str:
    lines = [f"- [{row.title}]({row.path}): {first_sentence(pages[row.path])}\n" for row in rows]
    return f"## {title}\n\n{''.join(lines)}"


def first_sentence(page: Page) -> str:
    """Return the first sentence of a page as plain text; of a decision, the first one that says what was decided."""
    heading = "## Decision" if _DECISION.match(page.path) else f"# {page.title}"
    _, _, body = re.sub(r"`|\*\*|^- ", "", page.text, flags=re.MULTILINE).partition(f"{heading}\n")
    plain = _LINK.sub(r"\1", " ".join(body.strip().partition("\n\n")[0].split()))
    sentence = _SENTENCE.match(plain)
    return sentence[0] if sentence else f"{plain.rstrip(':')}."
