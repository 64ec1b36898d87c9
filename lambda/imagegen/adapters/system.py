"""The machine's clock and randomness."""

from __future__ import annotations

import secrets
import time
from base64 import b32encode
from datetime import UTC, datetime

from imagegen.contracts.text_to_image.parameters import MAX_CHOSEN_SEED


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)


class SystemRandomness:
    """The operating system's randomness."""

    def seed(self) -> int:
        """Return a seed in 1…4294967294."""
        return 1 + secrets.randbelow(MAX_CHOSEN_SEED)

    def token(self) -> str:
        """Return 128 random bits as lower-case base32, 26 characters."""
        return b32encode(secrets.token_bytes(16)).decode().lower().rstrip("=")

    def fraction(self) -> float:
        """Return a number in 0…1."""
        return secrets.randbelow(1 << 32) / (1 << 32)
