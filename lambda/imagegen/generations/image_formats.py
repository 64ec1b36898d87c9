"""The formats in which an image can be stored. To add one, add an entry to `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from imagegen.generations.jpeg import jpeg_marked, jpeg_size
from imagegen.generations.png import png_marked, png_size
from imagegen.generations.webp import webp_marked, webp_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFormat:
    """One media type: the suffix of a stored image's object key, and what can be done with its bytes.

    `size` returns (width, height) in pixels and raises `BadModelResponse` for bytes that are not of the format.
    `marked` takes bytes that `size` accepted and an XMP packet. It returns the same image with the packet in it, or
    unchanged if the vendor has marked it already, and raises `NotMarked` if that is not possible.
    """

    suffix: str
    size: Callable[[bytes], tuple[int, int]]
    marked: Callable[[bytes, bytes], bytes]


FORMATS: Final[Mapping[str, ImageFormat]] = {
    "image/png": ImageFormat(suffix=".png", size=png_size, marked=png_marked),
    "image/jpeg": ImageFormat(suffix=".jpg", size=jpeg_size, marked=jpeg_marked),
    "image/webp": ImageFormat(suffix=".webp", size=webp_size, marked=webp_marked),
}
"""The formats, by the media type that a task asks for."""
