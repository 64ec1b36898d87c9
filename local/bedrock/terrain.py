"""The parts of a landscape, painted onto a canvas from the back to the front."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from local.bedrock.fields import Plane, clipped, cloud, curve, smoothstep
from local.bedrock.palettes import Light, column, mixed

_BRIGHT_STAR: Final = 0.55

Texture = Callable[[Plane, int], Plane]


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Three planes of colour, 0…1; `unit` is the size of a pixel's share when the picture is 1024 high."""

    planes: Plane
    rng: np.random.Generator
    light: Light

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.planes.shape[2])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.planes.shape[1])

    @property
    def unit(self) -> float:
        """How much larger than at 1024x1024 a feature is."""
        return float(np.sqrt(self.width * self.height) / 1024)


def sky(canvas: Canvas, *, horizon: float, clouds: float) -> tuple[float, float]:
    """Paint sky, sun or moon, stars and clouds over the whole canvas; return where the sun is."""
    light, rng = canvas.light, canvas.rng
    width, height = canvas.width, canvas.height
    at = np.linspace(0, 1 / horizon, height, dtype=np.float32)
    rows = [
        np.interp(at, (0, 0.55, 1), stops)
        for stops in zip(light.top, light.middle, light.horizon, strict=True)
    ]
    canvas.planes[:] = (np.asarray(rows, np.float32) / 255)[:, :, None]
    sun = (float(rng.uniform(0.2, 0.8)) * width, float(rng.uniform(0.35, 0.8)) * horizon * height)
    if light.stars:
        _stars(canvas, horizon)
        sun = (sun[0], sun[1] * 0.55)
    x = np.arange(width, dtype=np.float32)[None, :] - np.float32(sun[0])
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(sun[1])
    distance = np.sqrt(x * x + y * y) / np.float32(1024 * canvas.unit)
    colour = column(light.sun)
    wide = np.exp(distance * np.float32(-4.2)) * np.float32(0.26 if light.stars else 0.5)
    canvas.planes[:] += (colour - canvas.planes) * wide
    if clouds:
        _clouds(canvas, horizon, clouds)
    white = mixed(colour, np.ones_like(colour), 0.55)
    disc, soft = (0.032, 0.003) if light.stars else (0.030, 0.014)
    near = np.exp(distance * np.float32(-17)) * np.float32(0.45)
    canvas.planes[:] += (white - canvas.planes) * np.maximum(
        near, 1 - smoothstep(disc - soft, disc + soft, distance)
    )
    return sun


def _stars(canvas: Canvas, horizon: float) -> None:
    rng = canvas.rng
    count = int(700 * canvas.unit**2)
    x = rng.integers(0, canvas.width - 1, count)
    y = (rng.random(count) ** 1.4 * horizon * canvas.height).astype(np.int32)
    brightness = (rng.random(count) ** 3 * 0.8 + 0.12).astype(np.float32)
    canvas.planes[:, y, x] += brightness
    large = brightness > _BRIGHT_STAR
    canvas.planes[:, y[large], x[large] + 1] += brightness[large] * 0.6


def _clouds(canvas: Canvas, horizon: float, amount: float) -> None:
    rows = int(horizon * canvas.height)
    cell = 330 * canvas.unit
    noise = cloud(canvas.rng, width=canvas.width, height=rows, cell=(cell * 1.7, cell * 0.55), octaves=5)
    body = smoothstep(0.60 - 0.22 * amount, 0.86, noise)
    body *= np.linspace(1, 0.35, rows, dtype=np.float32)[:, None] * np.float32(0.8)
    white = mixed(column(canvas.light.horizon), column(canvas.light.sun), 0.5)
    canvas.planes[:, :rows] += (white - canvas.planes[:, :rows]) * body


@dataclass(frozen=True, kw_only=True)
class Ground:
    """How one layer of land is painted.

    Attributes:
        dark, lit: Colours of a texture of 0 and of 1.
        mist: Colour that the layer sinks into, `mist_depth` pixels below its ridge, by at most `mist_part`.
    """

    dark: Plane
    lit: Plane
    mist: Plane
    mist_depth: float = 200.0
    mist_part: float = 0.0


def layer(
    canvas: Canvas,
    *,
    ridge: Plane,
    ground: Ground,
    texture: Texture,
    bottom: int | None = None,
    outline: Plane | None = None,
) -> None:
    """Paint the land below a ridge, down to row `bottom`; `outline` is the ridge with what grows on it.

    `texture` takes depths below the ridge in pixels and the first row's number, and returns 0…1 for each pixel.
    """
    edge = ridge if outline is None else outline
    top = max(0, int(edge.min()) - 1)
    end = canvas.height if bottom is None else min(canvas.height, bottom)
    if top >= end:
        return
    rows = np.arange(top, end, dtype=np.float32)[:, None]
    cover = np.clip(rows - edge[None, :] + np.float32(0.5), 0, 1)
    depth = rows - ridge[None, :]
    np.maximum(depth, 0, out=depth)
    shade = texture(depth, top)
    sunk = None
    if ground.mist_part:
        sunk = np.clip(depth / np.float32(ground.mist_depth), 0, 1)
        sunk = sunk * np.sqrt(sunk) * np.float32(ground.mist_part)
    # plane by plane: a third of the memory, and it stays in the cache
    for index in range(3):
        plane = canvas.planes[index, top:end]
        dark, lit, mist = (colour[index, 0, 0] for colour in (ground.dark, ground.lit, ground.mist))
        colour = shade * (lit - dark) + dark
        if sunk is not None:
            colour += (mist - colour) * sunk
        colour -= plane
        colour *= cover
        plane += colour


