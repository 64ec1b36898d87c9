"""The places, each a few layers on a canvas."""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from local.bedrock.fields import Plane, chance, cloud, curve, smoothstep, to_pixels, to_planes
from local.bedrock.palettes import Land, column, mixed
from local.bedrock.terrain import Canvas, grove, layer, reflect, sky, with_conifers
from local.bedrock.textures import dune, grass, ground_at, rock, rows_of_bushes


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
    """Return ridges from the far one to the near one, as fractions of the height turned into rows."""
    ridges = []
    for number in range(count):
        near = number / max(1, count - 1)
        level = first + (last - first) * near**1.25
        size = cell * (0.6 + 0.8 * near) * canvas.unit
        wave = curve(canvas.rng, width=canvas.width, cell=size, octaves=octaves, roughness=roughness)
        tilt = np.linspace(-1, 1, canvas.width, dtype=np.float32) * np.float32(canvas.rng.uniform(-0.6, 0.6))
        ridges.append(
            ((level + swing * (0.5 + 0.7 * near) * (wave + tilt)) * canvas.height).astype(np.float32)
        )
    return ridges


def _bottoms(canvas: Canvas, ridges: list[Plane]) -> list[int]:
    """Return for each layer the row below which the next one hides it."""
    return [int(ridge.max()) + 2 for ridge in ridges[1:]] + [canvas.height]


def tea(canvas: Canvas, land: Land) -> None:
    """Paint terraced hills in mist."""
    sun = sky(canvas, horizon=0.52, clouds=0.5)
    far = _ridges(canvas, first=0.33, last=0.38, count=2, swing=0.07, cell=300, octaves=5, roughness=0.45)
    near = _ridges(canvas, first=0.46, last=0.80, count=5, swing=0.085, cell=400, octaves=3, roughness=0.33)
    ridges = far + near
    blue = Land(dark=(58, 92, 98), lit=(116, 146, 128))
    for number, (ridge, bottom) in enumerate(zip(ridges, _bottoms(canvas, ridges), strict=True)):
        close = max(0.0, (number - 1) / 5)
        if number < len(far):
            ground = ground_at(canvas, blue, 0.30 + 0.2 * number, mist=0.85, depth=170)
            texture = grass(canvas, ridge, sun_x=sun[0], rough=0.4)
        else:
            ground = ground_at(
                canvas, land, 0.42 + 0.58 * close, mist=0.82 * (1 - close), depth=110 + 170 * close
            )
            grove(canvas, ridge, count=19 - 3 * number, height=(16 + 58 * close) * canvas.unit, ground=ground)
            texture = rows_of_bushes(canvas, ridge, sun_x=sun[0], near=close)
        layer(canvas, ridge=ridge, ground=ground, texture=texture, bottom=bottom)


def hills(canvas: Canvas, land: Land) -> None:
    """Paint rolling country, some of it ploughed, with trees."""
    sun = sky(canvas, horizon=0.58, clouds=0.8)
    ridges = _ridges(canvas, first=0.42, last=0.84, count=6, swing=0.06, cell=420, octaves=3, roughness=0.36)
    crops = (land, Land(dark=(96, 88, 40), lit=(222, 196, 106)), Land(dark=(36, 74, 34), lit=(126, 168, 70)))
    for number, (ridge, bottom) in enumerate(zip(ridges, _bottoms(canvas, ridges), strict=True)):
        near = number / 5
        crop = crops[int(canvas.rng.integers(3))]
        ground = ground_at(canvas, crop, 0.16 + 0.84 * near, mist=0.5 * (1 - near), depth=220)
        leaves = ground_at(canvas, Land(dark=(26, 48, 28), lit=(112, 136, 62)), 0.2 + 0.8 * near)
        grove(canvas, ridge, count=38 - 6 * number, height=(12 + 50 * near) * canvas.unit, ground=leaves)
        ploughed = number > 1 and chance(canvas.rng, 0.45)
        texture = (
            rows_of_bushes(canvas, ridge, sun_x=sun[0], near=near * 0.5)
            if ploughed
            else grass(canvas, ridge, sun_x=sun[0], rough=0.6)
        )
        layer(canvas, ridge=ridge, ground=ground, texture=texture, bottom=bottom)


