"""The client without input and output: which requests to send, what the replies mean, when to send one again.

Each call is a generator. It yields a `Send` or a `Pause`, is given the `Outcome` of what it sent, and returns the
result. `Client` and `AsyncClient` carry the steps out; neither knows anything else of the protocol
(docs/decisions/0091-a-client-that-does-no-io.md).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from imagegen_client import replies
from imagegen_client.errors import (
    ConnectionLost,
    DamagedImage,
    DownloadFailed,
    FieldError,
    Gone,
    ImagegenError,
    InProgress,
    InvalidConfiguration,
    InvalidParameter,
    NotFound,
    PayloadTooLarge,
    ServiceError,
    UnexpectedReply,
    WaitError,
)
from imagegen_client.failures import Outcome, Reply, failure_of, problem_error
from imagegen_client.image_request import ImageRequest
from imagegen_client.repeating import Retries, paid_here
from imagegen_client.replies import Generation, HistoryPage, Model, Usage
from imagegen_client.version import __version__

T = TypeVar("T")

KEY_HEADER: Final = "Idempotency-Key"
ACCEPTED: Final = 202

# Not `\w`, which also takes letters of other alphabets.
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_API_KEY: Final = re.compile(r"[\x21-\x7e]+")
_OUTDATED: Final = frozenset({400, 401, 403, 404})
"""What S3 says of a presigned URL that has expired, and of an object that has."""

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: without the right to list the bucket, S3 says 403
# also of an object that is not there (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
_MISSING: Final = frozenset({403, 404})
_MISSING_CODE: Final = re.compile(rb"<Code>(?:AccessDenied|NoSuchKey)</Code>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send this request, wait at most `timeout` seconds for the reply, and do not follow redirects."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    timeout: float = 60.0

    @property
    def free_to_repeat(self) -> bool:
        """Whether a repeat cannot be paid a second time."""
        return self.method != "POST" or KEY_HEADER in self.headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Do nothing for so many seconds."""

    seconds: float


Steps = Generator[Send | Pause, Outcome | None, T]
"""A call of the client, step by step."""


