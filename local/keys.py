"""The API keys of the service on this machine: two callers, to try what one sees of the other."""

import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from imagegen.adapters.key_table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey

NAMES = ("local", "local-other")


def ensure(table: DynamoDbKeys, *, folder: Path) -> list[str]:
    """Return the keys of the folder, and make sure that the table accepts them.

    They stay the same for as long as the folder does, also if the emulator has lost its tables.
    """
    keys = _read(folder) or _create(folder)
    for key, name in zip(keys, NAMES, strict=True):
        if table.get(key.id) is None:
            table.add(StoredKey.of(key, name=name, now=datetime.now(tz=UTC)))
    return [key.text for key in keys]


def _file(folder: Path) -> Path:
    return folder / "keys.json"


def _read(folder: Path) -> list[ApiKey]:
    texts = json.loads(_file(folder).read_text(encoding="utf-8")) if _file(folder).is_file() else []
    return [key for text in texts if (key := ApiKey.parse(text))]


def _create(folder: Path) -> list[ApiKey]:
    keys = [ApiKey.create(secrets.token_bytes) for _ in NAMES]
    # The table holds only digests, so the keys themselves are kept where only their owner can read them.
    opened = os.open(_file(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as out:
        json.dump([key.text for key in keys], out)
    return keys
