"""The shapes of other APIs, one file or folder each. No shape imports another; this file has what several need.

To add one: its file or folder, its rows in `surface.ROUTES`, its entry in `app.SHAPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.refusals import refusal, unknown_field
from imagegen.contracts.text_to_image import parameters, reading
from imagegen.errors import ImagegenError
from imagegen.generations.generation import Generation, StoredImage
from imagegen.generations.history import History
from imagegen.http import surface
from imagegen.http.reply import Reply
from imagegen.http.request import Request

# 4.4 MB are 5.9 MB in base64; the rest of the 6 MB is for the JSON around it.
MAX_INLINE_BYTES: Final = 4_400_000
"""The longest image that a reply may hold itself: in base64 it has to fit the 6 MB of a Lambda function's response."""

OURS_ONLY: Final = ("model", "strict", "output_format", "webhook_url")
"""Fields of our own route that the bodies of Stability and Bedrock do not have."""

RouteFunction = Callable[..., Reply]
"""The function of one route: takes the request and the path's parameters in their order, returns the reply."""


class Shape(Protocol):
    """How some routes write requests, replies and problems."""

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """The function of each route of this shape, by the route's name."""

    def problem(self, error: ImagegenError, request: Request) -> Reply:
        """Return an error as clients of this shape read it."""


def contract_request(members: dict[str, Any], *, model: str | None) -> GenerationRequest:
    """Return the request that the members of the Diffusion 1.0 contract describe, for the model that the path names.

    Raises:
        UnknownParameter: at least one name is not part of the contract.
        InvalidParameter: a value is missing, of another type or outside its range.
    """
    unknown = [unknown_field((name,), known=parameters.PARAMETERS) for name in OURS_ONLY if name in members]
    if unknown:
        raise refusal(unknown=unknown)
    return replace(reading.parse(members), model=model)


def read_inline(
    history: History, generation: Generation, *, max_bytes: int = MAX_INLINE_BYTES
) -> tuple[bytes, StoredImage]:
    """Return a succeeded generation's image, for a reply that holds the bytes themselves.

    Raises:
        BadModelResponse: it is larger than `max_bytes`.
        Gone: it has been removed.
    """
    image = generation.image
    if image is None:
        raise ValueError(f"{generation.id} has no image")
    if image.bytes > max_bytes:
        where = surface.spoken("showGeneration", id=generation.id)
        raise errors.BadModelResponse(
            f"The image was made but is too large for the reply; {where} shows its URL.", charged="yes"
        )
    return history.read(generation), image
