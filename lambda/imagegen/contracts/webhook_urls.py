"""Checks the text of a `webhook_url`: https, a public DNS name, no user, no fragment.

Where the name leads is checked when the call-back is sent (`docs/decisions/0041-call-backs-speak-http-themselves.md`).
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 2048

_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PORT: Final = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

# The same pattern is in the OpenAPI document, so it must mean the same in Python, Rust and ECMAScript.
# The last label begins with a letter, which no notation of an IP address does; there are at least two labels.
PATTERN: Final = (
    rf"^https://(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?(?::{_PORT})?"
    r"(?:[/?](?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?$"
)
_NEVER_PUBLIC: Final = (".localhost", ".local", ".internal")


def has_public_host(url: str) -> bool:
    """Say whether the host of a URL of this pattern is outside the names reserved for private use."""
    host = re.split("[/:?]", url.removeprefix("https://"), maxsplit=1)[0]
    return not host.lower().endswith(_NEVER_PUBLIC)
