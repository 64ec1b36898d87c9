"""What land looks like from near: grass, planted rows, rock and sand."""

import numpy as np

from local.bedrock.fields import Plane, clipped, cloud, curve, smoothstep
from local.bedrock.palettes import Land, column, mixed
from local.bedrock.terrain import Canvas, Ground, Texture, slope_light


def ground_at(
    canvas: Canvas, land: Land, nearness: float, *, mist: float = 0.0, depth: float = 200.0
) -> Ground:
    """Return land at a distance: the farther, the more of the horizon's colour is in it."""
    haze = column(canvas.light.horizon)
    air = (1 - nearness) ** 1.15 * 0.86
    shade = canvas.light.shade
    warm = mixed(column(land.lit), column(canvas.light.sun), 0.12)
    return Ground(
        dark=mixed(column(land.dark) * np.float32(shade), haze, air),
        lit=mixed(warm * np.float32(shade), haze, air * 0.9),
        mist=mixed(haze, column(canvas.light.sun), 0.25),
        mist_depth=depth * canvas.unit,
        mist_part=mist,
    )


def grass(canvas: Canvas, ridge: Plane, *, sun_x: float, rough: float) -> Texture:
    """Return the texture of grass on a hill: the slope's light, and patches."""
    facing = slope_light(ridge, sun_x=sun_x, reach=max(3, int(60 * canvas.unit)))

    def texture(depth: Plane, top: int) -> Plane:  # noqa: ARG001 - the rows do not matter here
        fall = np.exp(depth * np.float32(-1 / (260 * canvas.unit)))
        cell = 46 * canvas.unit
        patches = cloud(
            canvas.rng, width=depth.shape[1], height=depth.shape[0], cell=(cell * 2, cell), octaves=4
        )
        shade = np.float32(0.28) + np.float32(0.55) * facing[None, :] * fall
        return clipped(shade + (patches - np.float32(0.5)) * np.float32(rough))

    return texture


def rows_of_bushes(canvas: Canvas, ridge: Plane, *, sun_x: float, near: float) -> Texture:
    """Return the texture of a planted slope: rows along its contours, wider towards the viewer."""
    unit = canvas.unit
    facing = slope_light(ridge, sun_x=sun_x, reach=max(3, int(70 * unit)))
    bend = curve(canvas.rng, width=canvas.width, cell=380 * unit, octaves=2) * np.float32(
        26 * unit * (0.4 + near)
    )
    spacing = (4.0 + 15.0 * near) * unit

    def texture(depth: Plane, top: int) -> Plane:  # noqa: ARG001 - the rows do not matter here
        bushes = cloud(
            canvas.rng,
            width=depth.shape[1],
            height=depth.shape[0],
            cell=((5 + 11 * near) * unit, (4 + 6 * near) * unit),
            octaves=2,
        )
        # rows grow with depth: equal steps of the logarithm
        scale = np.float32(260 * unit)
        along = np.log1p((depth + bend[None, :] * smoothstep(0, 120 * unit, depth)) / scale) * scale
        phase = along * np.float32(2 * np.pi / spacing) + (bushes - np.float32(0.5)) * np.float32(1.5)
        crowns = np.float32(0.5) + np.float32(0.5) * np.sin(phase)
        light = np.float32(0.30) + np.float32(0.86) * facing[None, :]
        light = light * np.exp(depth * np.float32(-1 / (520 * unit)))
        return clipped((np.sqrt(crowns) * np.float32(0.72) + bushes * np.float32(0.42)) * light)

    return texture


def rock(canvas: Canvas, ridge: Plane, *, sun_x: float, snow: float) -> Texture:
    """Return the texture of rock: steep facets, and snow near the ridge."""
    facing = slope_light(ridge, sun_x=sun_x, reach=max(3, int(14 * canvas.unit)))

    def texture(depth: Plane, top: int) -> Plane:
        rows, width = depth.shape
        cell = 74 * canvas.unit
        facets = cloud(canvas.rng, width=width, height=rows, cell=(cell * 0.7, cell * 1.3), octaves=5)
        # facets lit from the sun's side: the difference to a copy that is shifted towards it
        lit = (facets - np.roll(facets, max(2, int(6 * canvas.unit)), axis=1)) * np.float32(5.5)
        fall = np.exp(depth * np.float32(-1 / (90 * canvas.unit)))
        shade = (
            np.float32(0.34)
            + lit * np.float32(0.55)
            + (facing[None, :] - np.float32(0.5)) * fall * np.float32(0.6)
        )
        shade *= np.float32(0.62)
        height = np.arange(top, top + rows, dtype=np.float32)[:, None] / canvas.height
        drifts = lit * np.float32(0.22) + (facets - np.float32(0.5)) * np.float32(0.55)
        white = smoothstep(-0.05, 0.07, drifts + (np.float32(snow) - height) * np.float32(1.5))
        bright = np.float32(0.74) + lit * np.float32(0.42)
        return clipped(shade + (bright - shade) * white)

    return texture


def dune(canvas: Canvas, ridge: Plane, *, sun_x: float, near: float) -> Texture:
    """Return the texture of a dune: a lit and a shadowed face along a leaning crest, and the wind's ripples."""
    unit = canvas.unit
    facing = slope_light(ridge, sun_x=sun_x, reach=max(3, int(24 * unit)))
    lean = float(canvas.rng.uniform(0.7, 1.6)) * (1 if sun_x < canvas.width / 2 else -1)
    bend = curve(canvas.rng, width=canvas.height, cell=150 * unit, octaves=2) * np.float32(46 * unit)

    def texture(depth: Plane, top: int) -> Plane:
        rows, width = depth.shape
        # the crest runs down and sideways from each top: look the slope's light up along a leaning line
        columns = np.arange(width, dtype=np.float32)[None, :]
        shifted = columns + depth * np.float32(lean) + bend[top : top + rows, None]
        face = facing[np.clip(shifted, 0, width - 1).astype(np.int32)]
        face = smoothstep(0.40, 0.60, face)
        wind = np.sin(
            (depth * np.float32(1.0) + shifted * np.float32(0.22))
            * np.float32(2 * np.pi / ((5 + 9 * near) * unit))
        )
        fine = cloud(canvas.rng, width=width, height=rows, cell=(30 * unit, 14 * unit), octaves=3)
        shade = np.float32(0.22) + face * np.float32(0.6) + wind * np.float32(0.035) * (1 + face)
        return clipped(shade + (fine - np.float32(0.5)) * np.float32(0.22))

    return texture
