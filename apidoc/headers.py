"""The headers of replies: what each says, and which an error adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.http.compat.bedrock import EXCEPTIONS

# `surface.STANDARD_HEADERS` are not here, because HTTP itself defines them.
HEADERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "X-Request-Id": ("The id of this request in the service's logs.", {"type": "string"}),
    "Location": ("Where the generation or its image is.", {"type": "string"}),
    "Retry-After": ("How many seconds to wait before the next request.", {"type": "integer", "minimum": 0}),
    "Preference-Applied": ("The preference that was honoured.", {"type": "string", "const": "respond-async"}),
    "Idempotent-Replayed": (
        "Set if an earlier request made this, which this one repeats.",
        {"type": "string", "const": "true"},
    ),
    "Allow": ("The methods that the path has.", {"type": "string"}),
    "Finish-Reason": ("In a reply of bytes: why the model stopped.", {"type": "string", "const": "SUCCESS"}),
    "Seed": ("In a reply of bytes: the seed that made the image.", {"type": "integer"}),
    "X-Imagegen-Model": (
        "The id of the model that drew the image; if several drew the images, all their ids with commas.",
        {"type": "string"},
    ),
    "X-Imagegen-Cost-Usd": (
        "US dollars that may have been paid for the images of the reply, by the prices in `GET /models`.",
        {"type": "string", "pattern": "^[0-9]+([.][0-9]{1,6})?$"},
    ),
    "X-Imagegen-Charged": (
        "Whether the request was paid for: no, yes, or maybe if nobody can know.",
        {"type": "string", "enum": ["no", "yes", "maybe"]},
    ),
    "X-Amzn-Errortype": (
        "The exception that AWS's SDKs raise.",
        {"type": "string", "enum": sorted({name for name, _ in EXCEPTIONS.values()})},
    ),
    "X-Amzn-Bedrock-Content-Type": (
        "The media type of what the stream's event holds.",
        {"type": "string", "const": "application/json"},
    ),
    "ETag": (
        "The version of the document; a client that sends it as `If-None-Match` gets a 304.",
        {"type": "string"},
    ),
    "X-Should-Retry": (
        "Whether a client should repeat the request by itself: true only if that is free, helps, and is soon.",
        {"type": "string", "enum": ["true", "false"]},
    ),
}
ERROR_HEADERS: Final[Mapping[type[ImagegenError], tuple[str, ...]]] = {
    errors.MethodNotAllowed: ("Allow",),
    errors.InProgress: ("Location", "Retry-After"),
    errors.RateLimited: ("Retry-After",),
    errors.QuotaExceeded: ("Retry-After",),
    errors.ModelThrottled: ("Retry-After",),
    errors.ModelUnavailable: ("Retry-After",),
    # The gateway's own, if the function failed or was throttled.
    errors.OutcomeUnknown: ("Retry-After",),
}
"""The headers that follow from an error's facts, wherever it appears."""

RECORDED: Final = ("Location", "Idempotent-Replayed")
"""The headers of an error that a generation ended with: where its record is, and whether it was recorded before."""
