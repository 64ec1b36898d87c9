"""How an API key looks: `ig_`, 12 characters of id, 40 characters of secret, of the letters a-z and the digits 2-7.

The id names the key in lists, logs and records. Nobody can guess the secret: it is 200 random bits.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

PREFIX: Final = "ig_"
ID_LENGTH: Final = 12
SECRET_LENGTH: Final = 40
ID_PATTERN: Final = rf"[a-z2-7]{{{ID_LENGTH}}}"

_KEY: Final = re.compile(rf"{PREFIX}(?P<id>{ID_PATTERN})(?P<secret>[a-z2-7]{{{SECRET_LENGTH}}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key as its caller holds it. It is shown once and stored nowhere; `digest` is what the table keeps."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def create(cls, random_bytes: Callable[[int], bytes], *, id_: str | None = None) -> Self:
        """Return a new key, or a new secret for the id of one that exists.

        Args:
            random_bytes: Returns so many random bytes that nobody can guess, as `secrets.token_bytes` does.
            id_: The id of the key that gets a new secret.
        """
        return cls(
            id=id_ or _letters(random_bytes(8), ID_LENGTH), secret=_letters(random_bytes(25), SECRET_LENGTH)
        )

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the key that a text is, or None if no key looks like it."""
        found = _KEY.fullmatch(text)
        return cls(id=found["id"], secret=found["secret"]) if found else None

    @property
    def text(self) -> str:
        """The key as a caller sends it."""
        return f"{PREFIX}{self.id}{self.secret}"

    @property
    def digest(self) -> str:
        """The SHA-256 of the text, in hexadecimal digits."""
        # A fast hash is enough: a secret of 200 random bits cannot be found by trying.
        return hashlib.sha256(self.text.encode()).hexdigest()


def _letters(content: bytes, length: int) -> str:
    return b32encode(content).decode().lower()[:length]
