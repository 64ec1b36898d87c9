"""`history`, `models`, `usage`, `show`, `save`, `open` and `delete`: what there is, and what to do with it."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Awaitable, Callable
from itertools import chain
from typing import Annotated, TypeVar

import anyio
import typer
from rich.table import Table
from rich.text import Text

from imagegen_client.asynchronous import AsyncClient
from imagegen_client.command_line import making, terminal_picture
from imagegen_client.command_line.app import command
from imagegen_client.command_line.options import Service
from imagegen_client.command_line.reading import stdin_is_terminal
from imagegen_client.command_line.reporting import (
    INTERRUPTED,
    dollars,
    report,
    say,
    shown,
    stdout_is_terminal,
    write,
    write_bytes,
    write_json,
    write_table,
)
from imagegen_client.errors import ImagegenError, InProgress
from imagegen_client.replies import Generation, Model

T = TypeVar("T")

PROMPT_WIDTH = 60
Id = Annotated[
    str, typer.Argument(metavar="ID", help="The generation, such as gen_3nq7v5kd2wzr6xj4tm5yhb2c7a.")
]


def asked(service: Service, call: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """Return what a call of the client returns."""

    async def calling() -> T:
        async with making.connected(service, retries=making.LOOKING) as client:
            return await call(client)

    return anyio.run(calling)


@command(
    "imagegen history",
    "imagegen history --all --json | jq -r .id",
)
def history(
    *,
    service: Service,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to show.")] = 20,
    all_: Annotated[bool, typer.Option("--all", help="Show all of them.")] = False,
) -> None:
    """List your pictures, newest first. With --json, one JSON object a line."""

    async def listed(client: AsyncClient) -> list[Generation]:
        found: list[Generation] = []
        async for each in client.history(page_size=100 if all_ else min(limit, 100)):
            found.append(each)
            if not all_ and len(found) == limit:
                break
        return found

    found = asked(service, listed)
    if service.json:
        for each in found:
            write_json(each.raw)
        return
    table = _table("id", "made at (UTC)", "status", "cost", "prompt")
    for each in found:
        status = each.status if each.error is None else f"failed: {each.error.code}"
        made_at = f"{each.created_at:%Y-%m-%d %H:%M}"
        table.add_row(each.id, made_at, status, dollars(each.cost_usd), Text(_prompt(each)))
    write_table(table) if found else say("You have no pictures yet.")


@command(
    "imagegen models",
    "imagegen models --json | jq -r .[].id",
)
def models(*, service: Service) -> None:
    """List the models, in the order in which they are tried, with prices and what each honours."""
    found = asked(service, lambda client: client.models())
    if service.json:
        write_json([each.raw for each in found])
        return
    table = _table("id", "state", "region", "a picture", "honours")
    for each in found:
        price = dollars(each.price_per_image)
        table.add_row(each.id, _state(each), each.region, price, Text(", ".join(each.honours)))
    write_table(table)


@command(
    "imagegen usage",
    "imagegen usage --days 31 --json",
)
def usage(
    *,
    service: Service,
    days: Annotated[int, typer.Option("--days", min=1, max=31, help="How many days to show.")] = 7,
) -> None:
    """Show what you used by day (UTC), your limits, and what is left until midnight UTC."""
    found = asked(service, lambda client: client.usage(days=days))
    if service.json:
        write_json(found.raw)
        return
    table = _table("day", "pictures", "cost")
    for each in found.days:
        table.add_row(str(each.date), str(each.images), dollars(each.usd))
    write_table(table)
    limits = [f"{name} {value:g}" for name, value in found.limits.items() if value is not None]
    left = [
        *([f"{found.images_left} pictures"] if found.images_left is not None else []),
        *([dollars(found.usd_left)] if found.usd_left is not None else []),
    ]
    write(f"Left today: {', '.join(left) or 'no limit'}.")
    if limits:
        write(f"Limits: {', '.join(limits)}.")


@command(
    "imagegen show gen_3nq7v5kd2wzr6xj4tm5yhb2c7a",
    "imagegen show gen_3nq7v5kd2wzr6xj4tm5yhb2c7a --json",
)
def show(*, generation_id: Id, service: Service) -> None:
    """Show a picture in the terminal, with its facts. With --json, the facts only.

    Kitty, Ghostty, iTerm2 and WezTerm show the picture itself. Other terminals show it in coloured blocks, if Pillow is
    installed as the extra `picture` of this package.
    """

    async def looked_up(client: AsyncClient) -> tuple[Generation, bytes | None]:
        found = await client.get(generation_id)
        wanted = found.image is not None and not service.json and stdout_is_terminal()
        return found, await client.image(found) if wanted else None

    found, content = asked(service, looked_up)
    if service.json:
        write_json(found.raw)
        return
    drawn = None if content is None else _drawn(content)
    if drawn is not None:
        write_bytes(drawn)
    write(shown(_prompt(found)))
    write(shown(making.described(found)))
    if found.error is not None:
        write(f"{found.error.code}: {shown(found.error.detail)}")
    elif drawn is None and found.image is not None:
        write(f"To open it: imagegen open {found.id}")


@command(
    "imagegen save gen_3nq7v5kd2wzr6xj4tm5yhb2c7a -o tea.png",
)
def save(
    *,
    generation_id: Id,
    service: Service,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="A file, a folder, or - for stdout. Default: imagegen-ID.png.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that exists.")] = False,
) -> None:
    """Save a picture that was made before; if it is still being made, wait for it. It costs nothing."""
    making.check_output(output, count=1, force=force)

    async def downloaded(client: AsyncClient) -> tuple[Generation, bytes]:
        found = await client.wait(generation_id)
        return found, await client.image(found)

    found, content = asked(service, downloaded)
    if output == "-":
        write_bytes(content)
        return
    path = making.file_for(found, output=output, number=0, count=1)
    making.save(content, path, found, force=force)
    write_json(making.with_file(found, path)) if service.json else write(str(path))


@command(
    "imagegen open gen_3nq7v5kd2wzr6xj4tm5yhb2c7a",
    name="open",
)
def open_(*, generation_id: Id, service: Service) -> None:
    """Open a picture in the browser. Where there is none, print its URL, which is valid for an hour at most."""
    found = asked(service, lambda client: client.get(generation_id))
    if found.image is None:
        raise found.error or InProgress("The image is still being made.", generation_id=found.id)
    if service.json:
        write_json(found.raw)
    elif not _browser_opens(found.image.url):
        write(found.image.url)


@command(
    "imagegen delete gen_3nq7v5kd2wzr6xj4tm5yhb2c7a",
    "imagegen delete --yes gen_3nq7v5kd2wzr6xj4tm5yhb2c7a gen_5yhb2c7a3nq7v5kd2wzr6xj4tm",
)
def delete(
    *,
    generation_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The generations.")],
    service: Service,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove pictures and their records for good. What they cost stays counted."""
    if not yes:
        if not stdin_is_terminal():
            raise typer.BadParameter("there is no terminal to ask at: add --yes.")
        what = generation_ids[0] if len(generation_ids) == 1 else f"{len(generation_ids)} pictures"
        if not typer.confirm(f"Remove {what} for good?", err=True):
            say("Nothing was removed.")
            raise typer.Exit(INTERRUPTED)

    async def removed(client: AsyncClient) -> list[int]:
        codes = []
        for each in chain(generation_ids):
            try:
                await client.delete(each)
            except ImagegenError as error:
                codes.append(report(error, as_json=service.json))
            else:
                write_json({"id": each, "deleted": True}) if service.json else write(each)
        return codes

    codes = asked(service, removed)
    if codes:
        raise typer.Exit(codes[0])


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for each in columns:
        table.add_column(each, no_wrap=each in {"id", "made at (UTC)", "cost", "day"}, overflow="fold")
    return table


def _prompt(found: Generation) -> str:
    prompts = (found.request or {}).get("text_prompts") or [{}]
    text = " ".join(shown(str(prompts[0].get("text", ""))).split())
    return text if len(text) <= PROMPT_WIDTH else f"{text[: PROMPT_WIDTH - 1]}…"


def _state(model: Model) -> str:
    state = model.lifecycle.replace("_", " ")
    return f"{state}, default" if model.default else state


def _drawn(content: bytes) -> bytes | None:
    size = os.get_terminal_size(sys.stdout.fileno())
    # A terminal that does not know its size says 0.
    columns, rows = size.columns or 80, size.lines or 24
    return terminal_picture.drawn(content, environ=os.environ, columns=columns, rows=rows)


def _browser_opens(url: str) -> bool:
    # A browser of the terminal would take it over, and one that is not there prints errors of its own.
    graphical = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(each) for each in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if not graphical:
        return False
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
