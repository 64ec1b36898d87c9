"""The program `imagegen`: runs a command, and turns every failure into a sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import typer

from imagegen_client.command_line import agents, batch, configuring, drawing, looking
from imagegen_client.command_line.app import ORDER, app
from imagegen_client.command_line.reporting import (
    INTERRUPTED,
    STDOUT_CLOSED,
    FileFailure,
    StdoutClosed,
    UsageMistake,
    discard_stdout,
    report,
)
from imagegen_client.errors import ImagegenError

COMMANDS = (drawing, batch, looking, configuring, agents)
"""The modules whose import gives the application its commands, in the order of the help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _exit_code(given)
        _flush()
    except ImagegenError as error:
        return report(error, as_json="--json" in given)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except StdoutClosed:
        return STDOUT_CLOSED
    except OSError as error:
        code = report(FileFailure(f"{_named(error)}{error.strerror or error}."), as_json="--json" in given)
        with suppress(OSError, StdoutClosed):
            _flush()
    return code


def _exit_code(given: list[str]) -> int:
    try:
        code = app(given, prog_name="imagegen", standalone_mode=False)
    except typer.TyperException as mistake:
        command = next((f" {each}" for each in given if each in ORDER), "")
        quotes = (
            " Put a prompt of several words in quotes." if "unexpected extra argument" in str(mistake) else ""
        )
        help_ = f"`imagegen{command} --help` shows what can be given."
        raise UsageMistake(f"{mistake.format_message().rstrip('.')}.{quotes} {help_}") from mistake
    except SystemExit as end:  # Typer ends so if its help cannot be written
        raise StdoutClosed from end
    return code if isinstance(code, int) else 0


def _flush() -> None:
    """Write what Typer has printed, while a failure can still become an exit code."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError as exc:
        discard_stdout()
        raise StdoutClosed from exc
    except OSError:
        discard_stdout()
        raise


def _named(error: OSError) -> str:
    return f"{error.filename}: " if error.filename else "The output cannot be written: "


def run() -> NoReturn:
    """Run the command line as a process."""
    sys.exit(main())
