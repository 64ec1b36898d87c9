"""What OpenAI's request for images can say, and what is wanted by one that was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.models.stable_image import MAX_TEXT_LENGTH

MAX_IMAGES: Final = 10
ANY_MODEL: Final = "auto"
MAX_PROMPT_LENGTH: Final = MAX_TEXT_LENGTH
"""In code points: the longest prompt that some model takes. SDXL refuses one of more than 2,000."""

LIKELY_BYTES_PER_PIXEL: Final = 2
"""The bound by which images are counted before they are made: 2.1 MB for 1024x1024. Typical are 1.1 to 1.8 MB."""

Quality = Literal["auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"]
ShownQuality = Literal["low", "medium", "high"]
Style = Literal["vivid", "natural"]
OutputFormat = Literal["png", "jpeg", "webp"]
ResponseFormat = Literal["url", "b64_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesRequest:
    """What OpenAI's body asks for: one generation request, how often to make it, and how to return the images.

    `form` None means both members of OpenAI's.
    """

    request: GenerationRequest
    images: int
    form: ResponseFormat | None
    quality: ShownQuality
