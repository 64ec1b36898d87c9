"""Fixtures of the stages' templates, for the folders that use them; each template is made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.synthesis import Synthesized, synthesize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that stands for the functions' code."""
    directory = tmp_path_factory.mktemp("code")
    (directory / "placeholder.txt").write_text("no code")
    return directory


@pytest.fixture(scope="session")
def synthesized(code: Path) -> Callable[[str, str | None], Synthesized]:
    """Return a function that returns a stage's template, and synthesizes each template once."""
    made: dict[tuple[str, str | None], Synthesized] = {}

    def get(stage: str, overrides: str | None = None) -> Synthesized:
        if (stage, overrides) not in made:
            made[stage, overrides] = synthesize(stage, code=code, overrides=overrides)
        return made[stage, overrides]

    return get
