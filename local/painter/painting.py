"""Turns the words of a request into the file of a picture."""

import io
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from local.painter import noise
from local.painter.land import Canvas
from local.painter.noise import generator, grain, to_image
from local.painter.places import place_of
from local.painter.scenes import SCENES
from local.painter.styles import style_of, styled

CAPTION: Final = "local stand-in"
_GRAIN: Final = {"analog-film": 4.2, "photographic": 2.4, "cinematic": 2.8, "comic-book": 0.8}
_USUAL_GRAIN: Final = 2.1


def paint(
    *,
    prompts: Sequence[tuple[str, float]],
    seed: int,
    width: int,
    height: int,
    style: str = "",
    blurred: bool = False,
    output_format: str = "png",
) -> bytes:
    """Return the file of a picture; the same arguments give the same bytes in every process.

    Args:
        prompts: Texts with their weights; a text with a weight below zero is not painted.
        seed: Arranges the place that the prompts name.
        width: In pixels, from 64.
        height: In pixels, from 64.
        style: A style preset, or an empty string.
        blurred: Blur the picture as a content filter does; the caption stays sharp.
        output_format: `png`, `jpeg` or `webp`.
    """
    text = " ".join(prompt for prompt, weight in prompts if weight >= 0)
    painted_style = style_of(text, style)
    place = place_of(text, painted_style)
    rng = generator("picture", tuple(prompts), seed, style, (width, height))
    canvas = Canvas(planes=np.zeros((3, height, width), np.float32), rng=rng, light=place.light)
    SCENES[place.kind](canvas, place.land)
    planes = styled(canvas.planes, style=painted_style, rng=rng)
    if blurred:
        planes = noise.blurred(planes, max(4, min(width, height) // 28))
    # Grain hides the smooth gradients, and makes a PNG as large as a model's.
    planes = planes + grain(rng, (height, width)) * (_GRAIN.get(painted_style, _USUAL_GRAIN) / 255)
    image = to_image(planes)
    _write_caption(image, seed)
    return _file(image, output_format)


def caption_height(width: int, height: int) -> int:
    """Return the rows of the bar at the bottom that carries the caption."""
    return max(14, round(min(width, height) * 0.034))


def _write_caption(image: Image.Image, seed: int) -> None:
    width, height = image.size
    bar = caption_height(width, height)
    below = image.crop((0, height - bar, width, height))
    image.paste(Image.blend(below, Image.new("RGB", below.size, (12, 14, 18)), 0.72), (0, height - bar))
    draw = ImageDraw.Draw(image)
    left, right, middle = bar * 0.5, width - bar * 0.5, height - bar / 2
    draw.text((left, middle), CAPTION, (244, 242, 236), _font(round(bar * 0.62)), anchor="lm")
    if width >= 16 * bar:
        note = f"painted by a program, not a model  ·  seed {seed}"
        draw.text((right, middle), note, (186, 188, 190), _font(round(bar * 0.46)), anchor="rm")


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _file(image: Image.Image, output_format: str) -> bytes:
    file = io.BytesIO()
    if output_format == "jpeg":
        image.save(file, "JPEG", quality=92)
    elif output_format == "webp":
        image.save(file, "WEBP", quality=90, method=2)
    else:
        about = PngImagePlugin.PngInfo()
        about.add_text("Software", f"imagegen {CAPTION}: painted by a program, not by a model")
        # Grain does not repeat, so Huffman coding alone is smaller and faster than a search for matches.
        image.save(file, "PNG", compress_level=1, compress_type=zlib.Z_HUFFMAN_ONLY, pnginfo=about)
    return file.getvalue()