def meadow(canvas: Canvas, land: Land) -> None:
    """Paint a field of flowers under hills."""
    sun = sky(canvas, horizon=0.5, clouds=0.9)
    ridges = _ridges(canvas, first=0.42, last=0.56, count=4, swing=0.04, cell=460, octaves=3, roughness=0.4)
    for number, (ridge, bottom) in enumerate(zip(ridges, _bottoms(canvas, ridges), strict=True)):
        near = number / 3
        ground = ground_at(canvas, land, 0.15 + 0.85 * near, mist=0.5 * (1 - near), depth=160)
        if number in {1, 2}:
            grove(canvas, ridge, count=34, height=(22 + 30 * near) * canvas.unit, ground=ground)
        layer(
            canvas,
            ridge=ridge,
            ground=ground,
            texture=grass(canvas, ridge, sun_x=sun[0], rough=0.8),
            bottom=bottom,
        )
    _flowers(canvas, land, horizon=float(ridges[-1].max()))


def _flowers(canvas: Canvas, land: Land, *, horizon: float) -> None:
    rng = canvas.rng
    picture = Image.fromarray(to_pixels(canvas.planes))
    draw = ImageDraw.Draw(picture)
    count = int(5200 * canvas.unit**2)
    depths = np.sort(rng.random(count) ** 1.7)
    across = rng.random(count)
    patch = curve(rng, width=count, cell=count / 9, octaves=2)
    shade = canvas.light.shade
    for number in range(count):
        depth = float(depths[number])
        x, y = across[number] * canvas.width, horizon + 4 + depth * (canvas.height - horizon)
        size = (0.9 + 8.5 * depth**1.4) * canvas.unit * float(rng.uniform(0.6, 1.2))
        pick = int(abs(patch[number]) * 1.6 * len(land.accents) + rng.random() * 1.7) % len(land.accents)
        dim = shade * float(rng.uniform(0.78, 1.05))
        colour = tuple(min(255, int(part * dim)) for part in land.accents[pick])
        draw.line(
            (x, y, x + size * 0.3, y + size * 2.6),
            fill=tuple(int(c * shade) for c in land.dark),
            width=max(1, int(size / 4)),
        )
        draw.ellipse((x - size, y - size * 0.72, x + size, y + size * 0.72), fill=colour)
        heart = (int(224 * dim), int(180 * dim), 60)
        draw.ellipse((x - size / 3, y - size / 4, x + size / 3, y + size / 4), fill=heart)
    canvas.planes[:] = to_planes(picture)


def forest(canvas: Canvas, land: Land) -> None:
    """Paint conifers on misty slopes."""
    sun = sky(canvas, horizon=0.6, clouds=0.4)
    ridges = _ridges(canvas, first=0.34, last=0.98, count=7, swing=0.06, cell=360, octaves=3, roughness=0.4)
    for number, (ridge, bottom) in enumerate(zip(ridges, _bottoms(canvas, ridges), strict=True)):
        near = number / 6
        tall = (20 + 210 * near**1.6) * canvas.unit
        count = int(canvas.width / (tall * (0.14 + 0.12 * near))) if number else 0
        outline = with_conifers(canvas, ridge, count=count, height=tall)
        ground = ground_at(canvas, land, 0.10 + 0.90 * near, mist=0.92 - 0.4 * near, depth=70 + 90 * near)
        texture = grass(canvas, ridge, sun_x=sun[0], rough=0.5)
        layer(canvas, ridge=ridge, ground=ground, texture=texture, bottom=bottom, outline=outline)


def _peaks(canvas: Canvas, *, level: float, rise: float, cell: float) -> Plane:
    """Return a ridge of pointed peaks: a folded curve, with a rough edge."""
    folded = 1 - np.abs(
        curve(canvas.rng, width=canvas.width, cell=cell * canvas.unit, octaves=2, roughness=0.4)
    )
    edge = curve(canvas.rng, width=canvas.width, cell=44 * canvas.unit, octaves=5, roughness=0.55)
    rows: Plane = ((level - rise * np.clip(folded, 0, 1) ** 1.5 + 0.009 * edge) * canvas.height).astype(
        np.float32
    )
    return rows


def mountains(canvas: Canvas, land: Land) -> None:
    """Paint snowy peaks over a lake."""
    sun = sky(canvas, horizon=0.6, clouds=0.7)
    waterline = int(0.72 * canvas.height)
    pale = Land(dark=land.dark, lit=(252, 250, 250))
    for number, (level, rise, cell) in enumerate(((0.54, 0.30, 210), (0.64, 0.34, 290), (0.71, 0.26, 240))):
        ridge = _peaks(canvas, level=level, rise=rise, cell=cell)
        ground = ground_at(canvas, pale, 0.52 + 0.2 * number, mist=0.7, depth=300)
        texture = rock(canvas, ridge, sun_x=sun[0], snow=0.42 + 0.05 * number)
        layer(canvas, ridge=ridge, ground=ground, texture=texture, bottom=waterline)
    shore = (
        curve(canvas.rng, width=canvas.width, cell=300 * canvas.unit, octaves=3) * 0.012 + 0.69
    ) * canvas.height
    woods = Land(dark=(16, 34, 36), lit=(60, 92, 70))
    for tall, near in ((26, 0.7), (46, 0.92)):
        bank = shore.astype(np.float32)
        outline = with_conifers(
            canvas, bank, count=int(150 * canvas.width / 1024 / canvas.unit), height=tall * canvas.unit
        )
        texture = grass(canvas, bank, sun_x=sun[0], rough=0.5)
        ground = ground_at(canvas, woods, near, mist=0.3, depth=60)
        layer(canvas, ridge=bank, ground=ground, texture=texture, bottom=waterline, outline=outline)
        shore = shore + np.float32(0.012 * canvas.height)
    reflect(
        canvas, waterline=waterline, tint=column((26, 52, 74)) * np.float32(canvas.light.shade), part=0.16
    )


