"""A `cdk.json` that cannot be read is one sentence, which names the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stacks.cdk_json import stages_of
from stacks.stage import StageError, load_stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"cannot be read: No such file or directory\."),
        (b"", r"is not valid JSON: Expecting value in line 1, column 1\."),
        (b'{"a": 1 "b": 2}', r"is not valid JSON: Expecting ',' delimiter in line 1, column 9\."),
        (b"\xef\xbb\xbf{}", "is not valid JSON: Unexpected UTF-8 BOM"),
        ('{"context": "ü"}'.encode("latin-1"), r"is not written in UTF-8\."),
        (b"[" * 100_000, "is nested too deeply, or has a number that is too long"),
        (b"[" + b"1" * 5_000 + b"]", "is nested too deeply, or has a number that is too long"),
        (b"[]", "must be an object with the member context"),
        (b"{}", "must be an object with the member context"),
        (b'{"context": []}', "must be an object with the member context"),
        (rb'{"context": {"stages": "\ud83d"}}', r"has an escape that stands for half of a character\."),
    ],
    ids=[str(number) for number in range(11)],
)
def test_a_damaged_cdk_json_is_one_sentence(tmp_path: Path, content: bytes | None, said: str) -> None:
    """The file is named, and where it stops making sense."""
    if content is not None:
        (tmp_path / "cdk.json").write_bytes(content)
    with pytest.raises(StageError, match=rf"cdk\.json {said}"):
        stages_of(tmp_path)


def test_a_cdk_json_that_is_a_folder_is_one_sentence(tmp_path: Path) -> None:
    """Nothing is read from it."""
    (tmp_path / "cdk.json").mkdir()
    with pytest.raises(StageError, match=r"cdk\.json cannot be read: Is a directory\."):
        stages_of(tmp_path)


def test_a_cdk_json_without_stages_is_one_sentence(tmp_path: Path) -> None:
    """The stages are looked for in what is there."""
    (tmp_path / "cdk.json").write_text('{"context": {}}')
    with pytest.raises(StageError, match="stages must be an object"):
        load_stage(name="dev", stages=stages_of(tmp_path), overrides=None)
