"""Finished pictures, encoded and kept."""

import base64
import hashlib
import io
import os
import threading
import zlib
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from PIL import Image, PngImagePlugin

from local.bedrock.asked import Asked
from local.bedrock.painting import paint

KEPT_BYTES: Final = 96 * 1024 * 1024
_INSTANT: Final = (("Sri lanka tea plantation.", 1.0),)


class Gallery:
    """Paints what is asked, at most one picture a core at a time, and keeps the latest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._easels = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._pictures: OrderedDict[bytes, str] = OrderedDict()
        self._bytes = 0

    def picture(self, asked: Asked, *, blurred: bool = False, instant: bool = False) -> str:
        """Return the picture in base64; the same request gives the same text.

        With `instant` the prompt, seed and style are passed over: there is one picture a size and format.
        """
        if instant:
            asked = replace(asked, prompts=_INSTANT, seed=1, style="photographic")
        key = _key(asked, blurred=blurred)
        kept = self._kept(key)
        if kept is not None:
            return kept
        with self._easels:
            kept = self._kept(key)
            if kept is not None:
                return kept
            text = base64.b64encode(encode(paint(asked, blurred=blurred), asked.output_format)).decode(
                "ascii"
            )
            self._keep(key, text)
            return text

    def _kept(self, key: bytes) -> str | None:
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
            return self._pictures.get(key)

    def _keep(self, key: bytes, text: str) -> None:
        with self._lock:
            if key in self._pictures:
                return
            self._pictures[key] = text
            self._bytes += len(text)
            while self._bytes > KEPT_BYTES:
                _, oldest = self._pictures.popitem(last=False)
                self._bytes -= len(oldest)


def encode(image: Image.Image, output_format: str = "png") -> bytes:
    """Return the file of a picture: `png`, `jpeg` or `webp`."""
    file = io.BytesIO()
    if output_format == "jpeg":
        image.save(file, "JPEG", quality=92)
    elif output_format == "webp":
        image.save(file, "WEBP", quality=90, method=2)
    else:
        about = PngImagePlugin.PngInfo()
        about.add_text("Software", "imagegen local stand-in: painted by a program, not by a model")
        # grain does not repeat: Huffman coding alone is smaller and faster than looking for matches
        image.save(file, "PNG", compress_level=1, compress_type=zlib.Z_HUFFMAN_ONLY, pnginfo=about)
    return file.getvalue()


def _key(asked: Asked, *, blurred: bool) -> bytes:
    return hashlib.sha256(f"{asked!r}{blurred}".encode("utf-8", "surrogatepass")).digest()
