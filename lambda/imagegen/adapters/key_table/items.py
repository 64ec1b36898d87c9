"""A stored key as an item of the table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from imagegen.keys.stored_key import StoredKey

_TIMES = ("created_at", "expires_at", "revoked_at", "previous_until")


def item_of(key: StoredKey) -> dict[str, Any]:
    """Return the item that a key is stored as."""
    texts = {"id": key.id, "name": key.name, "digest": key.digest, "previous_digest": key.previous_digest}
    times = {name: getattr(key, name) for name in _TIMES}
    return {
        **{name: {"S": text} for name, text in texts.items() if text},
        **{name: {"S": time.isoformat()} for name, time in times.items() if time is not None},
        "limits": limits_of(key),
    }


def limits_of(key: StoredKey) -> dict[str, Any]:
    """Return the limits of a key as one attribute of its item."""
    return {
        "M": {
            # `str` alone would write 0.000001 with an exponent.
            name: {"NULL": True} if number is None else {"N": f"{Decimal(str(number)):f}"}
            for name, number in key.limits.items()
        }
    }


def stored_key(item: Mapping[str, Any]) -> StoredKey:
    """Return the key that an item holds.

    Raises:
        ValueError: the item is not a key as `item_of` writes it.
    """
    try:
        return _stored_key(item)
    except (AttributeError, KeyError, TypeError) as exc:
        raise ValueError(f"An item of the table of keys has another form: {exc!r}.") from exc


def _stored_key(item: Mapping[str, Any]) -> StoredKey:
    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    def time(name: str) -> datetime | None:
        return datetime.fromisoformat(text(name)) if name in item else None

    return StoredKey(
        id=str(item["id"]["S"]),
        name=text("name"),
        digest=str(item["digest"]["S"]),
        created_at=datetime.fromisoformat(item["created_at"]["S"]),
        expires_at=time("expires_at"),
        revoked_at=time("revoked_at"),
        previous_digest=text("previous_digest"),
        previous_until=time("previous_until"),
        limits={name: _number(value) for name, value in item["limits"]["M"].items()}
        if "limits" in item
        else {},
    )


def _number(value: Mapping[str, Any]) -> float | None:
    if "NULL" in value:
        return None
    text = str(value["N"])
    return int(text) if text.isdecimal() else float(text)
