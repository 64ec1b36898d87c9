"""One request inside the service: what to make, and this service's own members beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from imagegen.contracts.text_to_image.parameters import TextToImage


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What a caller asks of this service: the image, and our own members beside it.

    `model` pins one model, `strict` refuses what the model would ignore or approximate, `webhook_url` is called
    when an asynchronous generation is done. `schema.parse` makes one; the compatibility routes make their own.
    """

    image: TextToImage
    model: str | None = None
    strict: bool = False
    webhook_url: str | None = None


def fingerprint(request: GenerationRequest) -> str:
    """Return the SHA-256, in hex, of what the request means for the image.

    Two bodies that differ in notation, order or explicit defaults have the same one; the webhook has no part in it.
    """
    meaning = {"image": request.image.parameters(), "model": request.model, "strict": request.strict}
    canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
