"""Whether a text is the address of a server, such as the Bedrock runtime or an endpoint of AWS."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LONGEST_HOST: Final = 253
_PLAIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/?")


def is_address(text: str) -> bool:
    """Say whether it is an http or https URL that a request can be sent to, with or without a path."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and parts.port != 0 and _is_host(parts.hostname or "")
    except ValueError:  # half of an IPv6 address, or a port that is no number
        return False


def is_plain_address(text: str) -> bool:
    """Say whether it is such a URL with nothing but a name or an IPv4 address, and perhaps a port."""
    return _PLAIN.fullmatch(text) is not None and is_address(text)


def _is_host(host: str) -> bool:
    if ":" in host:
        return ipaddress.ip_address(host).version == 6  # noqa: PLR2004 - the version is its name
    return len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) is not None
