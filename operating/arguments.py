"""The arguments of `python -m operating`: each may also be given as a variable, which is how `make` passes it on."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from operating import limits
from tools.failures import LocalError

if TYPE_CHECKING:
    # argparse names the type of what `add_subparsers` returns in private only.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the parser of the command line; `environ` has what is not given there."""
    made = argparse.ArgumentParser(
        prog="python -m operating",
        description="A stage in your account: its stack and its API keys.",
        epilog="What is not given is taken from the variables STAGE, NAME, DAYS, KEY, GRACE, DAILY_IMAGES, "
        "DAILY_USD, IMAGES_PER_MINUTE, MODEL, MINUTES, JSON and PROVE, in which `make` passes on what it was given.",
    )
    # Not `_add`: a stage that was left empty by mistake must not count as dev.
    made.add_argument(
        "--stage", default=environ.get("STAGE", "dev"), help="the deployed stage, or local (dev)"
    )
    commands = made.add_subparsers(dest="command", required=True)
    commands.add_parser("synth", help="write the templates (variable CONFIG)")
    commands.add_parser("diff", help="show what a deployment would change (variable CONFIG)")
    commands.add_parser(
        "bootstrap-policy", help="write what CloudFormation may do to deploy what `synth` has written"
    )
    commands.add_parser("deploy", help="deploy the stack (variables CONFIG, APPROVE)")
    commands.add_parser(
        "destroy", help="delete the stack, and its data unless retain_data (variables CONFIG, APPROVE)"
    )
    commands.add_parser("drift", help="fail if somebody has changed the deployed stacks by hand")
    # The key is read from its variable alone: other users of the machine can read the arguments of a process.
    tried = commands.add_parser("smoke", help="try the deployed service (variable API_KEY)")
    _add(tried, environ, "--prove", words="1 to make one image as well, which is paid")
    examine = commands.add_parser(
        "doctor",
        help="look whether the stage can be deployed and works (variables CONFIG, API_KEY, JSON, PROVE)",
    )
    examine.add_argument("--json", action="store_true", help="write one JSON object instead of lines")
    examine.add_argument("--prove", action="store_true", help="also make one image, which is paid")
    commands.add_parser("stop", help="stop all spending at once, without a deployment")
    commands.add_parser("start", help="start again what was stopped")
    _add_drill(commands, environ)
    _add_keys(commands, environ)
    return made


def whole_number(name: str, text: str, *, low: int, high: int) -> int | None:
    """Return the number that a variable has, or None if it is empty.

    Raises:
        LocalError: it is no whole number, or out of its range.
    """
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise LocalError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
    return int(text)


def _add_drill(commands: Commands, environ: Mapping[str, str]) -> None:
    rehearse = commands.add_parser(
        "drill",
        help="treat a model as retired for some minutes, and show what callers get (variable APPROVE)",
    )
    _add(rehearse, environ, "--model", words="the id of a model that the stage lists")
    _add(
        rehearse,
        environ,
        "--minutes",
        words="after how many minutes it ends by itself at the latest (10)",
        default="10",
    )


def _add_keys(commands: Commands, environ: Mapping[str, str]) -> None:
    create = commands.add_parser("key", help="make a key and print it, once")
    _add(create, environ, "--name", words="whose key it is")
    _add(create, environ, "--days", words="after how many days it expires; without, it never does")
    _add_limits(create, environ, words=limits.NO_LIMIT)
    commands.add_parser("keys", help="list the keys")
    limit = commands.add_parser("limit", help="change limits of a key")
    _add(limit, environ, "--key", words="its id, from the list")
    _add_limits(limit, environ, words=f"{limits.NO_LIMIT} or {limits.OF_THE_STAGE}")
    revoke = commands.add_parser("revoke", help="refuse a key from now on")
    _add(revoke, environ, "--key", words="its id, from the list")
    rotate = commands.add_parser("rotate", help="give a key a new secret and print it, once")
    _add(rotate, environ, "--key", words="its id, from the list")
    _add(rotate, environ, "--grace", words="for how many hours the old one is accepted (24)", default="24")


def _add(
    command: argparse.ArgumentParser,
    environ: Mapping[str, str],
    option: str,
    *,
    words: str,
    default: str = "",
) -> None:
    variable = option.removeprefix("--").replace("-", "_").upper()
    command.add_argument(option, default=environ.get(variable) or default, help=words)


def _add_limits(command: argparse.ArgumentParser, environ: Mapping[str, str], *, words: str) -> None:
    for name, variable in limits.VARIABLES.items():
        option = f"--{name.lower().replace('_', '-')}"
        _add(command, environ, option, words=f"{variable.setting} of this key: a number, or {words}")
