"""Paints the small pictures of the playground's styles: `python -m local.painter.style_pictures FOLDER`."""

import io
import sys
from pathlib import Path
from typing import Final

from PIL import Image

from local.painter.painting import caption_height, paint
from local.painter.styles import STYLES

PROMPT: Final = "A city by the sea at sunset"
SEED: Final = 4
PAINTED: Final = (576, 406)
"""Pixels before the caption is cut off, which nobody could read on a small picture."""
SMALL: Final = (192, 128)
QUALITY: Final = 62


def picture(style: str) -> bytes:
    """Return the small picture of a style, as WebP."""
    width, height = PAINTED
    painted = paint(prompts=((PROMPT, 1.0),), seed=SEED, width=width, height=height, style=style)
    image = Image.open(io.BytesIO(painted)).crop((0, 0, width, height - caption_height(width, height)))
    file = io.BytesIO()
    image.resize(SMALL, Image.Resampling.LANCZOS).save(file, "WEBP", quality=QUALITY, method=6)
    return file.getvalue()


def main() -> None:
    """Write the picture of every style into the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for style in filter(None, STYLES):  # one is no style
        (folder / f"{style}.webp").write_bytes(picture(style))


if __name__ == "__main__":
    main()
