"""One run of a batch: makes what is not there, several pictures at once, and counts what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imagegen_client.asynchronous import AsyncClient
from imagegen_client.command_line import making
from imagegen_client.command_line.batch_state import Done, Planned, State, distinct
from imagegen_client.command_line.making import Order
from imagegen_client.command_line.reporting import (
    Screen,
    StdoutClosed,
    dollars,
    problem,
    say_json,
    sentence,
    who_of,
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
    UnexpectedReply,
    Unreachable,
)
from imagegen_client.files import write_atomically
from imagegen_client.replies import Generation

ENDS_ALL: Final = (
    *(Forbidden, InvalidConfiguration, OperatorError, QuotaExceeded, Unauthorized, Unreachable),
    DownloadFailed,
)
"""Failures that every further line would share; a picture that cannot be downloaded is paid for all the same."""


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
            self._progress.update(self._progress.task_ids[0], advance=1, refresh=True)

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
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_atomically(path, content, replace=planned.key in self._state.done)
            except FileExistsError:
                # A run that died had put it there, or another run does the same batch.
                if path.is_file() and path.read_bytes() == content:
                    return file
                file = distinct(file, planned.key)
                path = self._folder / file
                write_atomically(path, content)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        return file

    async def _fail(self, planned: Planned, error: ImagegenError) -> None:
        self._failed += 1
        self._stopped = self._stopped or _ends_all(error)
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


def _ends_all(error: ImagegenError) -> bool:
    """Whether the next line would fail in the same way; so it is with a server that is not imagegen."""
    is_stranger = isinstance(error, UnexpectedReply) and not error.retryable
    return is_stranger or isinstance(error, ENDS_ALL)


def _is_lost(error: ImagegenError) -> bool:
    """Whether the same key will never bring a picture, and another one may be paid for once more."""
    return isinstance(error, Gone) or (error.charged != "no" and error.replayed)


def _progress(screen: Screen) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=screen.console, disable=not screen.moves, transient=True)
