"""Webhook URLs that resemble a receiver on this machine, and must be refused wherever such a receiver is allowed."""

from __future__ import annotations

from typing import Final

LOOPBACK: Final = (
    "http://127.0.0.1:8000",
    "http://127.0.0.1:8000/hook?for=me&n=%20",
    "http://localhost:1/",
    "http://localhost:65535?x",
)
"""The two spellings that are allowed."""

NEIGHBOURS: Final = (
    # another machine, or a machine's own services
    "http://10.0.0.1:8000/",
    "http://192.168.1.1:8000/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254:80/latest/meta-data/",
    "http://169.254.170.2:80/v2/credentials",
    "http://93.184.216.34:8000/",
    "http://example.com:8000/",
    "http://metadata.google.internal:80/",
    # names that only begin or end like it
    "http://localhost.evil.example:8000/",
    "http://127.0.0.1.evil.example:8000/",
    "http://evil.localhost:8000/",
    "http://localhost.:8000/",
    "http://127.0.0.1.:8000/",
    "http://localhost%2eevil.example:8000/",
    # the same machine in other notations
    "http://0.0.0.0:8000/",
    "http://127.0.0.2:8000/",
    "http://127.1:8000/",
    "http://2130706433:8000/",
    "http://0x7f000001:8000/",
    "http://0x7f.0.0.1:8000/",
    "http://0177.0.0.1:8000/",
    "http://017700000001:8000/",
    "http://127.000.000.001:8000/",
    "http://[::1]:8000/",
    "http://[::]:8000/",
    "http://[::ffff:127.0.0.1]:8000/",
    "http://[::ffff:7f00:1]:8000/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:8000/",
    "http://ⓛocalhost:8000/",
    "http://127。0。0。1:8000/",
    "http://LOCALHOST:8000/",
    # users, and what parsers read differently
    "http://user@localhost:8000/",
    "http://user:word@127.0.0.1:8000/",
    "http://127.0.0.1:8000@evil.example/",
    "http://localhost@evil.example:8000/",
    "http://localhost:8000\\@evil.example/",
    "http://localhost:8000#@evil.example/",
    "http://localhost:8000/#top",
    "http://localhost:8000/\r\nHost: evil.example",
    "http://localhost:8000/\n",
    " http://localhost:8000/",
    "http://localhost:8000/a b",
    "http://localhost:8000/é",
    # ports
    "http://localhost/",
    "http://127.0.0.1",
    "http://localhost:/",
    "http://localhost:0/",
    "http://localhost:00080/",
    "http://localhost:65536/",
    "http://localhost:-1/",
    "http://localhost:8\N{ARABIC-INDIC DIGIT ZERO}00/",
    # other schemes
    "https://localhost:8000/",
    "https://127.0.0.1:8000/",
    "HTTP://localhost:8000/",
    "ftp://localhost:8000/",
    "gopher://127.0.0.1:8000/",
    "file://localhost/etc/passwd",
    "//localhost:8000/",
    "localhost:8000/",
    f"http://localhost:8000/{'x' * 2048}",
)
"""What is refused with `webhook_loopback` on, and also with it off."""
