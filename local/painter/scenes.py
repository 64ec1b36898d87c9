"""Paints the eight places, each as a few layers, from the far one to the near one."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from PIL import ImageDraw

from local.painter.land import (
    Canvas,
    dune,
    grass,
    ground_at,
    grove,
    layer,
    reflect,
    rock,
    rows_of_bushes,
    sky,
    with_conifers,
)
from local.painter.noise import Plane, cloud, curve, smoothstep, to_image, to_planes
from local.painter.places import Land, column, mixed, rgb


def _ridges(
    canvas: Canvas,
    *,
    first: float,
    last: float,
    count: int,
    swing: float,
    cell: float,
    octaves: int,
    roughness: float,
) -> list[Plane]:
    """Return the rows of ridges, the far one first; `first`, `last` and `swing` are parts of the height."""
    ridges = []
    for number in range(count):
        near = number / (count - 1)
        size = cell * (0.6 + 0.8 * near) * canvas.unit
        wave = curve(canvas.rng, canvas.width, cell=size, octaves=octaves, roughness=roughness)
        tilt = np.linspace(-1, 1, canvas.width, dtype=np.float32) * canvas.rng.uniform(-0.6, 0.6)
        level = first + (last - first) * near**1.25
        ridges.append((level + swing * (0.5 + 0.7 * near) * (wave + tilt)) * canvas.height)
    return ridges


def _slopes(canvas: Canvas, ridges: list[Plane]) -> Iterator[tuple[int, float, Plane, int]]:
    """Yield a ridge's number, its nearness 0…1, its rows, and the row below which the next one hides its land."""
    bottoms = [int(ridge.max()) + 2 for ridge in ridges[1:]] + [canvas.height]
    for number, (ridge, bottom) in enumerate(zip(ridges, bottoms, strict=True)):
        yield number, number / (len(ridges) - 1), ridge, bottom


def tea(canvas: Canvas, land: Land) -> None:
    """Paint terraced hills in mist."""
    sun_x = sky(canvas, horizon=0.52, clouds=0.5)
    far = _ridges(canvas, first=0.33, last=0.38, count=2, swing=0.07, cell=300, octaves=5, roughness=0.45)
    near = _ridges(canvas, first=0.46, last=0.80, count=5, swing=0.085, cell=400, octaves=3, roughness=0.33)
    blue = Land("3a5c62", "749280")
    for number, _, ridge, bottom in _slopes(canvas, far + near):
        if number < len(far):
            ground = ground_at(canvas, blue, 0.30 + 0.2 * number, mist=0.85, depth=170)
            texture = grass(canvas, ridge, sun_x=sun_x, rough=0.4)
        else:
            close = (number - 1) / 5
            mist, depth = 0.82 * (1 - close), 110 + 170 * close
            ground = ground_at(canvas, land, 0.42 + 0.58 * close, mist=mist, depth=depth)
            grove(canvas, ridge, ground, count=19 - 3 * number, height=(16 + 58 * close) * canvas.unit)
            texture = rows_of_bushes(canvas, ridge, sun_x=sun_x, near=close)
        layer(canvas, ridge, ground, texture, bottom=bottom)


def hills(canvas: Canvas, land: Land) -> None:
    """Paint rolling country, some of it ploughed, with trees."""
    sun_x = sky(canvas, horizon=0.58, clouds=0.8)
    ridges = _ridges(canvas, first=0.42, last=0.84, count=6, swing=0.06, cell=420, octaves=3, roughness=0.36)
    crops = (land, Land("605828", "dec46a"), Land("244a22", "7ea846"))
    woods = Land("1a301c", "70883e")
    for number, near, ridge, bottom in _slopes(canvas, ridges):
        crop = crops[int(canvas.rng.integers(3))]
        ground = ground_at(canvas, crop, 0.16 + 0.84 * near, mist=0.5 * (1 - near), depth=220)
        leaves = ground_at(canvas, woods, 0.2 + 0.8 * near)
        grove(canvas, ridge, leaves, count=38 - 6 * number, height=(12 + 50 * near) * canvas.unit)
        if number > 1 and canvas.rng.random() < 0.45:  # noqa: PLR2004 - the ploughed part of the fields
            texture = rows_of_bushes(canvas, ridge, sun_x=sun_x, near=near * 0.5)
        else:
            texture = grass(canvas, ridge, sun_x=sun_x, rough=0.6)
        layer(canvas, ridge, ground, texture, bottom=bottom)


