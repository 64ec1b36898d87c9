"""Applies a style preset to a finished landscape."""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from local.painter.noise import Plane, blurred, smoothstep, to_image, to_planes
from local.painter.places import column, mixed

Style = Callable[[Plane, np.random.Generator], Plane]
Tint = tuple[float, float, float]


def style_of(text: str, style: str) -> str:
    """Return the style preset, or the one that the words of the prompt ask for, or an empty string."""
    words = text.lower()
    if style or "watercolor" in words:
        return style or "digital-art"
    # "enhance" is also an ordinary word of prompts.
    spoken = sorted(STYLES.keys() - {"", "enhance"})
    return next((preset for preset in spoken if preset in words or preset.replace("-", " ") in words), "")


def styled(planes: Plane, *, style: str, rng: np.random.Generator) -> Plane:
    """Return the picture in a style; an unknown name leaves it plain."""
    return STYLES.get(style, STYLES[""])(planes, rng)


def _luma(planes: Plane) -> Plane:
    return 0.299 * planes[0] + 0.587 * planes[1] + 0.114 * planes[2]


def _graded(planes: Plane, saturation: float, contrast: float, *, tint: Tint = (1, 1, 1)) -> Plane:
    grey = _luma(planes)
    coloured = ((grey + (planes - grey) * saturation) - 0.5) * contrast + 0.5
    return coloured * _three(tint)


def _three(parts: Tint) -> Plane:
    return np.asarray(parts, np.float32).reshape(3, 1, 1)


def _vignette(planes: Plane, strength: float) -> Plane:
    across, down = (np.linspace(-1, 1, side, dtype=np.float32) ** 2 for side in planes.shape[:0:-1])
    return planes * (1 - strength * smoothstep(0.5, 2.0, across[None, :] + down[:, None]))


def _simplified(planes: Plane) -> Plane:
    """Return the picture without its small features, at half the resolution for speed."""
    image = to_image(planes)
    width, height = image.size
    half = image.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BOX)
    return to_planes(half.filter(ImageFilter.MedianFilter(3)).resize(image.size, Image.Resampling.BICUBIC))


def _stepped(planes: Plane, levels: int) -> Plane:
    return np.floor(planes * levels + 0.5) / levels


def _ink(planes: Plane, low: float, high: float) -> Plane:
    """Return 0…1 for each pixel: how much of an ink line is there."""
    grey = to_image(_luma(planes)).filter(ImageFilter.GaussianBlur(1.6))
    down, across = np.gradient(np.asarray(grey, np.float32) / np.float32(255))
    return smoothstep(low, high, np.sqrt(down * down + across * across))


def _cinematic(planes: Plane, _: np.random.Generator) -> Plane:
    toning = mixed(_three((-0.05, 0.005, 0.05)), _three((0.06, 0.015, -0.05)), _luma(planes))
    graded = _vignette(_graded(planes, 0.9, 1.18) + toning, 0.4)
    bar = round(planes.shape[1] * 0.055)
    graded[:, :bar] = graded[:, -bar:] = 0.02
    return graded


def _anime(planes: Plane, _: np.random.Generator) -> Plane:
    smooth = _simplified(planes)
    bright = _graded(mixed(smooth, _stepped(smooth, 11), 0.7), 1.45, 1.05)
    return bright * (1 - _ink(planes, 0.05, 0.16) * 0.5) + 0.02


def _comic_book(planes: Plane, _: np.random.Generator) -> Plane:
    # The root lifts the shadows, because a night would otherwise be black.
    smooth = np.sqrt(np.clip(_simplified(planes), 0, 1))
    flat = _graded(_stepped(smooth, 6) ** 1.4, 1.5, 1.1)
    y, x = (np.arange(side, dtype=np.float32) * (2 * np.pi / 9 * 0.707) for side in planes.shape[1:])
    screen = np.sin(x[None, :] + y[:, None]) * np.sin(x[None, :] - y[:, None])
    dots = smoothstep(-0.05, 0.25, screen - (_luma(smooth) * 2 - 0.9))
    return (flat - dots * 0.13) * (1 - _ink(planes, 0.03, 0.09))


def _line_art(planes: Plane, _: np.random.Generator) -> Plane:
    page = _three((1.0, 0.985, 0.95)) * np.minimum(_luma(planes) * 0.28 + 0.69, 1)
    return mixed(page, column("1a1c29"), _ink(planes, 0.012, 0.06) * 0.9)


