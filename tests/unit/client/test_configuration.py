"""Flag, environment and file, in that order; and a file that others cannot read."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from imagegen_client.command_line import configuration
from imagegen_client.command_line.configuration import masked, read, save
from imagegen_client.errors import InvalidConfiguration


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The variables of a person whose file has both values."""
    found = {"IMAGEGEN_CONFIG_DIR": str(tmp_path / "settings")}
    save(configuration.config_file(found), {"url": "https://file/v1", "api_key": "file-key"})
    return found


def test_the_strongest_source_holds(environ: dict[str, str]) -> None:
    """An empty flag or variable does not count."""
    both = {**environ, "IMAGEGEN_URL": "https://environment/v1", "IMAGEGEN_API_KEY": " "}
    assert read(url=None, api_key=None, environ=environ).checked() == ("https://file/v1", "file-key")
    assert read(url=None, api_key="", environ=both).checked() == ("https://environment/v1", "file-key")
    flagged = read(url="https://flag/v1", api_key=None, environ=both)
    assert flagged.checked() == ("https://flag/v1", "file-key")
    assert [each.source for each in (flagged.url, flagged.api_key) if each] == ["flag", "file"]


def test_what_is_missing_is_told_with_how_to_set_it(tmp_path: Path) -> None:
    """Also that a checkout's `make status` knows both."""
    empty = {"IMAGEGEN_CONFIG_DIR": str(tmp_path)}
    with pytest.raises(InvalidConfiguration, match=r"No base URL.*IMAGEGEN_URL.*--url.*make status"):
        read(url=None, api_key="k", environ=empty).checked()
    with pytest.raises(InvalidConfiguration, match=r"No API key.*IMAGEGEN_API_KEY.*--api-key.*make status"):
        read(url="https://a/v1", api_key=None, environ=empty).checked()


def test_only_the_owner_can_read_the_file(environ: dict[str, str]) -> None:
    """A change keeps the other value."""
    path = configuration.config_file(environ)
    save(path, {"url": "https://new/v1"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text(encoding="utf-8")) == {"url": "https://new/v1", "api_key": "file-key"}


def test_a_key_that_others_can_read_is_refused(environ: dict[str, str]) -> None:
    """Not if the file is not needed."""
    configuration.config_file(environ).chmod(0o640)
    with pytest.raises(InvalidConfiguration, match="chmod 600"):
        read(url=None, api_key=None, environ=environ)
    assert read(url="https://a/v1", api_key="k", environ=environ).checked() == ("https://a/v1", "k")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": 1}', b"\xff", b"[" * 100_000], ids=range(6))
def test_a_damaged_file_is_a_sentence(environ: dict[str, str], content: bytes) -> None:
    """The sentence names the file."""
    configuration.config_file(environ).write_bytes(content)
    with pytest.raises(InvalidConfiguration, match=r"config\.json (is damaged|cannot be read)"):
        read(url=None, api_key=None, environ=environ)


def test_a_link_stays_a_link(environ: dict[str, str], tmp_path: Path) -> None:
    """The file that it leads to is changed, for instance one under version control."""
    path = configuration.config_file(environ)
    path.rename(tmp_path / "kept.json")
    path.symlink_to(tmp_path / "kept.json")
    save(path, {"url": "https://new/v1"})
    assert path.is_symlink()
    assert "https://new/v1" in (tmp_path / "kept.json").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "settings").write_text("", encoding="utf-8")
    with pytest.raises(InvalidConfiguration, match="cannot be"):
        save(tmp_path / "settings" / "config.json", {"url": "https://a/v1"})


def test_a_key_is_never_shown() -> None:
    """Seven characters tell one from another."""
    assert masked("ig_7rmwfqkkgu5tlvls7a5b6nrgffec6jotld5p4t7jrh4gsbrmusfq") == "ig_7rmw…"
    assert masked("short") == "…"