@dataclass(frozen=True, kw_only=True)
class Core:
    """What every call needs to know; `now` is a clock in seconds, `chance` a random number from 0 to 1.

    Raises:
        InvalidConfiguration: The base URL or the API key cannot be used.
    """

    base_url: str
    api_key: str = field(repr=False)
    retries: Retries
    now: Callable[[], float]
    chance: Callable[[], float]

    def __post_init__(self) -> None:
        check_url(self.base_url)
        check_api_key(self.api_key)

    def generate(
        self, request: ImageRequest, *, idempotency_key: str, asynchronous: bool = False, wait: bool = True
    ) -> Steps[Generation]:
        """Ask for an image, and wait for it unless the request is asynchronous and `wait` is false."""
        if not _KEY.fullmatch(idempotency_key):
            allowed = "must have 16 to 64 characters from A-Z, a-z, 0-9, _ and -"
            raise InvalidParameter(
                f"{KEY_HEADER} {allowed}.", fields=(FieldError(field=KEY_HEADER, message=allowed),)
            )
        ends_at = self.now() + self.retries.total_time
        headers = {KEY_HEADER: idempotency_key, "Content-Type": "application/json"}
        if asynchronous:
            headers["Prefer"] = "respond-async"
        content = _content(request)
        failures: list[ImagegenError] = []
        reply = yield from self._exchange(
            "POST", "/text-to-image", headers=headers, content=content, ends_at=ends_at, failures=failures
        )
        made = _made(reply, idempotency_key)
        made = replace(made, replayed=made.replayed and not paid_here(failures))
        if made.error is not None:
            raise _of(made, idempotency_key)
        if not wait or (made.ended and reply.status != ACCEPTED):
            return made
        yield Pause(seconds=min(reply.retry_after or 1.0, max(0.0, ends_at - self.now())))
        found = yield from self.wait(made.id, ends_at=ends_at, idempotency_key=idempotency_key)
        return replace(found, replayed=made.replayed)

    def wait(
        self, id_: str, *, ends_at: float | None = None, idempotency_key: str | None = None
    ) -> Steps[Generation]:
        """Look a generation up until it has ended, and return it.

        Raises:
            InProgress: It has not ended within the total time, or this call asked for it and cannot look it up.
            ImagegenError: It failed; this is its error.
        """
        ends_at = self.now() + self.retries.total_time if ends_at is None else ends_at
        pause = self.retries.first_pause
        while True:
            try:
                found = yield from self.get(id_, ends_at=ends_at)
            except (WaitError, ServiceError) as error:
                if idempotency_key is None:
                    raise
                # The job was accepted, so a failure to look it up says nothing of what it costs.
                raise InProgress(
                    f"Whether the image is done could not be asked. {error.detail}",
                    generation_id=id_,
                    idempotency_key=idempotency_key,
                ) from error
            if found.error is not None:
                raise _of(found, idempotency_key)
            if found.ended:
                return found
            if self.now() + pause >= ends_at:
                raise InProgress(
                    "The image is still being made.", generation_id=id_, idempotency_key=idempotency_key
                )
            yield Pause(seconds=pause)
            pause = min(self.retries.longest_pause / 3, pause * 1.5)

    def get(self, id_: str, *, ends_at: float | None = None) -> Steps[Generation]:
        """Look one generation up. A failed one is returned, with its `error`."""
        return _generation((yield from self._exchange("GET", _path(id_), ends_at=ends_at)))

    def history_page(self, *, limit: int | None = None, cursor: str | None = None) -> Steps[HistoryPage]:
        """Return one page of the caller's generations, newest first."""
        query = {"limit": limit, "cursor": cursor}
        given = urlencode({name: value for name, value in query.items() if value is not None})
        reply = yield from self._exchange("GET", f"/generations?{given}" if given else "/generations")
        page = replies.history_page(reply.json(), error=problem_error)
        if cursor is not None and page.next_cursor == cursor:  # whoever follows the cursors would never end
            raise UnexpectedReply("The next page of the history is the same page.", status=reply.status)
        return page

    def delete(self, id_: str) -> Steps[None]:
        """Remove a generation. If a lost attempt had removed it already, that is no error."""
        failures: list[ImagegenError] = []
        try:
            yield from self._exchange("DELETE", _path(id_), failures=failures)
        except NotFound:
            if not any(isinstance(one, ConnectionLost) or (one.status or 0) >= 500 for one in failures):  # noqa: PLR2004
                raise

    def models(self) -> Steps[tuple[Model, ...]]:
        """Return the enabled models, in the order in which a request without `model` tries them."""
        return replies.models((yield from self._exchange("GET", "/models")).json())

    def usage(self, *, days: int | None = None) -> Steps[Usage]:
        """Return what the caller used, and what is left."""
        path = "/usage" if days is None else f"/usage?days={days}"
        return replies.usage((yield from self._exchange("GET", path)).json())

    def image(self, wanted: Generation | str) -> Steps[bytes]:
        """Download an image, look its generation up again if the URL has expired, and check its SHA-256.

        Every error carries `generation_id`.

        Raises:
            InProgress: It is not done.
            Gone: It has been removed.
            DownloadFailed: It is made, but its bytes did not come.
            DamagedImage: What came are not the bytes that the service stored.
        """
        found = (yield from self._looked_up(wanted)) if isinstance(wanted, str) else wanted
        if found.image is None:
            found = yield from self._looked_up(found.id)
        reply = yield from self._download(found)
        if reply.status in _OUTDATED:
            try:
                found = yield from self._looked_up(found.id)
            except (Gone, NotFound):
                raise
            except ImagegenError as error:
                raise _not_fetched(found, error) from error
            reply = yield from self._download(found)
        failure = failure_of(reply)
        if reply.status in _MISSING and _MISSING_CODE.search(reply.content):
            removed = "The image has been removed."
            raise Gone(removed, status=reply.status, generation_id=found.id) from failure
        if failure is not None:
            raise _not_fetched(found, failure) from failure
        _check(reply.content, found)
        return reply.content

    def _looked_up(self, id_: str) -> Steps[Generation]:
        """Look a generation up; every error names it."""
        try:
            return (yield from self.get(id_))
        except ImagegenError as error:
            raise error.about(generation_id=id_) from error

    def _download(self, found: Generation) -> Steps[Reply]:
        """Fetch a presigned URL; without the API key, which is not the bucket's business."""
        send = Send(method="GET", url=_url(found), timeout=self.retries.reply_time)
        accept = frozenset(range(400, 500))
        try:
            return (yield from self._repeated(send, ends_at=None, failures=[], accept=accept))
        except ImagegenError as error:
            raise _not_fetched(found, error) from error

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        ends_at: float | None = None,
        failures: list[ImagegenError] | None = None,
    ) -> Steps[Reply]:
        own = {
            "x-api-key": self.api_key,
            "Accept": "application/json",
            "User-Agent": f"imagegen-client/{__version__}",
        }
        send = Send(
            method=method,
            url=self.base_url.rstrip("/") + path,
            headers={**own, **(headers or {})},
            content=content,
            timeout=self.retries.reply_time,
        )
        return (
            yield from self._repeated(send, ends_at=ends_at, failures=[] if failures is None else failures)
        )

    def _repeated(
        self,
        send: Send,
        *,
        ends_at: float | None,
        failures: list[ImagegenError],
        accept: frozenset[int] = frozenset(),
    ) -> Steps[Reply]:
        """Send a request until it succeeds or must not be repeated; `failures` gathers what was repeated."""
        ends_at = self.now() + self.retries.total_time if ends_at is None else ends_at
        attempt = 1
        while True:
            outcome = yield send
            if outcome is None:
                raise TypeError("A Send has to be given its outcome.")
            error = failure_of(outcome, idempotency_key=send.headers.get(KEY_HEADER))
            if isinstance(outcome, Reply) and (error is None or outcome.status in accept):
                return outcome
            if error is None:
                raise TypeError("No reply is always an error.")
            pause = self.retries.pause(
                error,
                attempt=attempt,
                left=ends_at - self.now(),
                free=send.free_to_repeat,
                chance=self.chance(),
            )
            if pause is None:
                raise error
            failures.append(error)
            yield Pause(seconds=pause)
            # Asking whether a running image is done is waiting, which only the total time bounds.
            attempt += 0 if isinstance(error, InProgress) else 1


