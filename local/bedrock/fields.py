"""Noise and curves: what nature is made of."""

import hashlib
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]

_GRAIN_SIDE: Final = 1024


def generator(*parts: object) -> np.random.Generator:
    """Return a generator that depends on the parts alone, in every process."""
    digest = hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(digest[:16], "big")))


def cloud(
    rng: np.random.Generator, *, width: int, height: int, cell: tuple[float, float], octaves: int
) -> Plane:
    """Return smooth noise around 0.5, about 0…1; `cell` is the size of its largest features, x and y."""
    # the finest octave decides how small a plane is enough to be painted on
    step = max(1, int(min(cell) / 2 ** (octaves - 1) / 2))
    small = (max(2, width // step), max(2, height // step))
    total = np.zeros((small[1], small[0]), np.float32)
    strength, sum_of_strengths = 1.0, 0.0
    for octave in range(octaves):
        knots = (int(width / cell[0] * 2**octave) + 3, int(height / cell[1] * 2**octave) + 3)
        total += strength * _resized(rng.random((knots[1], knots[0]), np.float32), small)
        sum_of_strengths += strength
        strength *= 0.5
    return _resized(total / np.float32(sum_of_strengths), (width, height))


def curve(
    rng: np.random.Generator, *, width: int, cell: float, octaves: int, roughness: float = 0.5
) -> Plane:
    """Return a smooth random curve of `width` points around 0, about -1…1."""
    total = np.zeros(width, np.float32)
    strength = 1.0
    for octave in range(octaves):
        count = int(width / cell * 2**octave) + 4
        knots = rng.random(count, np.float32) * 2 - 1
        at = np.arange(width, dtype=np.float32) * np.float32(2**octave / cell) + np.float32(rng.random())
        left = np.minimum(at.astype(np.int32), count - 2)
        part = at - left
        part = part * part * (3 - 2 * part)
        total += np.float32(strength) * (knots[left] * (1 - part) + knots[left + 1] * part)
        strength *= roughness
    return total


def grain(rng: np.random.Generator, *, width: int, height: int) -> Plane:
    """Return film grain, three planes of unit deviation, mostly alike: one sheet, laid from a random place on."""
    x, y = (int(start) for start in rng.integers(_GRAIN_SIDE, size=2))
    rows = np.take(_sheet(), np.arange(y, y + height), axis=1, mode="wrap")
    return np.take(rows, np.arange(x, x + width), axis=2, mode="wrap")


@lru_cache(maxsize=1)
def _sheet() -> Plane:
    rng = generator("grain")
    shape = (_GRAIN_SIDE, _GRAIN_SIDE)
    light = rng.standard_normal(shape, np.float32)
    return np.stack([0.85 * light + 0.5 * rng.standard_normal(shape, np.float32) for _ in range(3)])


def smoothstep(low: float, high: float, value: NDArray[Any]) -> Plane:
    """Return 0 below `low`, 1 above `high`, and an S between."""
    part = clipped((value - np.float32(low)) / np.float32(high - low))
    return part * part * (3 - 2 * part)


def _resized(plane: Plane, size: tuple[int, int]) -> Plane:
    image = Image.fromarray(plane, "F") if plane.shape[::-1] != size else None
    return plane if image is None else np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def clipped(value: NDArray[Any]) -> Plane:
    """Return values held within 0…1."""
    held: Plane = np.clip(value, 0, 1).astype(np.float32, copy=False)
    return held


def chance(rng: np.random.Generator, part: float) -> bool:
    """Return True in that part of the cases."""
    return bool(rng.random() < part)


def to_pixels(planes: Plane) -> NDArray[np.uint8]:
    """Return three planes of 0…1 as rows of RGB bytes."""
    scaled = np.clip(planes * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(scaled, 0, 2))


def to_planes(image: Image.Image) -> Plane:
    """Return a picture as three planes of 0…1."""
    planes: Plane = np.moveaxis(np.asarray(image.convert("RGB"), np.float32), 2, 0) / np.float32(255)
    return planes
