"""The origins whose pages may call the API, written as browsers write them in the header `Origin`.

The comparison of an origin is one of text (WHATWG Fetch standard, "CORS check"). One that no browser writes, such as
`https://App.Example.com:443/`, would deploy and never match.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>[0-9]{1,5}))?/?"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# A page from these has the origin `null`, or there are no pages from them.
_WITHOUT_ORIGIN: Final = frozenset({"about", "blob", "data", "file", "ftp", "javascript", "s3", "ws", "wss"})
_LAST_PORT: Final = 65_535


def as_browsers_write(text: str) -> str | None:
    """Return the origin that `text` means, as a browser writes it, or None if it means none.

    Scheme and host are in lower case; the scheme's own port and a slash at the end are left out; a host with other
    letters is in Punycode. An app's origin (`capacitor://localhost`, `chrome-extension://<id>`) keeps its host.
    """
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, port = found["scheme"].lower(), found["port"] and int(found["port"])
    host = _host(found["host"]) if scheme in _DEFAULT_PORTS or not text.isascii() else found["host"]
    if scheme in _WITHOUT_ORIGIN or host is None or (port or 0) > _LAST_PORT:
        return None
    shown = "" if port is None or port == _DEFAULT_PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{host}{shown}"


def _host(text: str) -> str | None:
    try:
        if text.startswith("["):
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
        return text.encode("idna").decode().lower()
    except ValueError:
        return None
