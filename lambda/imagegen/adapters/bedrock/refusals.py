"""Tells by its exception and its whole message what a refusal of Bedrock means; `refusal_texts.py` has the messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from imagegen.adapters.bedrock.refusal_texts import CREDENTIALS, OPERATION, REFUSALS, SIGNED_WRONG, Refusal

_BY_NAME: Final[Mapping[str, str]] = {
    "ThrottlingException": "throttled",
    "ServiceQuotaExceededException": "quota",
    "ModelNotReadyException": "not_ready",
    "ModelTimeoutException": "model_timeout",
    "ModelErrorException": "model_error",
    "ModelStreamErrorException": "model_error",
    "InternalServerException": "vendor_error",
    "ServiceUnavailableException": "vendor_error",
}

NAMES: Final = frozenset(_BY_NAME.values())
"""The reasons that an exception alone may have."""

_LONGEST: Final = 4_000
_PREFIX: Final = "The model returned the following errors: "
"""What Bedrock puts in front of a model's own words, which may be the prompt's."""

_FRONT_END: Final[Mapping[str, Refusal]] = {
    **dict.fromkeys(SIGNED_WRONG, CREDENTIALS),
    "UnknownOperationException": OPERATION,
}
"""Exceptions of AWS's front end that have one cause each."""


def reason_of(name: str, refusal: Refusal | None) -> str:
    """Return the reason that logs and metrics name: that of the text, else that of the exception."""
    return refusal.reason if refusal is not None else _BY_NAME.get(name, "unexplained")


def refusal_of(name: str, message: str) -> Refusal | None:
    """Return the cause of a refusal by the name of its exception and its whole message; None if neither tells it."""
    if name in _FRONT_END:
        return _FRONT_END[name]
    if len(message) > _LONGEST:
        return None
    # Bedrock writes apostrophes in two ways, and some texts have two spaces between their sentences.
    plain = " ".join(message.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
    of_the_model = plain.startswith(_PREFIX)
    plain = plain.removeprefix(_PREFIX)
    possible = (one for one in REFUSALS if name in one.exceptions and (one.prefixed or not of_the_model))
    return next((one for one in possible if any(re.fullmatch(text, plain) for text in one.texts)), None)
