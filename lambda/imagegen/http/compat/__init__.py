"""Other people's API shapes: one file each, which no other file here imports; what any of them needs stands here.

To add one: its file, its rows in `surface.ROUTES`, its entry in `app.SHAPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations.generation import Generation, StoredImage
from imagegen.generations.history import History
from imagegen.http import surface
from imagegen.http.reply import Answer
from imagegen.http.request import Request

MAX_INLINE_BYTES: Final = 4_400_000
"""The longest image that a reply may hold itself: in base64 it has to fit the 6 MB of a Lambda function's response."""

RouteFunction = Callable[..., Answer]
"""What answers one route: given the request, then the path's parameters in their order."""


class Shape(Protocol):
    """The words in which some routes take requests and give answers."""

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """What answers each route of this shape, by the route's name."""

    def problem(self, error: ImagegenError, request: Request) -> Answer:
        """Return an error as clients of this shape read it."""


def read_inline(history: History, generation: Generation) -> tuple[bytes, StoredImage]:
    """Return a succeeded generation's image, for an answer that holds the bytes themselves.

    Raises:
        BadModelResponse: it is larger than an answer may be.
        Gone: it has been removed.
    """
    image = generation.image
    if image is None:
        raise ValueError(f"{generation.id} has no image")
    if image.bytes > MAX_INLINE_BYTES:
        where = surface.spoken("showGeneration", id=generation.id)
        raise errors.BadModelResponse(
            f"The image was made and is too large to be answered; {where} has its URL."
        )
    return history.read(generation), image
