"""`imagegen batch`: a picture for each line of a file, which can be interrupted and goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio
import anyio.to_thread
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imagegen_client.asynchronous import AsyncClient
from imagegen_client.command_line import batch_input, making
from imagegen_client.command_line.app import command
from imagegen_client.command_line.batch_input import Format, Item
from imagegen_client.command_line.batch_state import Done, Planned, State, distinct
from imagegen_client.command_line.making import Order
from imagegen_client.command_line.options import Picture, Service
from imagegen_client.command_line.reporting import (
    INTERRUPTED,
    Screen,
    StdoutClosed,
    dollars,
    problem,
    say,
    say_json,
    sentence,
    who_of,
    write_json,
)
from imagegen_client.errors import (
    DownloadFailed,
    Forbidden,
    Gone,
    ImagegenError,
    InvalidConfiguration,
    OperatorError,
    QuotaExceeded,
    Unauthorized,
    Unreachable,
)
from imagegen_client.files import write_atomically
from imagegen_client.image_request import FIELDS, ImageRequest
from imagegen_client.repeating import Retries
from imagegen_client.replies import Generation

BOUNDS: Final = Retries(tries=20, total_time=1800.0)
"""For one picture: a caller's limit of a minute may hold many lines back."""

ENDS_ALL: Final = (
    *(Forbidden, InvalidConfiguration, OperatorError, QuotaExceeded, Unauthorized, Unreachable),
    DownloadFailed,
)
"""Failures that every further line would share; a picture that cannot be downloaded is paid for all the same."""


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
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Where the pictures go. Default: the file's name without its ending.",
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, max=64, help="How many pictures are made at once.")
    ] = 4,
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="What a line is: text (a prompt) or jsonl (an object); auto goes by the file's name and first line.",
        ),
    ] = "auto",
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="NUMBER", help="The seed of every line that names none.")
    ] = None,
    asynchronous: Annotated[
        bool, typer.Option("--async", help="Ask for jobs, which can wait when the model is busy.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", min=1, help="How long to try and to wait for each picture."
        ),
    ] = BOUNDS.total_time,
    pay_again: Annotated[
        bool,
        typer.Option("--pay-again", help="Make lines again that failed after they may have been paid for."),
    ] = False,
) -> None:
    """Make a picture for each line of a file. Blank lines are skipped.

    If it is interrupted, run the same command again: it goes on where it was, and pays for nothing twice. A hidden file
    in the output folder says what is done. One folder is one batch: a line that it already has is not made again.
    """
    items = batch_input.items(batch_input.read(file), source=file, kind=kind)
    items = [replace(item, request=_with_options(item, picture, seed)) for item in items]
    url, _ = making.configured(service).checked()
    client = making.connected(service, retries=replace(BOUNDS, total_time=timeout))
    folder = _folder(output, file)
    state = State.open(folder, url=url)
    run = Run(
        client=client,
        state=state,
        folder=folder,
        planned=state.plan(items),
        as_json=service.json,
        asynchronous=asynchronous,
        pay_again=pay_again,
    )
    try:
        anyio.run(run.all, concurrency)
    except KeyboardInterrupt:
        say(
            f"Interrupted. {run.summary()} Run the same command again: it goes on, and pays for nothing twice."
        )
        raise typer.Exit(INTERRUPTED) from None
    except OSError:
        say(f"{run.summary()} Run the same command again when there is room: it pays for nothing twice.")
        raise
    if service.json:
        write_json(run.totals())
    else:
        say(run.summary())
    raise typer.Exit(run.exit_code)


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
        raise typer.BadParameter(f"{folder} cannot be made: {exc.strerror}.", param_hint="-o") from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"the folder {folder} cannot be written to.", param_hint="-o")
    return folder


