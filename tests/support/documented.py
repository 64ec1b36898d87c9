"""The commands, files and outputs that a page of `docs/` shows, so that a test can run them as a reader does."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

BLOCK: Final = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE: Final = re.compile(r"[Ss]ave (?:this|it) as `(?P<name>[\w.-]+)`[^`]*:\n\n\Z")
BEFORE: Final = re.compile(r"(?:\A|\n)Before[^\n]*:\n\n\Z")
MARK: Final = "-- end of a block --"
# `make` is tried by tests of its own, and a page is served by the test that opens it.
PROLOGUE: Final = """
set -euo pipefail
make() { :; }
python3() { [ "$*" = "-m http.server 8000" ] || command python3 "$@"; }
"""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of a page.

    Attributes:
        kind: The language that stands behind its fence.
        text: What it holds.
        file: The name under which the reader is to save it; empty for other blocks.
        is_before: Whether it shows what the reader had before, which is not run.
    """

    kind: str
    text: str
    file: str
    is_before: bool


def blocks(name: str, *, section: str = "") -> list[Block]:
    """Return the blocks of a page of `docs/`, or those of one section of it, by its heading."""
    page = (CHECKOUT / "docs" / name).read_text(encoding="utf-8")
    if section:
        page = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [_block(page, match) for match in BLOCK.finditer(page)]


def commands(block: Block) -> list[str]:
    """Return the commands of a console block; a command may go on in the next line."""
    return [command.rstrip("\n") for command in re.split(r"^\$ ", block.text, flags=re.MULTILINE) if command]


def save_files(found: list[Block], folder: Path) -> None:
    """Write the files that the reader is to save."""
    for block in found:
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")


def run(found: list[Block], folder: Path, environ: Mapping[str, str]) -> list[str]:
    """Run the commands of all console blocks in one shell, as they stand, and return what each block has printed."""
    script = "\n".join(
        "\n".join([*commands(block), f"echo '{MARK}'"]) for block in found if block.kind == "console"
    )
    done = subprocess.run(  # noqa: S603 - the commands of this checkout's pages
        ["bash", "-c", PROLOGUE + script],  # noqa: S607 - the one on PATH
        cwd=folder,
        env={"PATH": os.defpath, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.split(f"{MARK}\n")[:-1]


def expected(found: list[Block]) -> Iterator[tuple[int, str]]:
    """Return for each output that the page shows the number of its console block, and the output."""
    consoles = -1
    for block in found:
        consoles += block.kind == "console"
        if block.kind == "text":
            yield consoles, block.text


def _block(page: str, match: re.Match[str]) -> Block:
    ahead = page[: match.start()]
    file = FILE.search(ahead)
    return Block(
        kind=match["kind"],
        text=match["text"],
        file=file["name"] if file else "",
        is_before=BEFORE.search(ahead) is not None,
    )
