"""What a style preset does to a finished landscape."""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from local.bedrock.fields import Plane, smoothstep, to_pixels, to_planes

Finish = Callable[[Plane], Plane]
Folded = Callable[[Plane, np.random.Generator], Plane]
_LUMA: Final = np.asarray((0.299, 0.587, 0.114), np.float32).reshape(3, 1, 1)


def finish(planes: Plane, *, style: str, rng: np.random.Generator) -> Plane:
    """Return the picture in a style; an unnamed style is a plain one."""
    if style in _FACETED:
        return _FACETED[style](planes, rng)
    return _FINISHES.get(style, _plain)(planes)


def _luma(planes: Plane) -> Plane:
    total: Plane = (planes * _LUMA).sum(axis=0)
    return total


def _graded(
    planes: Plane, *, saturation: float, contrast: float, tint: tuple[float, float, float] = (1, 1, 1)
) -> Plane:
    grey = _luma(planes)[None]
    coloured = grey + (planes - grey) * np.float32(saturation)
    coloured = (coloured - np.float32(0.5)) * np.float32(contrast) + np.float32(0.5)
    return coloured * np.asarray(tint, np.float32).reshape(3, 1, 1)


def _vignette(planes: Plane, strength: float) -> Plane:
    _, height, width = planes.shape
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :] ** 2
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
    return planes * (1 - np.float32(strength) * smoothstep(0.5, 2.0, across + down))


def _image(planes: Plane) -> Image.Image:
    return Image.fromarray(to_pixels(planes))


def _plain(planes: Plane) -> Plane:
    return _vignette(planes, 0.12)


def _photographic(planes: Plane) -> Plane:
    return _vignette(_graded(planes, saturation=1.06, contrast=1.07), 0.26)


def _cinematic(planes: Plane) -> Plane:
    grey = _luma(planes)[None]
    cool, warm = (
        np.asarray(c, np.float32).reshape(3, 1, 1) for c in ((-0.05, 0.005, 0.05), (0.06, 0.015, -0.05))
    )
    graded = _graded(planes, saturation=0.9, contrast=1.18) + cool * (1 - grey) + warm * grey
    graded = _vignette(graded, 0.4)
    bar = round(planes.shape[1] * 0.055)
    graded[:, :bar] = graded[:, -bar:] = np.float32(0.02)
    return graded


def _analog_film(planes: Plane) -> Plane:
    faded = _graded(planes, saturation=0.72, contrast=0.86, tint=(1.05, 0.99, 0.88))
    return _vignette(faded + np.float32(0.035), 0.42)


def _simplified(planes: Plane) -> Plane:
    """Return the picture without its small features, at half the resolution for speed."""
    _, height, width = planes.shape
    half = _image(planes).resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BOX)
    return to_planes(
        half.filter(ImageFilter.MedianFilter(3)).resize((width, height), Image.Resampling.BICUBIC)
    )


def _stepped(planes: Plane, levels: int) -> Plane:
    steps: Plane = np.floor(planes * np.float32(levels) + np.float32(0.5)) / np.float32(levels)
    return steps


