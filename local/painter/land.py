"""Paints the parts of a landscape onto a canvas, from the back to the front: sky, layers of land, trees, water."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from local.painter.noise import Plane, cloud, curve, smoothstep
from local.painter.places import Land, Light, column, mixed, rgb

_BRIGHT_STAR: Final = 0.55

# Takes each pixel's depth below the ridge and the number of the first row, returns 0…1: from dark to lit.
Texture = Callable[[Plane, int], Plane]


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Three planes of colour, 0…1, with the light upon them and the only source of randomness."""

    planes: Plane
    rng: np.random.Generator
    light: Light

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.planes.shape[2]

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.planes.shape[1]

    @property
    def unit(self) -> float:
        """How much larger than at 1024x1024 a feature is."""
        return float(np.sqrt(self.width * self.height) / 1024)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The colours of one layer of land, from dark to lit.

    The layer sinks into mist: `mist_depth` pixels below its ridge, `mist_part` of its colour is that of the mist.
    """

    dark: Plane
    lit: Plane
    mist: Plane
    mist_depth: float
    mist_part: float


def sky(canvas: Canvas, *, horizon: float, clouds: float) -> float:
    """Paint sky, sun or moon, stars and clouds over the whole canvas; return the column of the sun."""
    light, rng, planes = canvas.light, canvas.rng, canvas.planes
    at = np.linspace(0, 1 / horizon, canvas.height)
    stops = zip(rgb(light.top), rgb(light.middle), rgb(light.horizon), strict=True)
    planes[:] = np.asarray([np.interp(at, (0, 0.55, 1), parts) / 255 for parts in stops])[:, :, None]
    sun_x, sun_y = rng.uniform(0.2, 0.8) * canvas.width, rng.uniform(0.35, 0.8) * horizon * canvas.height
    if light.stars:
        _stars(canvas, horizon)
        sun_y *= 0.55
    x = np.arange(canvas.width, dtype=np.float32)[None, :] - sun_x
    y = np.arange(canvas.height, dtype=np.float32)[:, None] - sun_y
    distance = np.sqrt(x * x + y * y) / (1024 * canvas.unit)
    colour = column(light.sun)
    planes += (colour - planes) * (np.exp(distance * -4.2) * (0.26 if light.stars else 0.5))
    _clouds(canvas, horizon, clouds)
    # The moon has a sharper edge than the sun.
    disc, soft = (0.032, 0.003) if light.stars else (0.030, 0.014)
    glow = np.maximum(np.exp(distance * -17) * 0.45, 1 - smoothstep(disc - soft, disc + soft, distance))
    planes += (mixed(colour, np.ones_like(colour), 0.55) - planes) * glow
    return sun_x


def _stars(canvas: Canvas, horizon: float) -> None:
    rng = canvas.rng
    count = int(700 * canvas.unit**2)
    x = rng.integers(0, canvas.width - 1, count)
    y = (rng.random(count) ** 1.4 * horizon * canvas.height).astype(np.int32)
    brightness = rng.random(count) ** 3 * 0.8 + 0.12
    canvas.planes[:, y, x] += brightness
    large = brightness > _BRIGHT_STAR
    canvas.planes[:, y[large], x[large] + 1] += brightness[large] * 0.6


def _clouds(canvas: Canvas, horizon: float, amount: float) -> None:
    rows = int(horizon * canvas.height)
    cell = 330 * canvas.unit
    noise = cloud(canvas.rng, (rows, canvas.width), cell=(cell * 1.7, cell * 0.55), octaves=5)
    body = smoothstep(0.60 - 0.22 * amount, 0.86, noise)
    body *= np.linspace(1, 0.35, rows, dtype=np.float32)[:, None] * 0.8
    white = mixed(column(canvas.light.horizon), column(canvas.light.sun), 0.5)
    canvas.planes[:, :rows] += (white - canvas.planes[:, :rows]) * body


def ground_at(
    canvas: Canvas, land: Land, nearness: float, *, mist: float = 0.0, depth: float = 200.0
) -> Ground:
    """Return land at a distance: the farther, the more of the horizon's colour is in it."""
    haze, sun = column(canvas.light.horizon), column(canvas.light.sun)
    air = (1 - nearness) ** 1.15 * 0.86
    shade = canvas.light.shade
    return Ground(
        dark=mixed(column(land.dark) * shade, haze, air),
        lit=mixed(mixed(column(land.lit), sun, 0.12) * shade, haze, air * 0.9),
        mist=mixed(haze, sun, 0.25),
        mist_depth=depth * canvas.unit,
        mist_part=mist,
    )


