"""`state.json`: addresses, keys and names of the running service, for people, scripts and tests."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from tools.failures import LocalError

_MAY_BE_NULL: Final = ("ca_bundle",)


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything that a client of the local service needs. The file has `ca_bundle` only in strict mode."""

    api_url: str
    api_key: str  # empty where `api_auth` is another than `key`
    other_api_key: str
    aws_endpoint_url: str
    bedrock_url: str
    web_url: str
    bucket: str
    table: str
    queue_url: str
    dlq_url: str
    stack: str
    webhook_secret: str = ""  # empty where `webhooks` is false
    ca_bundle: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the state of the service in this folder, or None if no service is ready there.

        Raises:
            LocalError: the file is damaged.
        """
        path = file(folder)
        if not path.is_file():
            return None
        try:
            read = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError):
            read = None
        # An address that is null would be looked for in the operator's own account.
        if read is None or not all(
            isinstance(value, str) for name, value in asdict(read).items() if name not in _MAY_BE_NULL
        ):
            raise LocalError(f"{path} is damaged: `make up` writes it anew.")
        return read

    def to_json(self) -> dict[str, Any]:
        """Return the members of the file."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("ca_bundle", None)}

    def write(self, folder: Path) -> None:
        """Write the file in one step, readable by its owner alone: it holds keys."""
        fresh = file(folder).with_suffix(".json.new")
        # An `up` that was killed may have left one, which O_EXCL would refuse.
        fresh.unlink(missing_ok=True)
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as out:
            json.dump(self.to_json(), out, indent=2)
            out.write("\n")
        # Renamed into place, so that nobody reads half a file.
        fresh.replace(file(folder))


def file(folder: Path) -> Path:
    """Return the path of a folder's `state.json`."""
    return folder / "state.json"
