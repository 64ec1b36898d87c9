"""The shapes of other APIs, one file or folder each. No shape imports another; this file has what several need.

To add one: its file or folder, its rows in `surface.ROUTES`, its entry in `app.SHAPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations.generation import Generation, StoredImage
from imagegen.generations.history import History
from imagegen.http import surface
from imagegen.http.reply import Reply
from imagegen.http.request import Request

# 4.4 MB are 5.9 MB in base64; the rest of the 6 MB is for the JSON around it.
MAX_INLINE_BYTES: Final = 4_400_000
"""The longest image that a reply may hold itself: in base64 it has to fit the 6 MB of a Lambda function's response."""

RouteFunction = Callable[..., Reply]
"""The function of one route: takes the request and the path's parameters in their order, returns the reply."""


class Shape(Protocol):
    """How some routes write requests, replies and problems."""

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """The function of each route of this shape, by the route's name."""

    def problem(self, error: ImagegenError, request: Request) -> Reply:
        """Return an error as clients of this shape read it."""


def read_inline(history: History, generation: Generation) -> tuple[bytes, StoredImage]:
    """Return a succeeded generation's image, for a reply that holds the bytes themselves.

    Raises:
        BadModelResponse: it is larger than `MAX_INLINE_BYTES`.
        Gone: it has been removed.
    """
    image = generation.image
    if image is None:
        raise ValueError(f"{generation.id} has no image")
    if image.bytes > MAX_INLINE_BYTES:
        where = surface.spoken("showGeneration", id=generation.id)
        raise errors.BadModelResponse(
            f"The image was made but is too large for the reply; {where} shows its URL."
        )
    return history.read(generation), image