def layer(
    canvas: Canvas,
    ridge: Plane,
    ground: Ground,
    texture: Texture,
    *,
    bottom: int,
    outline: Plane | None = None,
) -> None:
    """Paint the land below a ridge, down to row `bottom`; `outline` is the ridge with what grows on it."""
    edge = ridge if outline is None else outline
    top, end = max(0, int(edge.min()) - 1), min(canvas.height, bottom)
    if top >= end:
        return
    rows = np.arange(top, end, dtype=np.float32)[:, None]
    cover = np.clip(rows - edge[None, :] + 0.5, 0, 1)
    depth = np.maximum(rows - ridge[None, :], 0)
    shade = texture(depth, top)
    sunk = np.clip(depth / ground.mist_depth, 0, 1)
    sunk = sunk * np.sqrt(sunk) * ground.mist_part
    # Plane by plane, which takes a third of the memory and stays in the processor's cache.
    for plane, dark, lit, mist in zip(canvas.planes, ground.dark, ground.lit, ground.mist, strict=True):
        colour = shade * (lit - dark) + dark
        colour += (mist - colour) * sunk
        plane[top:end] += (colour - plane[top:end]) * cover


def slope_light(ridge: Plane, *, sun_x: float, reach: float) -> Plane:
    """Return 0…1 along a ridge: how much its side faces the sun, seen over `reach` pixels."""
    span = max(3, int(reach))
    # A running mean by sums, because np.convolve's last bits depend on where in memory its operands are, and the same
    # request must give the same bytes.
    sums = np.cumsum(np.pad(ridge.astype(np.float64), (span // 2 + 1, span - span // 2 - 1), mode="edge"))
    slope = np.gradient((sums[span:] - sums[:-span])[: len(ridge)] / span).astype(np.float32)
    # Straight below the sun both sides are lit alike.
    towards = np.tanh((sun_x - np.arange(len(ridge), dtype=np.float32)) / (0.16 * len(ridge)))
    return np.clip(0.5 + slope * towards * 1.1, 0, 1)


def grass(canvas: Canvas, ridge: Plane, *, sun_x: float, rough: float) -> Texture:
    """Return the texture of grass on a hill: the slope's light, and patches."""
    facing = slope_light(ridge, sun_x=sun_x, reach=60 * canvas.unit)

    def texture(depth: Plane, _top: int) -> Plane:
        fall = np.exp(depth / (-260 * canvas.unit))
        cell = 46 * canvas.unit
        patches = cloud(canvas.rng, depth.shape, cell=(cell * 2, cell), octaves=4)
        return np.clip(0.28 + 0.55 * facing[None, :] * fall + (patches - 0.5) * rough, 0, 1)

    return texture


def rows_of_bushes(canvas: Canvas, ridge: Plane, *, sun_x: float, near: float) -> Texture:
    """Return the texture of a planted slope: rows along its contours, wider towards the viewer."""
    unit = canvas.unit
    facing = slope_light(ridge, sun_x=sun_x, reach=70 * unit)
    bend = curve(canvas.rng, canvas.width, cell=380 * unit, octaves=2) * (26 * unit * (0.4 + near))

    def texture(depth: Plane, _top: int) -> Plane:
        cell = ((5 + 11 * near) * unit, (4 + 6 * near) * unit)
        bushes = cloud(canvas.rng, depth.shape, cell=cell, octaves=2)
        # Rows become wider with depth, so they are equal steps of the logarithm.
        scale = 260 * unit
        along = np.log1p((depth + bend[None, :] * smoothstep(0, 120 * unit, depth)) / scale) * scale
        phase = along * (2 * np.pi / ((4 + 15 * near) * unit)) + (bushes - 0.5) * 1.5
        light = (0.30 + 0.86 * facing[None, :]) * np.exp(depth / (-520 * unit))
        return np.clip((np.sqrt(0.5 + 0.5 * np.sin(phase)) * 0.72 + bushes * 0.42) * light, 0, 1)

    return texture


def rock(canvas: Canvas, ridge: Plane, *, sun_x: float, snow: float) -> Texture:
    """Return the texture of rock: steep facets, and snow above `snow`, a part of the canvas's height."""
    facing = slope_light(ridge, sun_x=sun_x, reach=14 * canvas.unit)

    def texture(depth: Plane, top: int) -> Plane:
        cell = 74 * canvas.unit
        facets = cloud(canvas.rng, depth.shape, cell=(cell * 0.7, cell * 1.3), octaves=5)
        # The difference to a copy that is shifted towards the sun lights each facet from the sun's side.
        lit = (facets - np.roll(facets, max(2, int(6 * canvas.unit)), axis=1)) * 5.5
        fall = np.exp(depth / (-90 * canvas.unit))
        shade = (0.34 + lit * 0.55 + (facing[None, :] - 0.5) * fall * 0.6) * 0.62
        height = np.arange(top, top + len(depth), dtype=np.float32)[:, None] / canvas.height
        white = smoothstep(-0.05, 0.07, lit * 0.22 + (facets - 0.5) * 0.55 + (snow - height) * 1.5)
        return np.clip(shade + (0.74 + lit * 0.42 - shade) * white, 0, 1)

    return texture


def dune(canvas: Canvas, ridge: Plane, *, sun_x: float, near: float) -> Texture:
    """Return the texture of a dune: a lit and a shadowed face along a leaning crest, and the wind's ripples."""
    unit = canvas.unit
    facing = slope_light(ridge, sun_x=sun_x, reach=24 * unit)
    lean = canvas.rng.uniform(0.7, 1.6) * (1 if sun_x < canvas.width / 2 else -1)
    bend = curve(canvas.rng, canvas.height, cell=150 * unit, octaves=2) * (46 * unit)

    def texture(depth: Plane, top: int) -> Plane:
        rows, width = depth.shape
        # The crest runs down and sideways from each top, so the slope's light is looked up along a leaning line.
        shifted = np.arange(width, dtype=np.float32)[None, :] + depth * lean + bend[top : top + rows, None]
        face = smoothstep(0.40, 0.60, facing[np.clip(shifted, 0, width - 1).astype(np.int32)])
        wind = np.sin((depth + shifted * 0.22) * (2 * np.pi / ((5 + 9 * near) * unit)))
        fine = cloud(canvas.rng, depth.shape, cell=(30 * unit, 14 * unit), octaves=3)
        return np.clip(0.22 + face * 0.6 + wind * 0.035 * (1 + face) + (fine - 0.5) * 0.22, 0, 1)

    return texture


def with_conifers(canvas: Canvas, ridge: Plane, *, count: int, height: float) -> Plane:
    """Return the ridge with the silhouettes of firs upon it."""
    rng, grown = canvas.rng, ridge.copy()
    for _ in range(count):
        tall = height * (1 + rng.uniform(-0.4, 0.4))
        half = max(2, int(tall * rng.uniform(0.13, 0.2)))
        middle = int(rng.integers(0, canvas.width))
        left, right = max(0, middle - half), min(canvas.width, middle + half + 1)
        across = np.abs(np.arange(left, right, dtype=np.float32) - middle) / half
        boughs = across * rng.uniform(5, 8)
        profile = 1 - across - 0.10 * (boughs % 1) * (across > 0.1)  # noqa: PLR2004 - the top is a point
        np.minimum(grown[left:right], ridge[middle] - profile * tall, out=grown[left:right])
    return grown


def grove(canvas: Canvas, ridge: Plane, ground: Ground, *, count: int, height: float) -> None:
    """Paint trees with round crowns that stand on a ridge, in the ground's colours."""
    rng = canvas.rng
    top = max(0, int(ridge.min() - height * 1.8))
    end = min(canvas.height, int(ridge.max() + height * 0.2) + 1)
    if top >= end:
        return
    # Painted twice as large and then reduced, for smooth edges.
    masks = [Image.new("L", (2 * canvas.width, 2 * (end - top))) for _ in range(2)]
    for _ in range(count):
        x = int(rng.integers(0, canvas.width))
        tall = 2 * height * rng.uniform(0.6, 1.35)
        _tree(rng, masks, x=2 * x, y=2 * (float(ridge[x]) - top) + tall * 0.08, tall=tall)
    body, light = (np.asarray(mask.reduce(2), np.float32) / np.float32(255) for mask in masks)
    part = canvas.planes[:, top:end]
    part += (mixed(ground.dark, ground.lit, 0.5 * light) - part) * body


def _tree(rng: np.random.Generator, masks: list[Image.Image], *, x: float, y: float, tall: float) -> None:
    wood, sunlit = (ImageDraw.Draw(mask) for mask in masks)
    wood.line((x, y, x, y - tall * 0.6), fill=255, width=max(2, int(tall * 0.05)))
    for _ in range(9):
        radius = tall * rng.uniform(0.10, 0.2)
        cx, cy = x + tall * rng.normal(0, 0.12), y - tall * rng.uniform(0.45, 0.88)
        wood.ellipse((cx - radius * 1.15, cy - radius * 0.9, cx + radius * 1.15, cy + radius * 0.9), fill=255)
        small, cx, cy = radius * 0.6, cx - radius * 0.2, cy - radius * 0.35
        bright = int(rng.integers(90, 255))
        sunlit.ellipse((cx - small, cy - small * 0.8, cx + small, cy + small * 0.8), fill=bright)


def reflect(canvas: Canvas, *, waterline: int, tint: Plane, part: float) -> None:
    """Paint still water below a row: what is above it, upside down, rippled and tinted."""
    rows = canvas.height - waterline
    ripple = curve(canvas.rng, rows, cell=5, octaves=2) * np.linspace(0.5, 7, rows) * canvas.unit
    source = np.clip(waterline - 1 - np.arange(rows) + ripple.astype(np.int32), 0, waterline - 1)
    water = canvas.planes[:, source]
    fade = np.linspace(part, min(1.0, part + 0.35), rows, dtype=np.float32)[:, None]
    canvas.planes[:, waterline:] = mixed(water, tint, fade)
