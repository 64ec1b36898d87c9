"""The tables of a page that are made by a program, between two comments that readers do not see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tools.failures import LocalError

_BLOCK: Final = re.compile(
    r"(?P<head><!-- table (?P<name>[a-z-]+): make [^>\n]+ -->\n\n)(?P<text>.*?)(?P<end>\n\n<!-- end -->)",
    re.DOTALL,
)


def shown(page: str) -> dict[str, str]:
    """Return the tables that a page shows, by their names."""
    return {block["name"]: block["text"] for block in _BLOCK.finditer(page)}


def renewed(page: str, tables: Mapping[str, str]) -> str:
    """Return a page with these tables in place of its own.

    Raises:
        LocalError: the page has a table that is not made any more, or lacks one.
    """
    if set(shown(page)) != set(tables):
        raise LocalError(
            f"The page has the tables {', '.join(shown(page))}, and those that are made are {', '.join(tables)}."
        )
    return _BLOCK.sub(lambda block: f"{block['head']}{tables[block['name']]}{block['end']}", page)