def _pixel_art(planes: Plane, _: np.random.Generator) -> Plane:
    image = to_image(_graded(planes, 1.3, 1.08))
    small = image.resize((image.width // 8, image.height // 8), Image.Resampling.BOX)
    few = small.quantize(colors=40, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    return to_planes(few.resize(image.size, Image.Resampling.NEAREST))


def _neon_punk(planes: Plane, _: np.random.Generator) -> Plane:
    lines = _ink(planes, 0.03, 0.12)
    down = np.linspace(0, 1, planes.shape[1], dtype=np.float32)[None, :, None]
    neon = mixed(_three((1.0, 0.2, 0.75)), _three((0.1, 0.9, 1.0)), down)
    return _graded(planes, 1.35, 1.15) * 0.75 + neon * (lines * 0.55 + blurred(lines, 9)[0] * 0.7)


def _facets(planes: Plane, rng: np.random.Generator, *, side: int, spread: float) -> Plane:
    """Return the picture in triangles of one colour each, `side` pixels wide; their brightness varies by `spread`."""
    _, height, width = planes.shape
    # The columns of the grid lean to the left; so many of them begin outside the picture.
    lean, outside = -0.5, 4 * height / side
    v = np.arange(height, dtype=np.float32)[:, None] / side
    u = np.arange(width, dtype=np.float32)[None, :] / side + v * lean + outside
    cell_u, cell_v = u.astype(np.int32), v.astype(np.int32)
    upper = (u - cell_u) + (v - cell_v) > 1
    # One colour for each triangle, looked up at its middle in a softened picture.
    thirds = np.asarray((1 / 3, 2 / 3), np.float32)
    middle_v = np.arange(int(cell_v.max()) + 1, dtype=np.float32)[:, None, None] + thirds
    middle_u = np.arange(int(cell_u.max()) + 1, dtype=np.float32)[None, :, None] + thirds - outside
    rows = np.clip(middle_v * side, 0, height - 1).astype(np.int32)
    columns = np.clip((middle_u - middle_v * lean) * side, 0, width - 1).astype(np.int32)
    colours = to_planes(to_image(planes).filter(ImageFilter.BoxBlur(side // 5)))[:, rows, columns]
    colours = colours * (1 - spread + rng.random(colours.shape[1:], np.float32) * (2 * spread))
    return colours[:, cell_v, cell_u, upper.astype(np.int32)]


def _tile_texture(planes: Plane, _: np.random.Generator) -> Plane:
    image = to_image(planes)
    half = to_planes(image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS))
    top = np.concatenate((half, half[:, :, ::-1]), axis=2)
    return np.concatenate((top, top[:, ::-1]), axis=1)


def _fantasy_art(planes: Plane, _: np.random.Generator) -> Plane:
    screened = 1 - (1 - planes) * (1 - blurred(planes, 18) * 0.45)
    return _vignette(_graded(screened, 1.35, 1.12, tint=(1.0, 0.94, 1.06)), 0.34)


def _enhance(planes: Plane, _: np.random.Generator) -> Plane:
    sharp = to_image(planes).filter(ImageFilter.UnsharpMask(radius=3, percent=70, threshold=0))
    return _graded(to_planes(sharp), 1.22, 1.08)


def _moulded(planes: Plane, _: np.random.Generator) -> Plane:
    soft = _simplified(planes)
    light = _luma(soft)
    bump = np.zeros_like(light)
    bump[3:, 3:] = (light[3:, 3:] - light[:-3, :-3]) * 1.6
    return _graded(soft + bump, 1.25, 0.98)


STYLES: Final[dict[str, Style]] = {
    "": lambda planes, _: _vignette(planes, 0.12),
    "3d-model": _moulded,
    "analog-film": lambda planes, _: _vignette(
        _graded(planes, 0.72, 0.86, tint=(1.05, 0.99, 0.88)) + 0.035, 0.42
    ),
    "anime": _anime,
    "cinematic": _cinematic,
    "comic-book": _comic_book,
    "digital-art": lambda planes, _: _vignette(_graded(_simplified(planes), 1.3, 1.1), 0.15),
    "enhance": _enhance,
    "fantasy-art": _fantasy_art,
    "isometric": lambda planes, rng: _graded(_facets(planes, rng, side=24, spread=0.10), 1.2, 1.05),
    "line-art": _line_art,
    "low-poly": lambda planes, rng: _graded(_facets(planes, rng, side=30, spread=0.06), 1.25, 1.08),
    "modeling-compound": _moulded,
    "neon-punk": _neon_punk,
    "origami": lambda planes, rng: (
        _graded(_facets(planes, rng, side=58, spread=0.10), 1.1, 0.95) * 0.86 + 0.12
    ),
    "photographic": lambda planes, _: _vignette(_graded(planes, 1.06, 1.07), 0.26),
    "pixel-art": _pixel_art,
    "tile-texture": _tile_texture,
}