def meadow(canvas: Canvas, land: Land) -> None:
    """Paint a field of flowers under hills."""
    sun_x = sky(canvas, horizon=0.5, clouds=0.9)
    ridges = _ridges(canvas, first=0.42, last=0.56, count=4, swing=0.04, cell=460, octaves=3, roughness=0.4)
    for number, near, ridge, bottom in _slopes(canvas, ridges):
        ground = ground_at(canvas, land, 0.15 + 0.85 * near, mist=0.5 * (1 - near), depth=160)
        if number in {1, 2}:
            grove(canvas, ridge, ground, count=34, height=(22 + 30 * near) * canvas.unit)
        layer(canvas, ridge, ground, grass(canvas, ridge, sun_x=sun_x, rough=0.8), bottom=bottom)
    _flowers(canvas, land, horizon=float(ridges[-1].max()))


def _flowers(canvas: Canvas, land: Land, *, horizon: float) -> None:
    rng, shade = canvas.rng, canvas.light.shade
    picture = to_image(canvas.planes)
    draw = ImageDraw.Draw(picture)
    count = int(5200 * canvas.unit**2)
    depths = np.sort(rng.random(count) ** 1.7)
    across = rng.random(count)
    patch = curve(rng, count, cell=count / 9, octaves=2)
    for depth, part, kind in zip(depths.tolist(), across.tolist(), patch.tolist(), strict=True):
        x, y = part * canvas.width, horizon + 4 + depth * (canvas.height - horizon)
        size = (0.9 + 8.5 * depth**1.4) * canvas.unit * rng.uniform(0.6, 1.2)
        # Flowers of a kind grow in patches, with a few strangers among them.
        pick = int(abs(kind) * 1.6 * len(land.accents) + rng.random() * 1.7) % len(land.accents)
        dim = shade * rng.uniform(0.78, 1.05)
        stem, petals, heart = (
            _dimmed(land.dark, shade),
            _dimmed(land.accents[pick], dim),
            _dimmed("e0b43c", dim),
        )
        draw.line((x, y, x + size * 0.3, y + size * 2.6), fill=stem, width=max(1, int(size / 4)))
        draw.ellipse((x - size, y - size * 0.72, x + size, y + size * 0.72), fill=petals)
        draw.ellipse((x - size / 3, y - size / 4, x + size / 3, y + size / 4), fill=heart)
    canvas.planes[:] = to_planes(picture)


def _dimmed(colour: str, part: float) -> tuple[int, ...]:
    return tuple(min(255, int(value * part)) for value in rgb(colour))


def forest(canvas: Canvas, land: Land) -> None:
    """Paint conifers on misty slopes."""
    sun_x = sky(canvas, horizon=0.6, clouds=0.4)
    ridges = _ridges(canvas, first=0.34, last=0.98, count=7, swing=0.06, cell=360, octaves=3, roughness=0.4)
    for number, near, ridge, bottom in _slopes(canvas, ridges):
        tall = (20 + 210 * near**1.6) * canvas.unit
        count = int(canvas.width / (tall * (0.14 + 0.12 * near))) if number else 0
        outline = with_conifers(canvas, ridge, count=count, height=tall)
        ground = ground_at(canvas, land, 0.10 + 0.90 * near, mist=0.92 - 0.4 * near, depth=70 + 90 * near)
        texture = grass(canvas, ridge, sun_x=sun_x, rough=0.5)
        layer(canvas, ridge, ground, texture, bottom=bottom, outline=outline)


def mountains(canvas: Canvas, land: Land) -> None:
    """Paint snowy peaks over a lake."""
    sun_x = sky(canvas, horizon=0.6, clouds=0.7)
    waterline = int(0.72 * canvas.height)
    pale = Land(land.dark, "fcfafa")
    for number, (level, rise, cell) in enumerate(((0.54, 0.30, 210), (0.64, 0.34, 290), (0.71, 0.26, 240))):
        ridge = _peaks(canvas, level=level, rise=rise, cell=cell)
        ground = ground_at(canvas, pale, 0.52 + 0.2 * number, mist=0.7, depth=300)
        texture = rock(canvas, ridge, sun_x=sun_x, snow=0.42 + 0.05 * number)
        layer(canvas, ridge, ground, texture, bottom=waterline)
    wave = curve(canvas.rng, canvas.width, cell=300 * canvas.unit, octaves=3) * 0.012
    woods = Land("102224", "3c5c46")
    for level, tall, near in ((0.69, 26, 0.7), (0.702, 46, 0.92)):
        bank = (wave + level) * canvas.height
        count = int(150 * canvas.width / 1024 / canvas.unit)
        outline = with_conifers(canvas, bank, count=count, height=tall * canvas.unit)
        texture = grass(canvas, bank, sun_x=sun_x, rough=0.5)
        ground = ground_at(canvas, woods, near, mist=0.3, depth=60)
        layer(canvas, bank, ground, texture, bottom=waterline, outline=outline)
    reflect(canvas, waterline=waterline, tint=column("1a344a") * canvas.light.shade, part=0.16)