def slope_light(ridge: Plane, *, sun_x: float, reach: int) -> Plane:
    """Return 0…1 along a ridge: how much its side faces the sun."""
    # a running mean by sums: np.convolve's last bits depend on where in memory its operands lie
    padded = np.pad(ridge.astype(np.float64), (reach // 2 + 1, reach - reach // 2 - 1), mode="edge")
    sums = np.cumsum(padded)
    smooth = (sums[reach:] - sums[:-reach])[: len(ridge)] / reach
    slope = np.gradient(smooth.astype(np.float32))
    # straight below the sun both sides are lit alike
    towards = np.tanh(
        (np.float32(sun_x) - np.arange(len(ridge), dtype=np.float32)) / np.float32(0.16 * len(ridge))
    )
    return clipped(np.float32(0.5) + slope * towards * np.float32(1.1))


def with_conifers(canvas: Canvas, ridge: Plane, *, count: int, height: float, spread: float = 0.4) -> Plane:
    """Return the ridge with the silhouettes of firs upon it."""
    rng, grown = canvas.rng, ridge.copy()
    for _ in range(count):
        tall = height * float(1 + rng.uniform(-spread, spread))
        half = max(2, int(tall * float(rng.uniform(0.13, 0.2))))
        middle = int(rng.integers(0, canvas.width))
        left, right = max(0, middle - half), min(canvas.width, middle + half + 1)
        across = np.abs(np.arange(left, right, dtype=np.float32) - middle) / half
        boughs = across * np.float32(rng.uniform(5, 8))
        profile = 1 - across - np.float32(0.10) * (boughs - np.floor(boughs)) * (across > np.float32(0.1))
        np.minimum(grown[left:right], ridge[middle] - profile * np.float32(tall), out=grown[left:right])
    return grown


def grove(canvas: Canvas, ridge: Plane, *, count: int, height: float, ground: Ground) -> None:
    """Paint trees with round crowns that stand on a ridge, in the ground's colours."""
    rng = canvas.rng
    top = max(0, int(ridge.min() - height * 1.8))
    end = min(canvas.height, int(ridge.max() + height * 0.2) + 1)
    if top >= end:
        return
    # drawn twice as large and reduced, for smooth edges
    wood, sunlit = (Image.new("L", (2 * canvas.width, 2 * (end - top))) for _ in range(2))
    for _ in range(count):
        x = int(rng.integers(0, canvas.width))
        tall = height * float(rng.uniform(0.6, 1.35))
        _tree(rng, (wood, sunlit), x=2.0 * x, y=2 * (float(ridge[x]) - top + tall * 0.08), tall=2 * tall)
    size = (canvas.width, end - top)
    body, light = (
        np.asarray(mask.resize(size, Image.Resampling.BOX), np.float32) / 255 for mask in (wood, sunlit)
    )
    for index in range(3):
        plane = canvas.planes[index, top:end]
        dark, lit = ground.dark[index, 0, 0], ground.lit[index, 0, 0]
        plane += (dark + (lit - dark) * np.float32(0.5) * light - plane) * body


def _tree(
    rng: np.random.Generator, masks: tuple[Image.Image, Image.Image], *, x: float, y: float, tall: float
) -> None:
    wood, sunlit = (ImageDraw.Draw(mask) for mask in masks)
    wood.line((x, y, x, y - tall * 0.6), fill=255, width=max(2, int(tall * 0.05)))
    for _ in range(9):
        radius = tall * float(rng.uniform(0.10, 0.2))
        cx, cy = x + tall * float(rng.normal(0, 0.12)), y - tall * float(rng.uniform(0.45, 0.88))
        wood.ellipse((cx - radius * 1.15, cy - radius * 0.9, cx + radius * 1.15, cy + radius * 0.9), fill=255)
        small = radius * 0.6
        cx, cy = cx - radius * 0.2, cy - radius * 0.35
        sunlit.ellipse(
            (cx - small, cy - small * 0.8, cx + small, cy + small * 0.8), fill=int(rng.integers(90, 255))
        )


def reflect(canvas: Canvas, *, waterline: int, tint: Plane, part: float) -> None:
    """Paint still water below a row: what is above it, upside down, rippled and tinted."""
    rows = canvas.height - waterline
    source = waterline - 1 - np.arange(rows)
    ripple = curve(canvas.rng, width=rows, cell=5, octaves=2) * np.linspace(0.5, 7, rows) * canvas.unit
    source = np.clip(source + ripple.astype(np.int32), 0, waterline - 1)
    water = canvas.planes[:, source]
    fade = np.linspace(part, min(1.0, part + 0.35), rows, dtype=np.float32)[:, None]
    canvas.planes[:, waterline:] = water + (tint - water) * fade
