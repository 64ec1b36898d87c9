"""Makes random curves, clouds and grain, and converts between planes of colour and images."""

import hashlib
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

# float32 at run time, but numpy's stubs cannot say that arithmetic keeps it.
Plane = NDArray[np.floating[Any]]

_GRAIN_SIDE: Final = 1024


def generator(*parts: object) -> np.random.Generator:
    """Return a generator whose numbers depend on the parts alone, so they are the same in every process."""
    # Not `hash`, which differs from process to process.
    digest = hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(digest[:16], "big")))


def cloud(
    rng: np.random.Generator, shape: tuple[int, int], *, cell: tuple[float, float], octaves: int
) -> Plane:
    """Return smooth noise around 0.5, about 0…1, of `shape` (rows, columns); its largest features are `cell` (x, y)."""
    height, width = shape
    # A small plane is enough when even the finest octave's features are larger than a pixel: enlarge it at the end.
    step = max(1, int(min(cell) / 2 ** (octaves - 1) / 2))
    small = (max(2, width // step), max(2, height // step))
    total = np.zeros(small[::-1], np.float32)
    for octave in range(octaves):
        knots = (int(width / cell[0] * 2**octave) + 3, int(height / cell[1] * 2**octave) + 3)
        total += 0.5**octave * _resized(rng.random(knots[::-1], np.float32), small)
    return _resized(total / (2 - 0.5 ** (octaves - 1)), (width, height))


def curve(
    rng: np.random.Generator, width: int, *, cell: float, octaves: int, roughness: float = 0.5
) -> Plane:
    """Return a smooth random curve of `width` points around 0, about -1…1; its largest waves are `cell` long."""
    total = np.zeros(width, np.float32)
    for octave in range(octaves):
        count = int(width / cell * 2**octave) + 4
        knots = rng.random(count, np.float32) * 2 - 1
        at = np.arange(width, dtype=np.float32) * (2**octave / cell) + rng.random()
        left = np.minimum(at.astype(np.int32), count - 2)
        part = at - left.astype(np.float32)
        part = part * part * (3 - 2 * part)
        total += roughness**octave * (knots[left] * (1 - part) + knots[left + 1] * part)
    return total


def grain(rng: np.random.Generator, shape: tuple[int, int]) -> Plane:
    """Return film grain of unit deviation in three planes, cut from one sheet at a random place."""
    x, y = (int(start) for start in rng.integers(_GRAIN_SIDE, size=2))
    rows = np.take(_sheet(), np.arange(y, y + shape[0]), axis=1, mode="wrap")
    return np.take(rows, np.arange(x, x + shape[1]), axis=2, mode="wrap")


# Made once, because four million random numbers take time.
@lru_cache(maxsize=1)
def _sheet() -> Plane:
    rng = generator("grain")
    side = (_GRAIN_SIDE, _GRAIN_SIDE)
    light = rng.standard_normal(side, np.float32)
    return np.stack([0.85 * light + 0.5 * rng.standard_normal(side, np.float32) for _ in range(3)])


def smoothstep(low: float, high: float, value: Plane) -> Plane:
    """Return 0 below `low`, 1 above `high`, and an S between."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)


def to_image(planes: Plane) -> Image.Image:
    """Return three planes of 0…1, or one, as an image."""
    pixels = np.clip(planes * 255 + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels if pixels.ndim == 2 else np.ascontiguousarray(np.moveaxis(pixels, 0, 2)))  # noqa: PLR2004 - one plane has two axes


def to_planes(image: Image.Image) -> Plane:
    """Return a picture as three planes of 0…1."""
    return np.moveaxis(np.asarray(image.convert("RGB"), np.float32), 2, 0) / np.float32(255)


def blurred(planes: Plane, radius: float) -> Plane:
    """Return a picture, or one plane of it in three, without its edges."""
    return to_planes(to_image(planes).filter(ImageFilter.GaussianBlur(radius)))


def _resized(plane: Plane, size: tuple[int, int]) -> Plane:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC))
