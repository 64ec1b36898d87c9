"""What the command line says: results on stdout, everything else on stderr, and an exit code by who can act."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console, RenderableType

from imagegen_client import errors
from imagegen_client.errors import CallerError, ImagegenError, OperatorError, ServiceError, WaitError

DONE: Final = 0
CALLER: Final = 2
WAIT: Final = 3
OPERATOR: Final = 4
SERVICE: Final = 5
INTERRUPTED: Final = 130
STDOUT_CLOSED: Final = 141

WHO: Final[Mapping[type[ImagegenError], tuple[str, int]]] = {
    CallerError: ("caller", CALLER),
    WaitError: ("time", WAIT),
    OperatorError: ("operator", OPERATOR),
    ServiceError: ("service", SERVICE),
}

WIDE: Final = 200
"""Columns of a table where there is no terminal, so that nothing is cut off."""

_PAID: Final = {
    "no": "Nothing was paid.",
    "yes": "The request was paid for.",
    "maybe": "Nobody can know whether the request was paid for.",
}

_ADVICE: Final[Mapping[str, str]] = {
    "unauthorized": "`imagegen config` shows which key is used; the operator hands keys out.",
    "unknown_model": "`imagegen models` lists the models.",
    "not_found": "`imagegen history` lists your generations.",
    "gone": "Make it again with its seed: `imagegen again ID`.",
    "content_filtered": "Change the prompt.",
    "idempotency_conflict": "Leave --idempotency-key out, or send the first request unchanged.",
    "quota_exceeded": "`imagegen usage` shows your limits.",
    "unreachable": "Check the network, and the URL that `imagegen config` shows.",
    "misconfigured": "Tell the operator.",
    "model_retired": "Choose another --model (`imagegen models`), or tell the operator.",
    "internal_error": "If it stays, tell the operator.",
}


class StdoutClosed(Exception):
    """Whoever reads the results has stopped reading."""


def stderr() -> Console:
    """Return the console for everything but results."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Write a line to stderr; if nobody can read it, that is no failure."""
    try:
        stderr().print(shown(text))
    except (OSError, ValueError):
        return


def write(text: str) -> None:
    """Write a line to stdout."""
    write_bytes(f"{text}\n".encode(errors="backslashreplace"))


def write_json(value: object) -> None:
    """Write a line of JSON to stdout."""
    write(json.dumps(value, ensure_ascii=False))


class Screen:
    """Where a command writes while something moves on the last line of the terminal."""

    def __init__(self) -> None:
        self.console = stderr()

    @property
    def moves(self) -> bool:
        """Whether there is a terminal on which something can move."""
        return self.console.is_terminal

    def say(self, text: str) -> None:
        """Write a line to stderr, above what moves."""
        try:
            self.console.print(shown(text))
        except (OSError, ValueError):
            return

    def write(self, text: str) -> None:
        """Write a line to stdout. If stdout is the terminal as well, the line goes above what moves."""
        if self.moves and stdout_is_terminal():
            self.say(text)
        else:
            write(text)


def stdout_is_terminal() -> bool:
    """Whether people see at once what is written to stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def write_table(table: RenderableType) -> None:
    """Write a table to stdout, as wide as it needs to be where there is no terminal."""
    console = Console(
        highlight=False, markup=False, emoji=False, width=None if stdout_is_terminal() else WIDE
    )
    with console.capture() as captured:
        console.print(table)
    write("\n".join(line.rstrip() for line in captured.get().rstrip("\n").splitlines()))


def write_bytes(content: bytes) -> None:
    """Write bytes to stdout at once.

    Raises:
        StdoutClosed: Nobody reads them.
        OSError: They cannot be written, for instance on a full disk.
    """
    # Python sets it to None if the shell closed it.
    if sys.stdout is None:
        raise StdoutClosed
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError as exc:
        discard_stdout()
        raise StdoutClosed from exc
    except OSError:
        discard_stdout()
        raise


def discard_stdout() -> None:
    """Let the interpreter's last flush go nowhere, so that it does not complain about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def who_of(error: ImagegenError) -> tuple[str, int]:
    """Return who can do something about an error, and its exit code."""
    return next(facts for family, facts in WHO.items() if isinstance(error, family))