def _content(request: ImageRequest) -> bytes:
    """Return a request as JSON.

    Raises:
        InvalidParameter: A value cannot be written as JSON, so nothing is sent.
    """
    try:
        return json.dumps(request.body(), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidParameter(
            "The request has a value that JSON cannot express: a number that is not finite, bytes that are not text, "
            "or something that is no data."
        ) from exc


def check_api_key(api_key: str) -> None:
    """Make sure that a text can be sent as an API key.

    Raises:
        InvalidConfiguration: It cannot.
    """
    if not _API_KEY.fullmatch(api_key):
        raise InvalidConfiguration("The API key is empty, or has characters that no API key has.")


def check_url(url: str) -> None:
    """Make sure that a base URL can be used.

    Raises:
        InvalidConfiguration: It cannot; the sentence says why.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise InvalidConfiguration("The base URL is not a URL.") from exc
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\x00-\x20\x7f]", url):
        raise InvalidConfiguration(
            "The base URL must be like https://API_ID.execute-api.REGION.amazonaws.com/v1."
        )
    # Not `parts.username` and so on, which do not tell an empty one from none.
    if "?" in url or "#" in url or "@" in parts.netloc:
        raise InvalidConfiguration("The base URL must have no user name, query or fragment.")


def _generation(reply: Reply, idempotency_key: str | None = None) -> Generation:
    def error(problem: Mapping[str, Any]) -> ImagegenError:
        return problem_error(problem, idempotency_key=idempotency_key)

    return replies.generation(reply.json(), replayed=reply.replayed, error=error)


def _made(reply: Reply, idempotency_key: str) -> Generation:
    """Return the generation that a request has brought.

    Raises:
        UnexpectedReply: The reply says that it was a success, and cannot be read. So the image may be there.
    """
    try:
        return _generation(reply, idempotency_key)
    except UnexpectedReply as error:
        # See docs/decisions/0093-an-unreadable-success-may-be-paid.md.
        raise error.about(
            status=reply.status,
            request_id=reply.headers.get("x-request-id"),
            charged="maybe",
            idempotency_key=idempotency_key,
        ) from error


def _of(failed: Generation, idempotency_key: str | None) -> ImagegenError:
    """Return the error of a failed generation, with its id and the key that asked for it."""
    problem = dict(failed.raw["error"])
    located = Reply(status=200, headers={"location": failed.id}, content=b"")
    return problem_error(problem, reply=located, idempotency_key=idempotency_key)


def _path(id_: str) -> str:
    # A word of the command line that is not UTF-8 has surrogates; no generation has such an id.
    return f"/generations/{quote(id_, safe='', errors='surrogatepass')}"


def _url(found: Generation) -> str:
    if found.image is not None:
        return found.image.url
    if found.error is not None:
        raise found.error.about(generation_id=found.id)
    raise InProgress("The image is still being made.", generation_id=found.id)


def _not_fetched(found: Generation, cause: ImagegenError) -> DownloadFailed:
    """Return the error of an image that is there, while its bytes did not come."""
    # The sentence of a foreign reply is about the base URL, which is another host's.
    foreign = isinstance(cause, UnexpectedReply | PayloadTooLarge)
    why = f"The server replied with the status {cause.status}." if foreign else cause.detail
    host = urlsplit(_url(found)).hostname
    return DownloadFailed(
        f"The image is made and kept, but could not be downloaded from {host}. {why}",
        status=cause.status,
        request_id=cause.request_id,
        retry_after=cause.retry_after,
        generation_id=found.id,
    )


def _check(content: bytes, found: Generation) -> None:
    if found.image is None:
        raise UnexpectedReply("The generation has no image.")
    if hashlib.sha256(content).hexdigest() != found.image.sha256:
        raise DamagedImage(
            "The downloaded image is not the one that the service stored. Download it again.",
            generation_id=found.id,
        )
