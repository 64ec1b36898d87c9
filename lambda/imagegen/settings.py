"""The environment as one frozen record; `docs/configuration.md` lists every variable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from imagegen.errors import Misconfigured

_DIGITS: Final = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the two functions are told by their environment; each field is a variable of the same name in capitals.

    `model_timeout`, `function_timeout` and `url_ttl` are seconds. A daily limit of None means unlimited, 0 nothing.
    """

    bucket_name: str
    table_name: str
    queue_url: str
    dead_letter_queue_arn: str
    models: tuple[str, ...]
    model_timeout: float
    function_timeout: float
    url_ttl: int
    s3_addressing_style: str
    cors_origins: tuple[str, ...]
    record_retention_days: int
    max_paid_attempts: int
    daily_images_per_caller: int | None
    daily_images: int | None
    webhook_secret_arn: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            Misconfigured: variables are missing or unreadable; the sentence names every one of them.
        """
        values: dict[str, Any] = {}
        wrong = []
        for field in fields(cls):
            name = field.name.upper()
            try:
                values[field.name] = _READERS[field.name](environment[name])
            except KeyError:
                wrong.append(f"{name} is missing")
            except ValueError as exc:
                wrong.append(f"{name} {exc}")
        if wrong:
            raise Misconfigured(f"The environment cannot be used: {'; '.join(wrong)}.")
        return cls(**values)


def _text(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    return value


def _list(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def _models(value: str) -> tuple[str, ...]:
    if not _list(value):
        raise ValueError("names no model")
    return _list(value)


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be {' or '.join(allowed)}")
        return value

    return read


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (_DIGITS.fullmatch(value) and low <= int(value) <= high):
            raise ValueError(f"must be a whole number in {low}–{high}")
        return int(value)

    return read


def _limit(value: str) -> int | None:
    return _integer(0, 1_000_000_000)(value) if value else None


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "bucket_name": _text,
    "table_name": _text,
    "queue_url": _text,
    "dead_letter_queue_arn": _text,
    "models": _models,
    "model_timeout": _integer(1, 270),
    "function_timeout": _integer(10, 300),
    "url_ttl": _integer(60, 3600),
    "s3_addressing_style": _one_of("virtual", "path"),
    "cors_origins": _list,
    "record_retention_days": _integer(1, 36_500),
    "max_paid_attempts": _integer(1, 10),
    "daily_images_per_caller": _limit,
    "daily_images": _limit,
    "webhook_secret_arn": str,
}
