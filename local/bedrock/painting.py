"""Pictures painted by a program: landscapes that follow the words of a prompt, and say what they are."""

from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from local.bedrock.asked import Asked
from local.bedrock.fields import Plane, generator, grain, to_pixels, to_planes
from local.bedrock.finishes import finish
from local.bedrock.palettes import place_of, style_of
from local.bedrock.scenes import SCENES
from local.bedrock.terrain import Canvas

CAPTION: Final = "local stand-in"
_GRAIN: Final = {"analog-film": 4.2, "photographic": 2.4, "cinematic": 2.8, "comic-book": 0.8}
_USUAL_GRAIN: Final = 2.1


def paint(asked: Asked, *, blurred: bool = False) -> Image.Image:
    """Return the picture of a request, the same for the same prompts, seed, style and size.

    A `blurred` one is what a content filter leaves; its caption stays sharp.
    """
    text = " ".join(prompt for prompt, weight in asked.prompts if weight >= 0)
    style = style_of(text, asked.style)
    place = place_of(text, style)
    size = (asked.width, asked.height)
    rng = generator("picture", asked.prompts, asked.seed, asked.style, size)
    canvas = Canvas(planes=np.zeros((3, asked.height, asked.width), np.float32), rng=rng, light=place.light)
    SCENES[place.kind](canvas, place.land)
    planes = finish(canvas.planes, style=style, rng=rng)
    if blurred:
        planes = _blur(planes)
    planes = planes + grain(rng, width=asked.width, height=asked.height) * np.float32(
        _GRAIN.get(style, _USUAL_GRAIN) / 255
    )
    image = Image.fromarray(to_pixels(planes))
    _stamp(image, asked.seed)
    return image


def caption_height(width: int, height: int) -> int:
    """Return the rows of the bar at the bottom that carries the caption."""
    return max(14, round(min(width, height) * 0.034))


def _blur(planes: Plane) -> Plane:
    radius = max(4, min(planes.shape[1:]) // 28)
    image = Image.fromarray(to_pixels(planes)).filter(ImageFilter.GaussianBlur(radius))
    return to_planes(image)


def _stamp(image: Image.Image, seed: int) -> None:
    width, height = image.size
    bar = caption_height(width, height)
    below = image.crop((0, height - bar, width, height))
    image.paste(Image.blend(below, Image.new("RGB", below.size, (12, 14, 18)), 0.72), (0, height - bar))
    draw = ImageDraw.Draw(image)
    middle = height - bar / 2
    draw.text((bar * 0.5, middle), CAPTION, font=_font(round(bar * 0.62)), fill=(244, 242, 236), anchor="lm")
    if width >= 16 * bar:
        note = f"painted by a program, not a model  ·  seed {seed}"
        draw.text(
            (width - bar * 0.5, middle),
            note,
            font=_font(round(bar * 0.46)),
            fill=(186, 188, 190),
            anchor="rm",
        )


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