def sea(canvas: Canvas, land: Land) -> None:
    """Paint open water with the sun's path on it, headlands and a sail."""
    horizon = 0.56
    sun = sky(canvas, horizon=horizon, clouds=0.9)
    first = int(horizon * canvas.height)
    _water(canvas, land, first=first, sun_x=sun[0])
    side = 1 if sun[0] < canvas.width / 2 else -1
    coast = Land(dark=(34, 52, 50), lit=(128, 130, 96))
    for number in range(3):
        reach = np.linspace(-1.1, 1, canvas.width, dtype=np.float32)[::side] * np.float32(0.62) - np.float32(
            0.32 - 0.1 * number
        )
        wave = curve(canvas.rng, width=canvas.width, cell=170 * canvas.unit, octaves=5)
        rise = np.clip(reach + wave * np.float32(0.16), 0, None) * np.float32(0.20 - 0.03 * number)
        ridge = (first + 2 + number * 7 * canvas.unit - rise * canvas.height).astype(np.float32)
        ground = ground_at(canvas, coast, 0.25 + 0.3 * number, mist=0.4, depth=150)
        texture = rock(canvas, ridge, sun_x=sun[0], snow=-1.0)
        layer(
            canvas,
            ridge=ridge,
            ground=ground,
            texture=texture,
            bottom=int(first + 3 + number * 7 * canvas.unit),
        )
    _sail(canvas, first=first, sun_x=sun[0])


def _water(canvas: Canvas, land: Land, *, first: int, sun_x: float) -> None:
    rows = canvas.height - first
    depth = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    # ripples of a far row are small: sample one field at rows that crowd towards the horizon
    field = cloud(
        canvas.rng, width=canvas.width, height=rows, cell=(70 * canvas.unit, 15 * canvas.unit), octaves=4
    )
    fine = cloud(
        canvas.rng, width=canvas.width, height=rows, cell=(22 * canvas.unit, 5 * canvas.unit), octaves=2
    )
    ripple = field * depth + fine * (1 - depth)
    ripple = ripple - np.float32(0.5)
    shade = np.float32(canvas.light.shade)
    near, far = column(land.dark) * shade, mixed(column(land.lit) * shade, column(canvas.light.horizon), 0.55)
    body = far + (near - far) * np.sqrt(depth)
    body = body + ripple * np.float32(0.55) * (column(canvas.light.middle) * shade) * (
        np.float32(0.35) + depth
    )
    across = np.abs(np.arange(canvas.width, dtype=np.float32)[None, :] - np.float32(sun_x))
    path = np.exp(-across / ((np.float32(46) + 190 * depth) * np.float32(canvas.unit)))
    glitter = smoothstep(0.03, 0.22, ripple + path * np.float32(0.2)) * path
    canvas.planes[:, first:] = body + (column(canvas.light.sun) - body) * np.clip(glitter, 0, 0.95)


def _sail(canvas: Canvas, *, first: int, sun_x: float) -> None:
    picture = Image.fromarray(to_pixels(canvas.planes))
    draw = ImageDraw.Draw(picture)
    size = float(canvas.rng.uniform(26, 44)) * canvas.unit
    x = (sun_x + float(canvas.rng.uniform(-0.22, 0.22)) * canvas.width) % canvas.width
    y = first + size * 0.7
    dark = tuple(int(part * 0.42) for part in canvas.light.middle)
    pale = tuple(int(part * (0.55 + 0.4 * canvas.light.shade)) for part in canvas.light.sun)
    draw.polygon([(x, y - size * 1.7), (x, y - size * 0.18), (x + size * 0.72, y - size * 0.18)], fill=pale)
    draw.polygon(
        [(x - 2, y - size * 1.45), (x - 2, y - size * 0.18), (x - size * 0.42, y - size * 0.18)], fill=pale
    )
    draw.polygon(
        [
            (x - size * 0.6, y - size * 0.12),
            (x + size * 0.75, y - size * 0.12),
            (x + size * 0.5, y + size * 0.12),
            (x - size * 0.42, y + size * 0.12),
        ],
        fill=dark,
    )
    canvas.planes[:] = to_planes(picture)


