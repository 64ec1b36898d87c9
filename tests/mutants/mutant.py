"""A mutant: one small defect in one file, which a test has to notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One defect: `text` of a file becomes `replacement`.

    Attributes:
        file: The file's path in the checkout.
        place: Where `text` begins, in characters; -1 for the only place where it stands.
        means: What the defect would do, in one sentence.
        tests: Sets of tests that are tried one after the other, the quickest first.
    """

    file: str
    text: str
    replacement: str
    means: str
    tests: tuple[tuple[str, ...], ...]
    place: int = -1

    @property
    def name(self) -> str:
        """The file's name, and what changes in it."""
        return f"{self.file}: {_short(self.text)} -> {_short(self.replacement)}"

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.name} ({self.means})"

    def applied_to(self, source: str) -> str:
        """Return the file with the defect.

        Raises:
            ValueError: the text does not stand there exactly once, so the mutant has to be written anew.
        """
        if self.place < 0 and source.count(self.text) != 1:
            raise ValueError(f"{self.name}: the text stands there {source.count(self.text)} times")
        place = self.place if self.place >= 0 else source.index(self.text)
        if not source.startswith(self.text, place):
            raise ValueError(f"{self.name}: the text does not stand there")
        return source[:place] + self.replacement + source[place + len(self.text) :]


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 70 else f"{one_line[:67]}..."
