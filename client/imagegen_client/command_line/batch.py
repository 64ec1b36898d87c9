"""`imagegen batch`: a picture for each line of a file, which can be interrupted and goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import anyio
import typer

from imagegen_client.command_line import batch_input, making
from imagegen_client.command_line.app import command
from imagegen_client.command_line.batch_input import Format, Item
from imagegen_client.command_line.batch_run import Run
from imagegen_client.command_line.batch_state import State
from imagegen_client.command_line.interrupting import every_end_as_interrupt
from imagegen_client.command_line.options import Picture, Service
from imagegen_client.command_line.reporting import INTERRUPTED, say, write_json
from imagegen_client.image_request import FIELDS, ImageRequest
from imagegen_client.repeating import Retries

BOUNDS: Final = Retries(tries=20, total_time=1800.0)
"""For one picture: a caller's limit of a minute may hold many lines back."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """How the lines are read and made, and where the pictures go."""

    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Where the pictures go. Default: the file's name without its ending.",
        ),
    ] = None
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, max=64, help="How many pictures are made at once.")
    ] = 4
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="What a line is: text (a prompt) or jsonl (an object); auto goes by the file's name and first line.",
        ),
    ] = "auto"
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="NUMBER", help="The seed of every line that names none.")
    ] = None
    asynchronous: Annotated[
        bool, typer.Option("--async", help="Ask for jobs, which can wait when the model is busy.")
    ] = False
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", min=1, help="How long to try and to wait for each picture."
        ),
    ] = BOUNDS.total_time
    pay_again: Annotated[
        bool,
        typer.Option("--pay-again", help="Make lines again that failed after they may have been paid for."),
    ] = False


@command(
    "imagegen batch prompts.txt",
    "imagegen batch prompts.jsonl -o pictures --concurrency 8 --style photographic",
    "seq 1 20 | sed 's/^/a tea plantation, number /' | imagegen batch - -o tea",
    'A line of prompts.jsonl: {"prompt": "a tea plantation", "negative": "people", "seed": 7, "output": "tea.png"}',
)
def batch(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The lines; - reads them from stdin.")],
    picture: Picture,
    service: Service,
    course: Course,
) -> None:
    """Make a picture for each line of a file. Blank lines are skipped.

    If it is interrupted, run the same command again: it goes on where it was, and pays for nothing twice. A hidden file
    in the output folder says what is done. One folder is one batch: a line that it already has is not made again.
    """
    items = _items(file, course, picture)
    run = _prepared(items, file, course, service)
    _carry_out(run, course.concurrency)
    if service.json:
        write_json(run.totals())
    else:
        say(run.summary())
    raise typer.Exit(run.exit_code)


def _items(file: str, course: Course, picture: Picture) -> list[Item]:
    """Read every line, so that one that cannot be used is noticed before anything is asked for."""
    items = batch_input.items(batch_input.read(file), source=file, kind=course.kind)
    return [replace(item, request=_with_options(item, picture, course.seed)) for item in items]


def _with_options(item: Item, picture: Picture, seed: int | None) -> ImageRequest:
    """Return a line's request, in which the options fill what the line leaves open."""
    own = {name: value for name in FIELDS if (value := getattr(item.request, name)) is not None}
    defaults = picture.changed(ImageRequest(prompt=item.request.prompts(), seed=seed))
    return replace(defaults, **own)


def _folder(output: str | None, file: str) -> Path:
    folder = Path(output or ("imagegen-batch" if file == "-" else Path(file).stem))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise typer.BadParameter(
            f"the folder {folder} cannot be made: {exc.strerror}. Name another one.", param_hint="-o"
        ) from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"the folder {folder} cannot be written to.", param_hint="-o")
    return folder


def _prepared(items: list[Item], file: str, course: Course, service: Service) -> Run:
    """Make the folder once it is known which service is meant, and plan what is not there."""
    url, _ = making.configured(service).checked()
    client = making.connected(service, retries=replace(BOUNDS, total_time=course.timeout))
    folder = _folder(course.output, file)
    state = State.open(folder, url=url)
    return Run(
        client=client,
        state=state,
        folder=folder,
        planned=state.plan(items),
        as_json=service.json,
        asynchronous=course.asynchronous,
        pay_again=course.pay_again,
    )


def _carry_out(run: Run, concurrency: int) -> None:
    """Make the pictures; if that ends early, say how far it came and how to go on."""
    try:
        with every_end_as_interrupt():
            anyio.run(run.all, concurrency)
    except KeyboardInterrupt:
        say(
            f"Interrupted. {run.summary()} Run the same command again: it goes on, and pays for nothing twice."
        )
        raise typer.Exit(INTERRUPTED) from None
    except OSError:
        say(f"{run.summary()} Run the same command again when there is room: it pays for nothing twice.")
        raise
