"""Pictures as Pillow saves them in each format."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Final

from PIL import Image

SIDES: Final = (64, 48)


def saved(form: str, *, mode: str = "RGB", sides: tuple[int, int] = SIDES, **options: Any) -> bytes:
    """Return a picture in which no two pixels need be alike; `form` is Pillow's name of the format."""
    length = sides[0] * sides[1] * len(mode)
    noise = bytes((17 * index * index + 31 * index) % 251 for index in range(length))
    file = io.BytesIO()
    Image.frombytes(mode, sides, noise).save(file, form, **options)
    return file.getvalue()


@cache
def plain(media_type: str, width: int = SIDES[0], height: int = SIDES[1]) -> bytes:
    """Return a one-coloured picture of any size, quickly."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, media_type.removeprefix("image/").upper())
    return file.getvalue()
