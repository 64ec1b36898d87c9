"""`Client`: imagegen for programs with threads or without concurrency."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx

from imagegen_client.core import Core, Pause, Send, Steps
from imagegen_client.failures import Outcome
from imagegen_client.files import write_atomically
from imagegen_client.image_request import ImageRequest
from imagegen_client.repeating import Retries
from imagegen_client.replies import Generation, HistoryPage, Model, Usage
from imagegen_client.transport import FAILURES, no_reply, reply_of, timeouts, usable_environment

T = TypeVar("T")


def new_key() -> str:
    """Return a random idempotency key; no two are equal."""
    return secrets.token_hex(20)


def id_of(generation: Generation | str) -> str:
    """Return the id of a generation."""
    return generation if isinstance(generation, str) else generation.id


def request_of(request: ImageRequest | str) -> ImageRequest:
    """Return the request that a text alone means."""
    return ImageRequest(prompt=request) if isinstance(request, str) else request


class Client:
    """One caller of one service. Every method raises `ImagegenError`, and waits at most `retries.total_time` seconds.

    Use it as a context manager, or call `close`. Threads may share it.

        with Client("https://…/v1", api_key) as client:
            made = client.generate("a tea plantation")
            client.download(made, "tea.png")
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._core = Core(
            base_url=base_url,
            api_key=api_key,
            retries=retries or Retries(),
            now=time.monotonic,
            chance=random.random,
        )
        with usable_environment():
            self._http = httpx.Client(transport=transport, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def generate(
        self,
        request: ImageRequest | str,
        *,
        idempotency_key: str | None = None,
        asynchronous: bool = False,
        wait: bool = True,
    ) -> Generation:
        """Make an image, and return its generation once it is done.

        Every attempt carries the same idempotency key, so that at most one image is paid; without one, the client makes
        one for this call. Give a key of your own if the call itself may be repeated, for instance after a crash.

        Args:
            request: What to draw.
            idempotency_key: 16 to 64 characters from A-Z, a-z, 0-9, _ and -.
            asynchronous: Ask for a job, and keep no connection open while the image is made.
            wait: Whether to wait for the job; if not, the generation is returned while it is queued.
        """
        return self._run(
            self._core.generate(
                request_of(request),
                idempotency_key=new_key() if idempotency_key is None else idempotency_key,
                asynchronous=asynchronous,
                wait=wait,
            )
        )

    def wait(self, generation: Generation | str) -> Generation:
        """Wait until a generation has ended; raise its error if it failed."""
        return self._run(self._core.wait(id_of(generation)))

    def get(self, generation: Generation | str) -> Generation:
        """Look a generation up. A failed one is returned, with its `error`."""
        return self._run(self._core.get(id_of(generation)))

    def history(self, *, page_size: int | None = None) -> Iterator[Generation]:
        """Yield every generation of the caller, newest first; pages of 1 to 100 are fetched as they are needed."""
        cursor: str | None = None
        while True:
            page = self.history_page(limit=page_size, cursor=cursor)
            yield from page.generations
            cursor = page.next_cursor
            if cursor is None:
                return

    def history_page(self, *, limit: int | None = None, cursor: str | None = None) -> HistoryPage:
        """Return one page of the history, of 1 to 100 generations."""
        return self._run(self._core.history_page(limit=limit, cursor=cursor))

    def delete(self, generation: Generation | str) -> None:
        """Remove an image and its record."""
        self._run(self._core.delete(id_of(generation)))

    def models(self) -> tuple[Model, ...]:
        """Return the enabled models, in the order in which they are tried."""
        return self._run(self._core.models())

    def usage(self, *, days: int | None = None) -> Usage:
        """Return what the caller used on the last 1 to 31 days, and what is left."""
        return self._run(self._core.usage(days=days))

    def image(self, generation: Generation | str) -> bytes:
        """Return the bytes of an image, after a check of their SHA-256."""
        return self._run(self._core.image(generation))

    def download(self, generation: Generation | str, path: str | Path) -> Path:
        """Write an image to a file in one step, after a check of its SHA-256.

        Raises:
            OSError: The file cannot be written.
        """
        content = self.image(generation)
        write_atomically(Path(path), content)
        return Path(path)

    def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._do(step)

    def _do(self, step: Send | Pause) -> Outcome | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return reply_of(
                self._http.request(
                    step.method,
                    step.url,
                    headers=dict(step.headers),
                    content=step.content,
                    timeout=timeouts(step),
                )
            )
        except FAILURES as error:
            return no_reply(error)
