"""Says when the service may refuse a generated request that is valid by JSON Schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from imagegen.contracts.text_to_image.parameters import MAX_EXTRAS_LENGTH

if TYPE_CHECKING:
    import schemathesis

INTEGERS: Final = ("width", "height", "samples", "seed", "steps", "n")
DEPENDS: Final = (
    *("unknown_model", "unsupported_parameter", "idempotency_conflict"),
    # Errors in Bedrock's shape have no code.
    "The provided model identifier is invalid.",
)
"""The errors that depend on the deployment, on its models or on earlier requests."""


def is_beyond_a_schema(case: schemathesis.Case[Any], answer: Any) -> bool:
    """Say whether a request was refused for a reason that JSON Schema cannot express."""
    shown = json.dumps(answer)
    sent = case.body if isinstance(case.body, dict) else {}
    return (
        any(code in shown for code in DEPENDS)
        # By JSON Schema 5.0 is an integer; the service refuses it.
        or any(isinstance(sent.get(name), float) for name in INTEGERS)
        or ("webhook_url" in sent and "webhook_url" in shown)
        or "next_cursor" in shown
        # Which characters are printable.
        or ("download" in (case.query or {}) and "download" in shown)
        # How many bytes a whole object has.
        or (_bytes_of(sent.get("extras")) > MAX_EXTRAS_LENGTH and "extras" in shown)
        # Fields that depend on each other, in OpenAI's shape.
        or ("n" in sent and "in base64" in shown)
        or any(rule in shown for rule in ("is required as well", "must agree with width and height"))
    )


def _bytes_of(value: Any) -> int:
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(written.encode("utf-8", "surrogatepass"))
