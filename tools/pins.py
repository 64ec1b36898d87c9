"""What the lock files pin: each package with its version and its hashes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_PIN: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)(?P<rest>(?:.*\\\n)*.*)", re.MULTILINE
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")
_INTEGRITY: Final = re.compile(r"sha512-([A-Za-z0-9+/]{86}==)")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One pinned package; `hashes` are of its files, in hexadecimal: SHA-256 of Python's, SHA-512 of Node's."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def words(self) -> str:
        """The pin as a sentence names it."""
        return f"{self.name} {self.version}"


def normalized(name: str) -> str:
    """Return the name of a Python package as indexes compare it: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_of(lock: str) -> Sequence[Pin]:
    """Return the pins of a lock file of Python packages, whatever system or Python a pin is for."""
    return [
        Pin(
            name=normalized(found["name"]),
            version=found["version"],
            hashes=tuple(_HASH.findall(found["rest"])),
        )
        for found in _PIN.finditer(lock)
    ]


def packages_of(package_lock: str) -> Sequence[Pin]:
    """Return the packages of a `package-lock.json`; one without an SHA-512 hash has no hashes."""
    packages = json.loads(package_lock)["packages"]
    return [
        Pin(
            name=path.rpartition("node_modules/")[2],
            version=package["version"],
            hashes=tuple(
                base64.b64decode(found).hex() for found in _INTEGRITY.findall(package.get("integrity", ""))
            ),
        )
        for path, package in packages.items()
        if path
    ]
