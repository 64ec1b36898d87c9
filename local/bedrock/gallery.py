"""Asks the painter for pictures, in base64 as the answers carry them, and keeps the latest."""

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
    """Paints at most one picture for each core at a time; keeps the latest, which take about 70 MB at 1024x1024."""

    def __init__(self) -> None:
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._painted = lru_cache(maxsize=KEPT)(_paint)

    def picture(self, request: PictureRequest, *, blurred: bool = False, instant: bool = False) -> str:
        """Return the picture in base64; the same request gives the same text.

        With `instant` there is only one picture for each size and format, whatever the prompts, seed and style.
        """
        if instant:
            request = replace(request, prompts=_INSTANT, seed=1, style="photographic")
        # The look-up also waits for a core, or every call of a burst would paint the same picture.
        with self._cores:
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
