"""The painter's pictures, in base64 as the answers carry them, and kept."""

import base64
import os
import threading
from dataclasses import replace
from functools import lru_cache
from typing import Final

from local.bedrock.picture_request import PictureRequest
from local.painter import paint

KEPT: Final = 32
_INSTANT: Final = (("Sri lanka tea plantation.", 1.0),)


class Gallery:
    """Paints at most as many pictures at a time as there are cores; keeps the latest, at 1024x1024 about 70 MB."""

    def __init__(self) -> None:
        self._easels = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._painted = lru_cache(maxsize=KEPT)(_paint)

    def picture(self, request: PictureRequest, *, blurred: bool = False, instant: bool = False) -> str:
        """Return the picture in base64; the same request gives the same text.

        With `instant` the prompts, seed and style do not count: there is one picture for each size and format.
        """
        if instant:
            request = replace(request, prompts=_INSTANT, seed=1, style="photographic")
        # the look-up waits for an easel too: else every call of a burst would paint the same picture
        with self._easels:
            return self._painted(request, blurred)


def _paint(request: PictureRequest, blurred: bool) -> str:  # noqa: FBT001 - a part of the cache's key
    file = paint(
        prompts=request.prompts,
        seed=request.seed,
        width=request.width,
        height=request.height,
        style=request.style,
        blurred=blurred,
        output_format=request.output_format,
    )
    return base64.b64encode(file).decode("ascii")