def desert(canvas: Canvas, land: Land) -> None:
    """Paint dunes with sharp crests."""
    sun = sky(canvas, horizon=0.56, clouds=0.25)
    ridges = _ridges(canvas, first=0.46, last=0.82, count=5, swing=0.055, cell=470, octaves=2, roughness=0.22)
    for number, (ridge, bottom) in enumerate(zip(ridges, _bottoms(canvas, ridges), strict=True)):
        near = number / 4
        ground = ground_at(canvas, land, 0.2 + 0.8 * near, mist=0.35 * (1 - near), depth=200)
        layer(
            canvas,
            ridge=ridge,
            ground=ground,
            texture=dune(canvas, ridge, sun_x=sun[0], near=near),
            bottom=bottom,
        )


def city(canvas: Canvas, land: Land) -> None:
    """Paint a skyline with lit windows over water."""
    sky(canvas, horizon=0.66, clouds=0.5)
    waterline = int(0.74 * canvas.height)
    for number in range(4):
        near = number / 3
        ridge, number_of = _skyline(canvas, base=waterline, near=near)
        ground = ground_at(canvas, land, 0.3 + 0.7 * near, mist=0.55 * (1 - near) + 0.12, depth=420)
        layer(
            canvas,
            ridge=ridge,
            ground=ground,
            texture=lambda depth, _top: np.exp(depth * np.float32(-0.006)) * np.float32(0.7),
            bottom=waterline,
        )
        _windows(canvas, land, ridge=ridge, building=number_of, waterline=waterline, near=near)
    reflect(canvas, waterline=waterline, tint=column(land.dark), part=0.42)


def _skyline(canvas: Canvas, *, base: int, near: float) -> tuple[Plane, Plane]:
    """Return roof rows, and for each column the number of its building."""
    rng, unit = canvas.rng, canvas.unit
    ridge = np.full(canvas.width, base, np.float32)
    building = np.zeros(canvas.width, np.float32)
    left, number = -int(rng.integers(0, 40)), 0
    middle = canvas.width * float(rng.uniform(0.35, 0.65))
    while left < canvas.width:
        wide = int(rng.integers(26, 64) * unit * (0.75 + 0.6 * near))
        centre = np.exp(-(((left + wide / 2 - middle) / (0.36 * canvas.width)) ** 2))
        tall = (
            (0.05 + 0.40 * float(rng.random()) ** 1.5 * centre + 0.10 * centre)
            * (1.25 - 0.75 * near)
            * canvas.height
        )
        span = slice(max(0, left), max(0, left + wide))
        ridge[span] = base - tall
        if chance(rng, 0.3):
            step = slice(max(0, left + wide // 4), max(0, left + 3 * wide // 4))
            ridge[step] -= tall * 0.08
        if chance(rng, 0.16):
            mast = max(0, left + wide // 2)
            ridge[mast : mast + 2] -= tall * 0.22
        number += 1
        building[span] = number
        left += wide + int(rng.integers(0, 6) * unit)
    return ridge, building


def _windows(
    canvas: Canvas, land: Land, *, ridge: Plane, building: Plane, waterline: int, near: float
) -> None:
    unit, rng = canvas.unit, canvas.rng
    across, down = max(3, int((5 + 3 * near) * unit)), max(4, int((8 + 4 * near) * unit))
    top = max(0, int(ridge.min()))
    rows, columns = np.arange(top, waterline), np.arange(canvas.width)
    share = 0.36 if canvas.light.shade < 1 else 0.10
    lit = rng.random((len(rows) // down + 1, canvas.width // across + 1), np.float32)
    lit = np.where(lit < share * 0.8, lit / share + 0.25, 0).astype(np.float32)
    glow = lit[(rows - top)[:, None] // down, columns[None, :] // across]
    glow = glow * ((rows % down) < down * 0.55)[:, None] * ((columns % across) < across * 0.6)[None, :]
    inside = (
        (rows[:, None] > ridge[None, :] + 5 * unit)
        & (rows[:, None] < waterline - 4)
        & (building[None, :] > 0)
    )
    glow = glow * inside * np.float32(0.35 + 0.6 * near)
    warm = np.asarray(land.accents, np.float32)[building.astype(np.int32) % len(land.accents)].T / 255
    part = canvas.planes[:, top:waterline]
    part += (warm[:, None, :] - part) * np.clip(glow, 0, 1)


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