def _ink(planes: Plane, *, low: float, high: float) -> Plane:
    """Return 0…1: where lines would be drawn."""
    grey = Image.fromarray(np.clip(_luma(planes) * 255, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(1.6)
    )
    light = np.asarray(grey, np.float32) / np.float32(255)
    down, across = np.gradient(light)
    return smoothstep(low, high, np.sqrt(down * down + across * across))


def _anime(planes: Plane) -> Plane:
    smooth = _simplified(planes)
    flat = _stepped(smooth, 11)
    bright = _graded(flat * np.float32(0.7) + smooth * np.float32(0.3), saturation=1.45, contrast=1.05)
    return bright * (1 - _ink(planes, low=0.05, high=0.16) * np.float32(0.5)) + np.float32(0.02)


def _comic_book(planes: Plane) -> Plane:
    # the root lifts the shadows, or a night would be black
    smooth = np.sqrt(np.clip(_simplified(planes), 0, 1))
    flat = _graded(_stepped(smooth, 6) ** np.float32(1.4), saturation=1.5, contrast=1.1)
    _, height, width = planes.shape
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
    pitch = np.float32(2 * np.pi / 9)
    screen = np.sin((x + y) * pitch * np.float32(0.707)) * np.sin((x - y) * pitch * np.float32(0.707))
    dots = smoothstep(-0.05, 0.25, screen - (_luma(smooth) * 2 - np.float32(0.9)))
    return (flat - dots * np.float32(0.13)) * (1 - _ink(planes, low=0.03, high=0.09))


def _line_art(planes: Plane) -> Plane:
    lines = _ink(planes, low=0.012, high=0.06)
    wash = _luma(planes)[None] * np.float32(0.28) + np.float32(0.69)
    paper = np.asarray((1.0, 0.985, 0.95), np.float32).reshape(3, 1, 1)
    ink = np.asarray((0.10, 0.11, 0.16), np.float32).reshape(3, 1, 1)
    page = paper * np.minimum(wash, 1)
    drawn: Plane = page + (ink - page) * lines * np.float32(0.9)
    return drawn


def _pixel_art(planes: Plane) -> Plane:
    _, height, width = planes.shape
    small = _image(_graded(planes, saturation=1.3, contrast=1.08)).resize(
        (width // 8, height // 8), Image.Resampling.BOX
    )
    few = small.quantize(colors=40, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    return to_planes(few.resize((width, height), Image.Resampling.NEAREST))


def _neon_punk(planes: Plane) -> Plane:
    lines = _ink(planes, low=0.03, high=0.12)
    traced = Image.fromarray((lines * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(9))
    glow = np.asarray(traced, np.float32) / np.float32(255)
    height = planes.shape[1]
    down = np.linspace(0, 1, height, dtype=np.float32)[None, :, None]
    magenta, cyan = (np.asarray(c, np.float32).reshape(3, 1, 1) for c in ((1.0, 0.2, 0.75), (0.1, 0.9, 1.0)))
    neon = magenta + (cyan - magenta) * down
    dimmed = _graded(planes, saturation=1.35, contrast=1.15) * np.float32(0.75)
    shining: Plane = dimmed + neon * (lines * np.float32(0.55) + glow * np.float32(0.7))
    return shining


def _facets(planes: Plane, rng: np.random.Generator, *, side: int, shear: float, edge: float) -> Plane:
    """Return the picture in triangles of one colour each; `shear` leans the columns of the grid."""
    _, height, width = planes.shape
    v = np.arange(height, dtype=np.float32)[:, None] / np.float32(side)
    u = (
        np.arange(width, dtype=np.float32)[None, :] / np.float32(side)
        + v * np.float32(shear)
        + np.float32(4 * height / side)
    )
    cell_u, cell_v = u.astype(np.int32), v.astype(np.int32)
    upper = (u - cell_u) + (v - cell_v) > 1
    # one colour for each triangle, looked up at its middle in a softened picture
    down, across = int(cell_v.max()) + 1, int(cell_u.max()) + 1
    third = np.asarray((1 / 3, 2 / 3), np.float32)
    middle_v = np.arange(down, dtype=np.float32)[:, None, None] + third
    middle_u = np.arange(across, dtype=np.float32)[None, :, None] + third - np.float32(4 * height / side)
    rows = np.clip(middle_v * side, 0, height - 1).astype(np.int32)
    columns = np.clip((middle_u - middle_v * np.float32(shear)) * side, 0, width - 1).astype(np.int32)
    soft = to_planes(_image(planes).filter(ImageFilter.BoxBlur(side // 5)))
    colours = soft[:, rows, columns]
    colours = colours * (
        np.float32(1 - edge) + rng.random(colours.shape[1:], np.float32) * np.float32(2 * edge)
    )
    number = (cell_v * across + cell_u) * 2 + upper
    return np.take(colours.reshape(3, -1), number, axis=1)


def _low_poly(planes: Plane, rng: np.random.Generator) -> Plane:
    return _graded(_facets(planes, rng, side=30, shear=-0.5, edge=0.06), saturation=1.25, contrast=1.08)


def _origami(planes: Plane, rng: np.random.Generator) -> Plane:
    folded = _graded(_facets(planes, rng, side=58, shear=-0.5, edge=0.10), saturation=1.1, contrast=0.95)
    return folded * np.float32(0.86) + np.float32(0.12)


def _isometric(planes: Plane, rng: np.random.Generator) -> Plane:
    return _graded(_facets(planes, rng, side=24, shear=-0.5, edge=0.10), saturation=1.2, contrast=1.05)


def _tile_texture(planes: Plane) -> Plane:
    _, height, width = planes.shape
    half = to_planes(_image(planes).resize((width // 2, height // 2), Image.Resampling.LANCZOS))
    top = np.concatenate((half, half[:, :, ::-1]), axis=2)
    return np.concatenate((top, top[:, ::-1]), axis=1)


def _digital_art(planes: Plane) -> Plane:
    soft = _simplified(planes)
    return _vignette(_graded(soft, saturation=1.3, contrast=1.1), 0.15)


def _fantasy_art(planes: Plane) -> Plane:
    glow = to_planes(_image(planes).filter(ImageFilter.GaussianBlur(18)))
    screened = 1 - (1 - planes) * (1 - glow * np.float32(0.45))
    return _vignette(_graded(screened, saturation=1.35, contrast=1.12, tint=(1.0, 0.94, 1.06)), 0.34)


def _enhance(planes: Plane) -> Plane:
    sharp = to_planes(_image(planes).filter(ImageFilter.UnsharpMask(radius=3, percent=70, threshold=0)))
    return _graded(sharp, saturation=1.22, contrast=1.08)


def _moulded(planes: Plane) -> Plane:
    soft = _simplified(planes)
    light = _luma(soft)
    bump = np.zeros_like(light)
    bump[3:, 3:] = (light[3:, 3:] - light[:-3, :-3]) * np.float32(1.6)
    return _graded(soft + bump, saturation=1.25, contrast=0.98)


_FINISHES: Final[dict[str, Finish]] = {
    "3d-model": _moulded,
    "analog-film": _analog_film,
    "anime": _anime,
    "cinematic": _cinematic,
    "comic-book": _comic_book,
    "digital-art": _digital_art,
    "enhance": _enhance,
    "fantasy-art": _fantasy_art,
    "line-art": _line_art,
    "modeling-compound": _moulded,
    "neon-punk": _neon_punk,
    "photographic": _photographic,
    "pixel-art": _pixel_art,
    "tile-texture": _tile_texture,
}
_FACETED: Final[dict[str, Folded]] = {"isometric": _isometric, "low-poly": _low_poly, "origami": _origami}
STYLES: Final = frozenset(_FINISHES) | frozenset(_FACETED)
