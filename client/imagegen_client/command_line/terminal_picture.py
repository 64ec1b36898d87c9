"""A picture in the terminal: by the protocol of kitty or of iTerm2, or as half blocks that Pillow makes.

The protocols: https://sw.kovidgoyal.net/kitty/graphics-protocol/ and https://iterm2.com/documentation-images.html.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Final

CHUNK: Final = 4096
"""The most base64 characters in one of kitty's escape codes."""

PNG: Final = b"\x89PNG\r\n\x1a\n"

KITTY_PROGRAMS: Final = ("ghostty", "kitty")
ITERM_PROGRAMS: Final = ("iTerm.app", "WezTerm", "vscode")


def drawn(content: bytes, *, environ: Mapping[str, str], columns: int, rows: int) -> bytes | None:
    """Return what to write to the terminal to show a picture; None if that is not possible."""
    program, terminal = environ.get("TERM_PROGRAM", ""), environ.get("TERM", "")
    # tmux and screen swallow both protocols.
    multiplexed = "TMUX" in environ or terminal.startswith(("screen", "tmux"))
    if not multiplexed:
        speaks_kitty = (
            "KITTY_WINDOW_ID" in environ
            or terminal in {"xterm-kitty", "xterm-ghostty"}
            or program in KITTY_PROGRAMS
        )
        # The protocol has no other compressed format.
        if speaks_kitty and content.startswith(PNG):
            return kitty(content, columns=columns)
        if program in ITERM_PROGRAMS:
            return iterm(content)
    if terminal in {"", "dumb"}:
        return None
    return half_blocks(content, columns=columns, rows=rows)


def kitty(content: bytes, *, columns: int) -> bytes:
    """Return a PNG in kitty's escape codes, at most 60 columns wide."""
    text = base64.standard_b64encode(content)
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks):
        first = f"f=100,a=T,c={min(columns, 60)}," if number == 0 else ""
        more = int(number < len(chunks) - 1)
        parts.append(b"\x1b_G" + f"{first}m={more};".encode() + chunk + b"\x1b\\")
    return b"".join(parts) + b"\n"


def iterm(content: bytes) -> bytes:
    """Return a picture in iTerm2's escape code, as wide as half the terminal."""
    text = base64.standard_b64encode(content)
    return f"\x1b]1337;File=inline=1;size={len(content)};width=50%:".encode() + text + b"\x07\n"


def half_blocks(content: bytes, *, columns: int, rows: int) -> bytes | None:
    """Return a picture of `▀`, each of which shows two pixels.

    None without Pillow, if there is no room, or if Pillow cannot read the picture.
    """
    try:
        from PIL import Image  # noqa: PLC0415 - the extra `picture`, which need not be installed
    except ImportError:
        return None
    try:
        with Image.open(io.BytesIO(content)) as opened:
            scale = min(columns / opened.width, max(2, (rows - 4) * 2) / opened.height)
            width, height = int(opened.width * scale), int(opened.height * scale) // 2 * 2
            if width < 1 or height < 2:  # noqa: PLR2004 - a line of half blocks shows two
                return None
            small = opened.convert("RGB").resize((width, height))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    pixels = small.tobytes()
    lines = []
    for y in range(0, height, 2):
        line = "".join(_block(pixels, width, x, y) for x in range(width))
        lines.append(f"{line}\x1b[0m\n")
    return "".join(lines).encode()


def _block(pixels: bytes, width: int, x: int, y: int) -> str:
    upper, lower = (y * width + x) * 3, ((y + 1) * width + x) * 3
    top, bottom = (";".join(str(value) for value in pixels[at : at + 3]) for at in (upper, lower))
    return f"\x1b[38;2;{top};48;2;{bottom}m▀"
