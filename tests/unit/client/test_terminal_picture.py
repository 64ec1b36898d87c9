"""A picture in the terminal, by what the terminal says of itself."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image

from imagegen_client.command_line.terminal_picture import CHUNK, drawn


def png(width: int = 64, height: int = 32, *, kind: str = "PNG") -> bytes:
    """Return a picture whose left half is red."""
    picture = Image.new("RGB", (width, height), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, width // 2, height))
    written = io.BytesIO()
    picture.save(written, kind)
    return written.getvalue()


def shown(content: bytes, **environ: str) -> bytes | None:
    """Return what a terminal of 40 columns and 24 lines is given."""
    return drawn(content, environ=environ, columns=40, rows=24)


@pytest.mark.parametrize(
    "environ",
    [
        {"KITTY_WINDOW_ID": "1"},
        {"TERM": "xterm-kitty"},
        {"TERM": "xterm-ghostty"},
        {"TERM_PROGRAM": "ghostty"},
    ],
)
def test_kitty_gets_the_picture_in_pieces(environ: dict[str, str]) -> None:
    """The pieces make the file, and all but the last say that more follows."""
    content = png() + b"x" * 10_000
    codes = re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", shown(content, **environ) or b"")
    assert base64.b64decode(b"".join(data for _, data in codes)) == content
    assert all(len(data) <= CHUNK for _, data in codes)
    assert [head[-3:] for head, _ in codes] == [b"m=1"] * (len(codes) - 1) + [b"m=0"]
    assert codes[0][0].startswith(b"f=100,a=T")


def test_iterm_gets_the_picture_at_once() -> None:
    """WezTerm and Visual Studio Code speak its protocol."""
    written = shown(png(), TERM_PROGRAM="iTerm.app", TERM="xterm") or b""
    assert written.startswith(b"\x1b]1337;File=inline=1;")
    assert base64.b64decode(written.partition(b":")[2][:-2]) == png()


def test_other_terminals_get_half_blocks() -> None:
    """Each shows two pixels; the picture keeps its ratio and fits."""
    lines = (shown(png(), TERM="xterm-256color") or b"").decode().splitlines()
    assert len(lines) == 10
    assert {line.count("▀") for line in lines} == {40}
    assert all(line.startswith("\x1b[38;2;255;0;0;48;2;255;0;0m▀") for line in lines)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_kitty_gets_half_blocks_of_what_it_cannot_read(kind: str) -> None:
    """Its protocol takes PNG alone, and would show an error instead of another format."""
    written = shown(png(kind=kind), TERM="xterm-kitty") or b""
    assert b"\x1b_G" not in written
    assert "▀" in written.decode()


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", png()[:100], b"<html>"])
def test_a_picture_that_cannot_be_read_is_not_shown(content: bytes) -> None:
    """The command says how to open it, as where there is no Pillow."""
    assert shown(content, TERM="xterm-256color") is None


def test_within_tmux_there_are_half_blocks() -> None:
    """It would swallow the escape codes."""
    assert b"\x1b_G" not in (shown(png(), TERM="xterm-kitty", TMUX="1") or b"\x1b_G")


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_shows_nothing(environ: dict[str, str]) -> None:
    """The command says how to open the picture."""
    assert shown(png(), **environ) is None
