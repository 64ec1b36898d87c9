"""What `generate`, `again`, `batch` and `save` share: the client, the key, the file, and what to say of a picture."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import typer

from imagegen_client.asynchronous import AsyncClient
from imagegen_client.command_line import configuration
from imagegen_client.command_line.options import Service
from imagegen_client.command_line.reporting import FileFailure, dollars
from imagegen_client.files import write_atomically
from imagegen_client.image_request import SUFFIXES, ImageRequest
from imagegen_client.repeating import Retries
from imagegen_client.replies import Generation

PATIENT = Retries(tries=12, total_time=900.0)
"""For people, who can interrupt: a deployment may be busy for minutes."""

LOOKING: Final = replace(PATIENT, tries=5)
"""For what costs nothing and can be asked again at once; an image that is being made is waited for all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One picture to be made, under one key."""

    request: ImageRequest
    key: str
    asynchronous: bool = False


def connected(service: Service, *, retries: Retries = PATIENT) -> AsyncClient:
    """Return a client of the service that flags, environment and file name."""
    url, key = configured(service).checked()
    return AsyncClient(url, key, retries=retries)


def configured(service: Service) -> configuration.Configuration:
    """Return which service and key hold for a command."""
    return configuration.read(url=service.url, api_key=service.api_key, environ=os.environ)


async def make(client: AsyncClient, order: Order, *, wait: bool = True) -> Generation:
    """Ask for the picture, and wait until it is done."""
    return await client.generate(
        order.request, idempotency_key=order.key, asynchronous=order.asynchronous, wait=wait
    )


def nth_key(key: str, number: int) -> str:
    """Return the key of the n-th picture of a command: the first has the given one unchanged."""
    return key if number == 0 else hashlib.sha256(f"{key}:{number}".encode()).hexdigest()[:48]


def file_for(made: Generation, *, output: str | None, number: int, count: int) -> Path:
    """Return where a picture is saved: `-o`, with a number if there are several; in a folder, or by its id."""
    content_type = made.image.content_type if made.image else ""
    name = f"{own_name(made)}{SUFFIXES.get(content_type, '.png')}"
    if output is None:
        return Path(name)
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)):
        return path / name
    return numbered(path, number) if count > 1 else path


def own_name(made: Generation) -> str:
    """Return the name of a picture's file, without its suffix, where nobody has named it."""
    return f"imagegen-{made.id}"


def numbered(path: Path, number: int) -> Path:
    """Return `tea-2.png` for the second picture of `tea.png`."""
    return path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def check_output(output: str | None, *, count: int, force: bool) -> None:
    """Make sure that the pictures can be saved, before any is paid for.

    Raises:
        typer.BadParameter: They cannot.
    """
    if output == "-":
        if count > 1:
            raise typer.BadParameter("only one picture can go to stdout.", param_hint="-o")
        return
    path = Path(output or ".")
    is_folder = path.is_dir() or (output or "").endswith(("/", os.sep))
    folder = path if is_folder else path.parent
    if not folder.is_dir():
        raise typer.BadParameter(f"there is no folder {folder}.", param_hint="-o")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"the folder {folder} cannot be written to.", param_hint="-o")
    if output is None or is_folder:
        return
    wanted = [path] if count == 1 else [numbered(path, number) for number in range(count)]
    there = [str(each) for each in wanted if _is_file(each)]
    if there and not force:
        raise typer.BadParameter(f"{', '.join(there)} exists. --force replaces it.", param_hint="-o")


def _is_file(path: Path) -> bool:
    """Return whether a file is there that can be replaced.

    Raises:
        typer.BadParameter: Something else is there, or there cannot be a file of this name.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}.", param_hint="-o") from error
    if not stat.S_ISREG(found.st_mode):
        raise typer.BadParameter(
            f"{path} is no file. A file or a folder can be named, and - is stdout.", param_hint="-o"
        )
    return True


def save(content: bytes, path: Path, made: Generation, *, force: bool) -> None:
    """Write a picture; without `force`, only a file that is named by the picture's own id is replaced.

    Raises:
        FileFailure: The file cannot be written, or another one has come meanwhile.
    """
    try:
        write_atomically(path, content, replace=force or path.stem == own_name(made))
    except OSError as error:
        raise unsaved(made, error, to=str(path)) from error


def unsaved(made: Generation, error: OSError, *, to: str) -> FileFailure:
    """Return the failure to write a picture that is made, and paid for."""
    return FileFailure(f"{to}: {error.strerror}.", charged="yes", generation_id=made.id)


def described(made: Generation) -> str:
    """Say in one line what came out."""
    image = made.image
    parts = [
        f"{image.width}x{image.height}, seed {image.seed}" if image else made.status,
        made.model or "",
        dollars(made.cost_usd),
        "made earlier" if made.replayed else "",
        f"no effect on this model: {', '.join(made.ignored_parameters)}" if made.ignored_parameters else "",
        made.id,
    ]
    return " · ".join(part for part in parts if part)


def slug(text: str) -> str:
    """Return a text as part of a file name."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return "-".join(words)[:40].strip("-") or "picture"


def with_file(made: Generation, path: Path | None) -> dict[str, Any]:
    """Return a generation's JSON with the file that it was saved to, and whether it was made earlier."""
    return {
        **made.raw,
        "replayed": made.replayed,
        **({"file": str(path)} if path is not None else {}),
    }