class UsageMistake(CallerError):
    """The command line itself cannot be understood; nothing was sent."""

    code = "usage"


class FileFailure(CallerError):
    """A file or stdout cannot be written; `generation_id` names a picture that is made and kept."""

    code = "file"


def report(error: ImagegenError, *, as_json: bool) -> int:
    """Write an error to stderr, and return its exit code."""
    if as_json:
        say_json(problem(error))
    else:
        say(sentence(error))
    return who_of(error)[1]


def say_json(value: object) -> None:
    """Write a line of JSON to stderr."""
    try:
        sys.stderr.write(json.dumps(value, ensure_ascii=True) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


def problem(error: ImagegenError) -> dict[str, Any]:
    """Return an error as JSON members: those of docs/errors.md, and who can do something about it.

    A picture that is still being made may be paid for, although the request that says so was not.
    """
    who, code = who_of(error)
    fields = [{"field": each.field, "message": each.message} for each in error.fields]
    return {
        "code": error.code,
        "detail": error.detail,
        "who": who,
        "exit_code": code,
        **error.facts(),
        **({"charged": "maybe"} if isinstance(error, errors.InProgress) else {}),
        **({"errors": fields} if fields else {}),
    }


def sentence(error: ImagegenError, *, in_batch: bool = False) -> str:
    """Say what happened, whether it was paid for, and what to do; a batch knows its keys itself."""
    if isinstance(error, UsageMistake | FileFailure):
        kept = f" The picture is made and kept: `imagegen save {error.generation_id} -o FILE` gets it."
        return error.detail + (kept if error.generation_id else "")
    parts = [
        error.detail.rstrip(),
        *(f"{each.field} {each.message}." for each in error.fields if each.message not in error.detail),
        _paid(error, in_batch=in_batch),
        _what_to_do(error, in_batch=in_batch),
    ]
    if isinstance(error, OperatorError | ServiceError) and error.request_id:
        parts.append(f"Request id: {error.request_id}.")
    return " ".join(part for part in parts if part)


def _paid(error: ImagegenError, *, in_batch: bool) -> str:
    if isinstance(error, errors.DownloadFailed | errors.DamagedImage) and error.generation_id:
        how = "the same command, or " if in_batch else ""
        return f"It is paid for: {how}`imagegen save {error.generation_id}` gets it at no cost."
    if isinstance(error, errors.InProgress):
        return "It is not done, and may be paid for."
    return _PAID[error.charged]


def _what_to_do(error: ImagegenError, *, in_batch: bool) -> str:
    advice = _ADVICE.get(error.code, "").replace("again ID", f"again {error.generation_id or 'ID'}")
    if isinstance(error, CallerError | errors.DownloadFailed | errors.DamagedImage):
        return advice
    if error.charged != "no" and (error.replayed or isinstance(error, errors.BadModelResponse)):
        how = "--pay-again makes it again" if in_batch else "Another key makes another picture"
        return f"The same key brings this failure again. {how}, which may be paid for as well."
    being_made = isinstance(error, errors.InProgress)
    if error.generation_id and (error.charged != "no" or being_made):
        save = f"`imagegen save {error.generation_id}`"
        return (
            f"{save} waits for it, and gets it at no further cost."
            if being_made
            else f"It may still turn up: {save}."
        )
    if error.idempotency_key and (error.charged != "no" or being_made):
        how = "run the same command again" if in_batch else f"add `--idempotency-key {error.idempotency_key}`"
        return f"To ask again without paying twice, {how}."
    if error.retry_after is not None:
        return f"Try again in {_duration(error.retry_after)}. {advice}".strip()
    return advice or ("Try again later." if error.retryable else "")


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds)} seconds"


def shown(text: str) -> str:
    """Return a text without characters that could move the cursor or change the terminal."""
    return "".join(each if each == "\n" or unicodedata.category(each)[0] != "C" else " " for each in text)


def dollars(amount: float | None) -> str:
    """Return an amount as people write it; the cheapest image costs cents."""
    return "" if amount is None else f"${amount:.2f}" if round(amount, 2) == amount else f"${amount:.4f}"
