"""`imagegen config`: which service and which key are used, and where that is written down."""

from __future__ import annotations

import os

import typer

from imagegen_client.command_line import configuration, making
from imagegen_client.command_line.app import command
from imagegen_client.command_line.configuration import Value, masked
from imagegen_client.command_line.options import Service
from imagegen_client.command_line.reading import Unreadable, stdin_is_terminal, stdin_text
from imagegen_client.command_line.reporting import say, write, write_json
from imagegen_client.core import check_api_key, check_url


@command(
    "imagegen config",
    "imagegen config --url https://API_ID.execute-api.REGION.amazonaws.com/v1 --api-key -",
    "imagegen config --url http://127.0.0.1:4566/v1   (a local service: `make status` prints URL and key)",
)
def config(*, service: Service) -> None:
    """Show the base URL and the API key, or save them: --url and --api-key write the file.

    With --api-key - the key is asked for, or read from stdin. Only you can read the file. The key is never shown in
    full.
    """
    file = configuration.config_file(os.environ)
    changes: dict[str, str] = {}
    if service.url is not None:
        check_url(service.url)
        changes["url"] = service.url
    if service.api_key is not None:
        changes["api_key"] = _key() if service.api_key == "-" else service.api_key.strip()
        check_api_key(changes["api_key"])
    if changes:
        configuration.save(file, changes)
        say(f"Saved to {file}.")
    known = making.configured(Service())
    if service.json:
        write_json(
            {
                "url": known.url.text if known.url else None,
                "url_from": known.url.source if known.url else None,
                "api_key": masked(known.api_key.text) if known.api_key else None,
                "api_key_from": known.api_key.source if known.api_key else None,
                "file": str(file),
            }
        )
        return
    write(f"url      {_line(known.url, known.url.text if known.url else '')}")
    write(f"api key  {_line(known.api_key, masked(known.api_key.text) if known.api_key else '')}")
    write(f"file     {file}{'' if file.exists() else ' (does not exist)'}")


def _key() -> str:
    if stdin_is_terminal():
        return str(typer.prompt("API key", hide_input=True, err=True)).strip()
    try:
        return stdin_text(one_line=True).strip()
    except Unreadable as exc:
        raise typer.BadParameter(f"stdin {exc}.", param_hint="--api-key") from exc


def _line(value: Value | None, text: str) -> str:
    return "not set" if value is None else f"{text} (from the {value.source})"
