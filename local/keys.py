"""The API keys of the service on this machine: two callers, to try what one sees of the other."""

import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey

NAMES = ("local", "local-other")


def ensure(table: DynamoDbKeys, *, folder: Path) -> list[str]:
    """Return the keys of the folder, and make sure that the table accepts them.

    They stay the same for as long as the folder does, also if the emulator has lost its tables. One that was revoked or
    rotated is replaced by a new key, because nobody can read the new secret out of the table.
    """
    kept = _read(folder)
    keys = [kept.get(name) or ApiKey.create(secrets.token_bytes) for name in NAMES]
    now = datetime.now(tz=UTC)
    for number, (name, key) in enumerate(zip(NAMES, keys, strict=True)):
        stored = table.get(key.id)
        if stored is not None and not stored.accepts(key, now):
            keys[number], stored = ApiKey.create(secrets.token_bytes), None
        if stored is None:
            table.add(StoredKey.of(keys[number], name=name, now=now))
    _write(folder, keys)
    return [key.text for key in keys]


def _file(folder: Path) -> Path:
    return folder / "keys.json"


def _read(folder: Path) -> dict[str, ApiKey]:
    if not _file(folder).is_file():
        return {}
    try:
        texts = json.loads(_file(folder).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):  # damaged; new keys take the place of the lost ones
        return {}
    if not isinstance(texts, dict):
        return {}
    return {name: key for name, text in texts.items() if (key := ApiKey.parse(str(text)))}


def _write(folder: Path, keys: list[ApiKey]) -> None:
    # The table holds only digests, so the keys themselves are kept where only their owner can read them.
    opened = os.open(_file(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as out:
        json.dump({name: key.text for name, key in zip(NAMES, keys, strict=True)}, out)
