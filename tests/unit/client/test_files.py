"""A file is whole or not there, and another one is replaced only where that is meant."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from imagegen_client.files import write_atomically


@pytest.fixture(params=["hard links", "no hard links"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on each kind of file system; some memory cards and network folders have no hard links."""

    def refuse(_: Path, __: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if request.param == "no hard links":
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    return tmp_path


def test_a_file_is_replaced_only_if_that_is_meant(folder: Path) -> None:
    """Nothing else is left in the folder."""
    path = folder / "tea.png"
    write_atomically(path, b"first", replace=False)
    with pytest.raises(FileExistsError):
        write_atomically(path, b"second", replace=False)
    assert path.read_bytes() == b"first"
    write_atomically(path, b"third")
    assert [(each.name, each.read_bytes()) for each in folder.iterdir()] == [("tea.png", b"third")]


def test_what_cannot_be_written_leaves_nothing(folder: Path) -> None:
    """A folder of that name is no file that could be replaced."""
    (folder / "tea.png").mkdir()
    for replace in (True, False):
        with pytest.raises(OSError, match=r"."):
            write_atomically(folder / "tea.png", b"", replace=replace)
    assert [each.name for each in folder.iterdir()] == ["tea.png"]
