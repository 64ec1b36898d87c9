"""`AsyncClient`: the same as `Client`, for programs that run on asyncio or Trio."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import anyio
import anyio.to_thread
import httpx

from imagegen_client.client import id_of, new_key, request_of
from imagegen_client.core import Core, Pause, Send, Steps
from imagegen_client.failures import Outcome
from imagegen_client.files import write_atomically
from imagegen_client.image_request import ImageRequest
from imagegen_client.repeating import Retries
from imagegen_client.replies import Generation, HistoryPage, Model, Usage
from imagegen_client.transport import FAILURES, no_reply, reply_of, timeouts, usable_environment

T = TypeVar("T")


class AsyncClient:
    """One caller of one service; each method means what it means in `Client`. Tasks may share it.

    Use it as an asynchronous context manager, or call `close`.

        async with AsyncClient("https://…/v1", api_key) as client:
            made = await client.generate("a tea plantation")
            await client.download(made, "tea.png")
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._core = Core(
            base_url=base_url,
            api_key=api_key,
            retries=retries or Retries(),
            now=anyio.current_time,
            chance=random.random,
        )
        # A task waits for its turn elsewhere: here it would only use up its time.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        with usable_environment():
            self._http = httpx.AsyncClient(transport=transport, follow_redirects=False, limits=limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def generate(
        self,
        request: ImageRequest | str,
        *,
        idempotency_key: str | None = None,
        asynchronous: bool = False,
        wait: bool = True,
    ) -> Generation:
        """Make an image, and return its generation once it is done (`Client.generate`)."""
        return await self._run(
            self._core.generate(
                request_of(request),
                idempotency_key=new_key() if idempotency_key is None else idempotency_key,
                asynchronous=asynchronous,
                wait=wait,
            )
        )

    async def wait(self, generation: Generation | str) -> Generation:
        """Wait until a generation has ended; raise its error if it failed."""
        return await self._run(self._core.wait(id_of(generation)))

    async def get(self, generation: Generation | str) -> Generation:
        """Look a generation up. A failed one is returned, with its `error`."""
        return await self._run(self._core.get(id_of(generation)))

    async def history(self, *, page_size: int | None = None) -> AsyncIterator[Generation]:
        """Yield every generation of the caller, newest first; pages of 1 to 100 are fetched as they are needed."""
        cursor: str | None = None
        while True:
            page = await self.history_page(limit=page_size, cursor=cursor)
            for each in page.generations:
                yield each
            cursor = page.next_cursor
            if cursor is None:
                return

    async def history_page(self, *, limit: int | None = None, cursor: str | None = None) -> HistoryPage:
        """Return one page of the history, of 1 to 100 generations."""
        return await self._run(self._core.history_page(limit=limit, cursor=cursor))

    async def delete(self, generation: Generation | str) -> None:
        """Remove an image and its record."""
        await self._run(self._core.delete(id_of(generation)))

    async def models(self) -> tuple[Model, ...]:
        """Return the enabled models, in the order in which they are tried."""
        return await self._run(self._core.models())

    async def usage(self, *, days: int | None = None) -> Usage:
        """Return what the caller used on the last 1 to 31 days, and what is left."""
        return await self._run(self._core.usage(days=days))

    async def image(self, generation: Generation | str) -> bytes:
        """Return the bytes of an image, after a check of their SHA-256."""
        return await self._run(self._core.image(generation))

    async def download(self, generation: Generation | str, path: str | Path) -> Path:
        """Write an image to a file in one step, after a check of its SHA-256.

        Raises:
            OSError: The file cannot be written.
        """
        content = await self.image(generation)
        # A slow disk must not hold the other tasks up.
        await anyio.to_thread.run_sync(partial(write_atomically, Path(path), content))
        return Path(path)

    async def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = await self._do(step)

    async def _do(self, step: Send | Pause) -> Outcome | None:
        if isinstance(step, Pause):
            await anyio.sleep(step.seconds)
            return None
        try:
            return reply_of(
                await self._http.request(
                    step.method,
                    step.url,
                    headers=dict(step.headers),
                    content=step.content,
                    timeout=timeouts(step),
                )
            )
        except FAILURES as error:
            return no_reply(error)
