"""Short helpers for tasks and the names of images."""

from __future__ import annotations

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import TextToImage
from imagegen.generations.generation import ImageName


def text_to_image(request: GenerationRequest) -> TextToImage:
    """Return the task of a text-to-image request."""
    assert isinstance(request.task, TextToImage)
    return request.task


def image_name(owner: str, id_: str) -> ImageName:
    """Return the image name of a PNG."""
    return ImageName(owner=owner, id=id_, content_type="image/png")
