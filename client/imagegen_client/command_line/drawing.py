"""`imagegen generate` and `imagegen again`: pictures from one prompt."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import anyio
import typer

from imagegen_client.asynchronous import AsyncClient
from imagegen_client.client import new_key
from imagegen_client.command_line import making
from imagegen_client.command_line.app import command
from imagegen_client.command_line.interrupting import every_end_as_interrupt
from imagegen_client.command_line.making import Order
from imagegen_client.command_line.options import Picture, Service
from imagegen_client.command_line.reading import Unreadable, stdin_text, word_of
from imagegen_client.command_line.reporting import (
    INTERRUPTED,
    STDOUT_CLOSED,
    Screen,
    StdoutClosed,
    report,
    say,
    write_bytes,
)
from imagegen_client.errors import ImagegenError, UnexpectedReply
from imagegen_client.image_request import ImageRequest, Prompt
from imagegen_client.replies import Generation

MOST: int = 100
"""The most pictures of one command."""

MAX_SEED = 4_294_967_295
HOW = "How it is made"


@dataclass(frozen=True, kw_only=True)
class Result:
    """Where the pictures go."""

    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to save it: a file, a folder, or - for stdout. Default: imagegen-ID.png.",
        ),
    ] = None
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")] = False


@dataclass(frozen=True, kw_only=True)
class Making:
    """How many, and through which door."""

    count: Annotated[
        int,
        typer.Option(
            "-n", "--count", min=1, max=MOST, help="How many pictures; each is paid for.", rich_help_panel=HOW
        ),
    ] = 1
    asynchronous: Annotated[
        bool,
        typer.Option(
            "--async", help="Ask for a job, which can wait when the model is busy.", rich_help_panel=HOW
        ),
    ] = False
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait", help="With --async: whether to wait for the picture.", rich_help_panel=HOW
        ),
    ] = True
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=1,
            help="How long to try and to wait for each picture.",
            rich_help_panel=HOW,
        ),
    ] = making.PATIENT.total_time
    webhook_url: Annotated[
        str | None,
        typer.Option(
            "--webhook-url",
            metavar="URL",
            help="With --async: where to announce the end.",
            rich_help_panel=HOW,
        ),
    ] = None
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="16 to 64 of A-Z a-z 0-9 _ -. The same key and request bring the same picture, and are paid once.",
            rich_help_panel=HOW,
        ),
    ] = None


@command(
    'imagegen "a tea plantation"',
    'imagegen "a tea plantation" -o tea.png --style photographic --seed 7',
    'imagegen "a tea plantation" -n 4 -o tea.png --negative people --size 1344x768',
    'echo "a tea plantation" | imagegen - -o - > tea.png',
    'imagegen "a tea plantation" --async --no-wait --json',
)
def generate(
    *,
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="What to draw; - reads it from stdin.", show_default=False)
    ],
    result: Result,
    picture: Picture,
    making_: Making,
    service: Service,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="NUMBER",
            help="The same seed makes the same picture; 0 chooses one.",
            rich_help_panel=HOW,
        ),
    ] = None,
) -> None:
    """Make a picture from a prompt. The word generate may be left out."""
    request = replace(
        picture.changed(ImageRequest(prompt=_text(prompt))), seed=seed, webhook_url=making_.webhook_url
    )
    _make(request, result, making_, service)


@command(
    "imagegen again gen_3nq7v5kd2wzr6xj4tm5yhb2c7a --seed +1",
    "imagegen again gen_3nq7v5kd2wzr6xj4tm5yhb2c7a -n 4 --seed +1 --style anime",
    "imagegen again gen_3nq7v5kd2wzr6xj4tm5yhb2c7a -o tea.png",
)
def again(
    *,
    generation_id: Annotated[str, typer.Argument(metavar="ID", help="The generation to start from.")],
    result: Result,
    picture: Picture,
    making_: Making,
    service: Service,
    seed: Annotated[
        str | None,
        typer.Option(
            "--seed",
            metavar="SEED",
            help="A number, or +1 and -1 to count from the first picture's.",
            rich_help_panel=HOW,
        ),
    ] = None,
) -> None:
    """Make a picture like an earlier one, with what you change. It is paid for."""

    async def earlier() -> Generation:
        async with making.connected(service, retries=making.LOOKING) as client:
            return await client.get(generation_id)

    request = asked_by(anyio.run(earlier))
    request = replace(request, seed=_seed(seed, request.seed or 0), webhook_url=making_.webhook_url)
    _make(picture.changed(request), result, making_, service)


def asked_by(made: Generation) -> ImageRequest:
    """Return the request of a generation.

    Raises:
        UnexpectedReply: It has a field that this version does not know, so that it cannot be repeated faithfully.
    """
    given = dict(made.request or {})
    prompts = given.pop("text_prompts", None)
    known = {each.name for each in fields(ImageRequest)}
    if not isinstance(prompts, list) or not set(given) <= known:
        raise UnexpectedReply(
            "The generation's request has fields that this version does not know: update it."
        )
    return ImageRequest(
        prompt=[Prompt(text=each["text"], weight=each.get("weight")) for each in prompts], **given
    )


def _text(prompt: str) -> str:
    try:
        text = stdin_text().rstrip("\r\n") if prompt == "-" else word_of(prompt)
    except Unreadable as exc:
        name = "stdin" if prompt == "-" else "it"
        raise typer.BadParameter(f"{name} {exc}.", param_hint="PROMPT") from exc
    # The service would draw something, and it would be paid for: most likely a variable was not set.
    if not text.strip():
        raise typer.BadParameter("it is empty.", param_hint="PROMPT")
    return text


def _seed(text: str | None, first: int) -> int:
    if text is None:
        return first
    try:
        number = int(text)
    except ValueError as exc:
        raise typer.BadParameter("must be a number, or like +1 and -1.", param_hint="--seed") from exc
    seed = first + number if text.strip()[0] in "+-" else number
    if not 0 <= seed <= MAX_SEED:
        raise typer.BadParameter(f"would be {seed}, which is not from 0 to {MAX_SEED}.", param_hint="--seed")
    return seed


def _make(request: ImageRequest, result: Result, how: Making, service: Service) -> None:
    if not how.asynchronous and (how.webhook_url or not how.wait):
        raise typer.BadParameter("--no-wait and --webhook-url need --async.")
    making.check_output(result.output, count=how.count, force=result.force)
    key = how.idempotency_key or new_key()
    orders = [
        Order(
            request=_numbered(request, number), key=making.nth_key(key, number), asynchronous=how.asynchronous
        )
        for number in range(how.count)
    ]
    client = making.connected(service, retries=replace(making.PATIENT, total_time=how.timeout))
    begun = (
        "The picture may still be made and paid for: `imagegen history` shows it. "
        f"To get it with the same command, add `--idempotency-key {key}`."
    )
    try:
        with every_end_as_interrupt():
            codes = anyio.run(_all, client, orders, result, how, service)
    except KeyboardInterrupt:
        say(f"Interrupted. {begun}")
        raise typer.Exit(INTERRUPTED) from None
    except Exception:
        say(f"The command has a defect, which is shown below. {begun}")
        raise
    raise typer.Exit(next((code for code in codes if code), 0))


def _numbered(request: ImageRequest, number: int) -> ImageRequest:
    """Give each further picture the next seed, if there is one; the service chooses a seed for each otherwise."""
    if not request.seed:
        return request
    return replace(request, seed=(request.seed + number) % (MAX_SEED + 1))


async def _all(
    client: AsyncClient, orders: list[Order], result: Result, how: Making, service: Service
) -> list[int]:
    codes = [0] * len(orders)
    screen = Screen()

    async def one(number: int) -> None:
        try:
            await _one(client, orders[number], number, result, how, screen=screen, as_json=service.json)
        except ImagegenError as error:
            codes[number] = report(_of_the_command(error, orders[0].key), as_json=service.json)
        except StdoutClosed:
            codes[number] = STDOUT_CLOSED

    async with client:
        with _spinner(screen, len(orders)):
            async with anyio.create_task_group() as group:
                for number in range(len(orders)):
                    group.start_soon(one, number)
    return codes


def _of_the_command(error: ImagegenError, key: str) -> ImagegenError:
    """Name the key of the command: with that of a further picture, the others would be paid for again."""
    return error if error.idempotency_key is None else error.about(idempotency_key=key)


async def _one(
    client: AsyncClient,
    order: Order,
    number: int,
    result: Result,
    how: Making,
    *,
    screen: Screen,
    as_json: bool,
) -> None:
    made = await making.make(client, order, wait=how.wait)
    if not made.ended:  # a job that nobody waits for
        screen.write(json.dumps(made.raw) if as_json else made.id)
        return
    content = await client.image(made)
    if result.output == "-":
        try:
            write_bytes(content)
        except OSError as error:
            raise making.unsaved(made, error, to="stdout") from error
        except StdoutClosed:
            say(f"The picture is made and kept: `imagegen save {made.id} -o FILE` gets it.")
            raise
    else:
        path = making.file_for(made, output=result.output, number=number, count=how.count)
        making.save(content, path, made, force=result.force)
        screen.write(json.dumps(making.with_file(made, path)) if as_json else str(path))
    if not as_json:
        screen.say(making.described(made))


def _spinner(screen: Screen, count: int) -> AbstractContextManager[Any]:
    if not screen.moves:
        return nullcontext()
    return screen.console.status("making the picture…" if count == 1 else f"making {count} pictures…")