def _peaks(canvas: Canvas, *, level: float, rise: float, cell: float) -> Plane:
    """Return a ridge of pointed peaks: a folded curve, with a rough edge."""
    folded = 1 - np.abs(curve(canvas.rng, canvas.width, cell=cell * canvas.unit, octaves=2, roughness=0.4))
    edge = curve(canvas.rng, canvas.width, cell=44 * canvas.unit, octaves=5, roughness=0.55)
    return (level - rise * np.clip(folded, 0, 1) ** 1.5 + 0.009 * edge) * canvas.height


def sea(canvas: Canvas, land: Land) -> None:
    """Paint open water with the sun's path on it, headlands and a sail."""
    sun_x = sky(canvas, horizon=0.56, clouds=0.9)
    first = int(0.56 * canvas.height)
    _water(canvas, land, first=first, sun_x=sun_x)
    coast = Land("223432", "808260")
    # The land is on the side where the sun is not.
    side = 1 if sun_x < canvas.width / 2 else -1
    across = np.linspace(-1.1, 1, canvas.width, dtype=np.float32)[::side] * 0.62
    for number in range(3):
        wave = curve(canvas.rng, canvas.width, cell=170 * canvas.unit, octaves=5)
        rise = np.clip(across - (0.32 - 0.1 * number) + wave * 0.16, 0, None) * (0.20 - 0.03 * number)
        foot = first + 2 + number * 7 * canvas.unit
        ridge = foot - rise * canvas.height
        ground = ground_at(canvas, coast, 0.25 + 0.3 * number, mist=0.4, depth=150)
        layer(canvas, ridge, ground, rock(canvas, ridge, sun_x=sun_x, snow=-1.0), bottom=int(foot + 1))
    _sail(canvas, first=first, sun_x=sun_x)


def _water(canvas: Canvas, land: Land, *, first: int, sun_x: float) -> None:
    shape, unit, shade = (canvas.height - first, canvas.width), canvas.unit, canvas.light.shade
    depth = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    # Ripples of a far row are small: the finer field is far, the coarser one near.
    field = cloud(canvas.rng, shape, cell=(70 * unit, 15 * unit), octaves=4)
    fine = cloud(canvas.rng, shape, cell=(22 * unit, 5 * unit), octaves=2)
    ripple = field * depth + fine * (1 - depth) - 0.5
    far = mixed(column(land.lit) * shade, column(canvas.light.horizon), 0.55)
    body = mixed(far, column(land.dark) * shade, np.sqrt(depth))
    body = body + ripple * 0.55 * (column(canvas.light.middle) * shade) * (0.35 + depth)
    across = np.abs(np.arange(canvas.width, dtype=np.float32)[None, :] - sun_x)
    path = np.exp(-across / ((46 + 190 * depth) * unit))
    glitter = smoothstep(0.03, 0.22, ripple + path * 0.2) * path
    canvas.planes[:, first:] = mixed(body, column(canvas.light.sun), np.clip(glitter, 0, 0.95))


def _sail(canvas: Canvas, *, first: int, sun_x: float) -> None:
    size = canvas.rng.uniform(26, 44) * canvas.unit
    x = (sun_x + canvas.rng.uniform(-0.22, 0.22) * canvas.width) % canvas.width
    y = first + size * 0.7
    pale = _dimmed(canvas.light.sun, 0.55 + 0.4 * canvas.light.shade)
    picture = to_image(canvas.planes)
    for fill, outline in (
        (pale, ((0, -1.7), (0, -0.18), (0.72, -0.18))),
        (pale, ((-0.05, -1.45), (-0.05, -0.18), (-0.42, -0.18))),
        (_dimmed(canvas.light.middle, 0.42), ((-0.6, -0.12), (0.75, -0.12), (0.5, 0.12), (-0.42, 0.12))),
    ):
        ImageDraw.Draw(picture).polygon(
            [(x + size * across, y + size * down) for across, down in outline], fill
        )
    canvas.planes[:] = to_planes(picture)


