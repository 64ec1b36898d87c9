"""Checks the text of a `webhook_url`: https, a public DNS name, no user, no fragment.

Where the name leads is checked when the call-back is sent (`docs/decisions/0041-call-backs-speak-http-themselves.md`).
A deployment on one machine may also call receivers on it
(`docs/decisions/0042-a-local-deployment-may-call-its-own-machine.md`).
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 2048

_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PORT: Final = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_TARGET: Final = r"(?:[/?](?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"

# The same pattern is in the OpenAPI document, so it must mean the same in Python, Rust and ECMAScript.
# The last label begins with a letter, which no notation of an IP address does; there are at least two labels.
PATTERN: Final = (
    rf"^https://(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?(?::{_PORT})?{_TARGET}$"
)
# Two spellings only, and always with a port: every other notation of this machine stays refused.
_LOOPBACK: Final = re.compile(rf"http://(?:127\.0\.0\.1|localhost):{_PORT}{_TARGET}")
_NEVER_PUBLIC: Final = (".localhost", ".local", ".internal")


def has_public_host(url: str) -> bool:
    """Say whether the host of a URL of this pattern is outside the names reserved for private use."""
    host = re.split("[/:?]", url.removeprefix("https://"), maxsplit=1)[0]
    return not host.lower().endswith(_NEVER_PUBLIC)


def is_loopback(url: str) -> bool:
    """Say whether a URL is `http://127.0.0.1:PORT` or `http://localhost:PORT`, with any path and query."""
    return len(url) <= MAX_LENGTH and _LOOPBACK.fullmatch(url) is not None
