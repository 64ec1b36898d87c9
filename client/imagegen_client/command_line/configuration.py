"""Which service and which API key: from a flag, the environment or a file, in that order of strength."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import platformdirs

from imagegen_client.command_line.reading import Unreadable, json_of
from imagegen_client.core import check_url
from imagegen_client.errors import InvalidConfiguration
from imagegen_client.files import write_atomically

URL: Final = "IMAGEGEN_URL"
API_KEY: Final = "IMAGEGEN_API_KEY"
FOLDER: Final = "IMAGEGEN_CONFIG_DIR"
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

Source = Literal["flag", "environment", "file"]

_FROM_A_CHECKOUT: Final = (
    "In a checkout of the service whose local service runs, `make status` prints both the URL and a key."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value, and where it comes from."""

    text: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What is known of the service; None is not set."""

    url: Value | None
    api_key: Value | None

    def checked(self) -> tuple[str, str]:
        """Return base URL and API key.

        Raises:
            InvalidConfiguration: One is missing or cannot be used; the sentence says how to set it.
        """
        if self.url is None:
            raise InvalidConfiguration(
                f"No base URL is set. Set {URL}, or run `imagegen config --url URL`, or pass --url. {_FROM_A_CHECKOUT}"
            )
        if self.api_key is None:
            raise InvalidConfiguration(
                f"No API key is set. Set {API_KEY}, or run `imagegen config --api-key -`, or pass --api-key. "
                + _FROM_A_CHECKOUT
            )
        check_url(self.url.text)
        return self.url.text, self.api_key.text


def config_file(environ: Mapping[str, str]) -> Path:
    """Return where the file is, whether it exists or not."""
    folder = environ.get(FOLDER)
    return (Path(folder) if folder else platformdirs.user_config_path("imagegen")) / "config.json"


def read(*, url: str | None, api_key: str | None, environ: Mapping[str, str]) -> Configuration:
    """Return the configuration; an empty flag or variable counts as absent.

    Raises:
        InvalidConfiguration: The file is needed and cannot be used.
    """
    found = {
        "url": _strongest(url, environ.get(URL)),
        "api_key": _strongest(api_key, environ.get(API_KEY)),
    }
    if None in found.values():
        kept = read_file(config_file(environ))
        for name, value in found.items():
            if value is None and name in kept:
                found[name] = Value(text=kept[name], source="file")
    return Configuration(url=found["url"], api_key=found["api_key"])


def read_file(path: Path) -> dict[str, str]:
    """Return the members of the file; empty if there is none.

    Raises:
        InvalidConfiguration: It is damaged, cannot be read, or holds a key that others can read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise InvalidConfiguration(f"{path} cannot be read: {_reason(exc)}.") from exc
    try:
        members = json_of(text)
    except Unreadable as exc:
        raise InvalidConfiguration(f"{path} is damaged: correct it, or remove it.") from exc
    if not isinstance(members, dict) or not all(isinstance(each, str) for each in members.values()):
        raise InvalidConfiguration(f"{path} is damaged: correct it, or remove it.")
    if "api_key" in members and os.name != "nt" and mode & OTHERS:
        raise InvalidConfiguration(f"Others can read the API key in {path}: run `chmod 600 {path}`.")
    return members


def save(path: Path, changes: Mapping[str, str]) -> None:
    """Write changes to the file, which only its owner can read.

    Raises:
        InvalidConfiguration: The file cannot be used or written.
    """
    members = {**(read_file(path)), **changes}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, (json.dumps(members, indent=2) + "\n").encode(), mode=0o600)
    except OSError as exc:
        raise InvalidConfiguration(f"{path} cannot be written: {_reason(exc)}.") from exc


def masked(api_key: str) -> str:
    """Return enough of a key to tell it from others, and too little to use it."""
    return f"{api_key[:7]}…" if len(api_key) > 20 else "…"  # noqa: PLR2004 - a shorter one would be half shown


def _strongest(flag: str | None, variable: str | None) -> Value | None:
    if flag and flag.strip():
        return Value(text=flag.strip(), source="flag")
    if variable and variable.strip():
        return Value(text=variable.strip(), source="environment")
    return None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is not UTF-8 text"