def desert(canvas: Canvas, land: Land) -> None:
    """Paint dunes with sharp crests."""
    sun_x = sky(canvas, horizon=0.56, clouds=0.25)
    ridges = _ridges(canvas, first=0.46, last=0.82, count=5, swing=0.055, cell=470, octaves=2, roughness=0.22)
    for _, near, ridge, bottom in _slopes(canvas, ridges):
        ground = ground_at(canvas, land, 0.2 + 0.8 * near, mist=0.35 * (1 - near), depth=200)
        layer(canvas, ridge, ground, dune(canvas, ridge, sun_x=sun_x, near=near), bottom=bottom)


def city(canvas: Canvas, land: Land) -> None:
    """Paint a skyline with lit windows over water."""
    sky(canvas, horizon=0.66, clouds=0.5)
    waterline = int(0.74 * canvas.height)
    for near in (0, 1 / 3, 2 / 3, 1):
        ridge, building = _skyline(canvas, base=waterline, near=near)
        ground = ground_at(canvas, land, 0.3 + 0.7 * near, mist=0.55 * (1 - near) + 0.12, depth=420)
        layer(canvas, ridge, ground, lambda depth, _top: np.exp(depth * -0.006) * 0.7, bottom=waterline)
        _windows(canvas, land, ridge=ridge, building=building, waterline=waterline, near=near)
    reflect(canvas, waterline=waterline, tint=column(land.dark), part=0.42)


def _skyline(canvas: Canvas, *, base: int, near: float) -> tuple[Plane, Plane]:
    """Return roof rows, and for each column the number of its building."""
    rng, unit = canvas.rng, canvas.unit
    ridge = np.full(canvas.width, base, np.float32)
    building = np.zeros(canvas.width, np.float32)
    left, number = -int(rng.integers(0, 40)), 0
    middle = canvas.width * rng.uniform(0.35, 0.65)
    while left < canvas.width:
        wide = int(rng.integers(26, 64) * unit * (0.75 + 0.6 * near))
        centre = np.exp(-(((left + wide / 2 - middle) / (0.36 * canvas.width)) ** 2))
        tall = (
            (0.05 + 0.40 * rng.random() ** 1.5 * centre + 0.10 * centre)
            * (1.25 - 0.75 * near)
            * canvas.height
        )
        span = slice(max(0, left), max(0, left + wide))
        ridge[span] = base - tall
        if rng.random() < 0.3:  # noqa: PLR2004 - the part with a narrower top
            ridge[max(0, left + wide // 4) : max(0, left + 3 * wide // 4)] -= tall * 0.08
        if rng.random() < 0.16:  # noqa: PLR2004 - the part with a mast
            mast = max(0, left + wide // 2)
            ridge[mast : mast + 2] -= tall * 0.22
        number += 1
        building[span] = number
        left += wide + int(rng.integers(0, 6) * unit)
    return ridge, building


def _windows(
    canvas: Canvas, land: Land, *, ridge: Plane, building: Plane, waterline: int, near: float
) -> None:
    unit = canvas.unit
    across, down = max(3, int((5 + 3 * near) * unit)), max(4, int((8 + 4 * near) * unit))
    top = max(0, int(ridge.min()))
    rows, columns = np.arange(top, waterline)[:, None], np.arange(canvas.width)[None, :]
    share = 0.36 if canvas.light.shade < 1 else 0.10
    lit = canvas.rng.random((len(rows) // down + 1, canvas.width // across + 1), np.float32)
    lit = np.where(lit < share * 0.8, lit / share + 0.25, 0)
    glow = lit[(rows - top) // down, columns // across] * (0.35 + 0.6 * near)
    pane = (rows % down < down * 0.55) & (columns % across < across * 0.6)
    inside = (rows > ridge[None, :] + 5 * unit) & (rows < waterline - 4) & (building[None, :] > 0)
    accents = np.concatenate([column(colour) for colour in land.accents], axis=2)[:, 0]
    warm = accents[:, building.astype(np.int32) % len(land.accents)][:, None, :]
    part = canvas.planes[:, top:waterline]
    part += (warm - part) * np.clip(glow * (pane & inside), 0, 1)


SCENES: Final[dict[str, Callable[[Canvas, Land], None]]] = {
    "tea": tea,
    "hills": hills,
    "meadow": meadow,
    "forest": forest,
    "mountains": mountains,
    "sea": sea,
    "desert": desert,
    "city": city,
}