class Run:
    """One run of a batch: what it does with each picture, and what it counts."""

    def __init__(
        self,
        *,
        client: AsyncClient,
        state: State,
        folder: Path,
        planned: list[Planned],
        as_json: bool,
        asynchronous: bool,
        pay_again: bool,
    ) -> None:
        self._client = client
        self._state = state
        self._folder = folder
        self._planned = planned
        self._as_json = as_json
        self._asynchronous = asynchronous
        self._pay_again = pay_again
        self._screen = Screen()
        self._progress = _progress(self._screen)
        self._stopped = False
        self._cause: Exception | None = None
        self._there = sum(1 for each in planned if each.done)
        self._made = 0
        self._failed = 0
        self._cost_now = 0.0
        self.exit_code = 0

    async def all(self, concurrency: int) -> None:
        """Make what is not there, so many pictures at once."""
        todo = iter([each for each in self._planned if each.done is None])
        async with self._client:
            with self._showing():
                async with anyio.create_task_group() as group:
                    for _ in range(concurrency):
                        group.start_soon(self._work, todo)
        if self._cause is not None:
            raise self._cause

    def summary(self) -> str:
        """Say in a sentence or two how far the batch is, and what it cost."""
        totals = self.totals()
        failed = f", {self._failed} failed" if self._failed else ""
        return (
            f"{totals['done']} of {totals['pictures']} pictures are in {self._folder}: {self._made} made now, "
            f"{self._there} before{failed}. The batch has cost {dollars(totals['cost_usd'])}, "
            f"of which {dollars(totals['cost_usd_now'])} in this run."
        )

    def totals(self) -> dict[str, int | float]:
        """Return the counts and costs of the batch."""
        return {
            "pictures": len(self._planned),
            "done": self._there + self._made,
            "made_now": self._made,
            "failed": self._failed,
            "cost_usd": round(self._state.cost_usd, 6),
            "cost_usd_now": round(self._cost_now, 6),
        }

    async def _work(self, todo: Iterable[Planned]) -> None:
        for planned in todo:
            if self._stopped:
                return
            try:
                await self._one_or_its_failure(planned)
            except (OSError, StdoutClosed) as error:
                # Pictures that are being made are let end, because they are paid for.
                self._stopped = True
                self._cause = self._cause or error
                return
            self._progress.advance(self._progress.task_ids[0])

    async def _one_or_its_failure(self, planned: Planned) -> None:
        try:
            await self._one(planned)
        except ImagegenError as error:
            await self._fail(planned, error)

    async def _one(self, planned: Planned) -> None:
        try:
            made = await self._ask(planned)
        except ImagegenError as error:
            if not (self._pay_again and _is_lost(error)):
                raise
            await self._count(planned, error)
            planned = self._state.renewed(planned)
            made = await self._ask(planned)
        content = await self._client.image(made)
        file = await anyio.to_thread.run_sync(partial(self._place, planned, content))
        self._state.add(Done(key=planned.key, file=str(file), id=made.id, cost_usd=made.cost_usd or 0.0))
        self._made += 1
        self._cost_now += 0.0 if made.replayed else made.cost_usd or 0.0
        if self._as_json:
            self._screen.write(
                json.dumps({"line": planned.item.line, **making.with_file(made, self._folder / file)})
            )
        else:
            self._screen.write(str(self._folder / file))

    async def _ask(self, planned: Planned) -> Generation:
        order = Order(request=planned.item.request, key=planned.key, asynchronous=self._asynchronous)
        return await making.make(self._client, order)

    def _place(self, planned: Planned, content: bytes) -> Path:
        """Write a picture, and return its file within the folder; a file of somebody else's is left alone."""
        file = Path(planned.file)
        path = self._folder / file
        if path.exists() and planned.key not in self._state.done:
            if path.is_file() and path.read_bytes() == content:  # a run that died had put it there
                return file
            file = distinct(file, planned.key)
            path = self._folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_atomically(path, content)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        return file

    async def _fail(self, planned: Planned, error: ImagegenError) -> None:
        self._failed += 1
        self._stopped = self._stopped or isinstance(error, ENDS_ALL)
        self.exit_code = self.exit_code or who_of(error)[1]
        if self._as_json:
            say_json({"line": planned.item.line, **problem(error)})
        else:
            self._screen.say(f"Line {planned.item.line}: {sentence(error, in_batch=True)}")
        await self._count(planned, error)

    async def _count(self, planned: Planned, error: ImagegenError) -> None:
        """Count what a failure may have cost, which only its generation says."""
        if error.charged == "no" or error.generation_id is None:
            return
        try:
            found = await self._client.get(error.generation_id)
        except ImagegenError:
            return
        # A repeat within this run also brings a failure as an earlier one, so only the state tells which run paid.
        self._cost_now += self._state.lose(planned, found.cost_usd or 0.0)

    def _showing(self) -> AbstractContextManager[Progress]:
        self._progress.add_task("pictures", total=len(self._planned), completed=self._there)
        return self._progress


def _is_lost(error: ImagegenError) -> bool:
    """Whether the same key will never bring a picture, and another one may be paid for once more."""
    return isinstance(error, Gone) or (error.charged != "no" and error.replayed)


def _progress(screen: Screen) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=screen.console, disable=not screen.moves, transient=True)
