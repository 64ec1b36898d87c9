"""What a batch is asked to make: lines of text, or JSON objects, each of which becomes one request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Final, Literal

import typer

from imagegen_client.command_line.reading import Unreadable, json_of, stdin_text, text_of
from imagegen_client.image_request import FIELDS, ImageRequest, Prompt

Format = Literal["auto", "text", "jsonl"]

JSON_SUFFIXES: Final = (".jsonl", ".ndjson")
LONGEST_NAME: Final = 255
"""Bytes of one name on the usual file systems."""

MEMBERS: Final = ("prompt", "text_prompts", "negative", "output", *FIELDS)
"""What an object may have: the fields of the contract, and the command's own words for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture of a batch; `line` counts from 1, and `output` is the file that the line names."""

    line: int
    request: ImageRequest
    output: str | None = None

    def content(self) -> str:
        """Return what makes the picture, in one form for each meaning."""
        return json.dumps(self.request.body(), sort_keys=True, separators=(",", ":"))


def read(source: str) -> str:
    """Return the text of a file, or of stdin for `-`.

    Raises:
        typer.BadParameter: It cannot be read, or is not UTF-8.
    """
    try:
        return stdin_text() if source == "-" else text_of(Path(source).read_bytes())
    except Unreadable as exc:
        name = "stdin" if source == "-" else source
        raise typer.BadParameter(f"{name} {exc}.", param_hint="FILE") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "not a path"
        raise typer.BadParameter(f"{source} cannot be read: {reason}.", param_hint="FILE") from exc


def items(text: str, *, source: str, kind: Format) -> list[Item]:
    """Return one item for each line that is not blank.

    Raises:
        typer.BadParameter: A line cannot be used; nothing has been asked for yet.
    """
    # Not `splitlines`, which also splits at characters that may stand within a prompt.
    lines = [line.rstrip("\r") for line in text.split("\n")]
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    as_json = kind == "jsonl" or (kind == "auto" and _looks_like_json(source, numbered))
    return [_parsed(number, line) if as_json else _plain(number, line) for number, line in numbered]


def _looks_like_json(source: str, numbered: list[tuple[int, str]]) -> bool:
    first = numbered[0][1].lstrip() if numbered else ""
    return source.endswith(JSON_SUFFIXES) or first.startswith("{")


def _plain(number: int, line: str) -> Item:
    return Item(line=number, request=ImageRequest(prompt=line.strip()))


def _parsed(number: int, line: str) -> Item:
    try:
        members = json_of(line)
    except Unreadable as exc:
        raise _refused(number, str(exc)) from exc
    if isinstance(members, str) and members.strip():
        return _plain(number, members)
    if isinstance(members, str):
        raise _refused(number, _BLANK)
    if not isinstance(members, dict):
        raise _refused(number, "is neither a text nor an object")
    unknown = [name for name in members if name not in MEMBERS]
    if unknown:
        raise _refused(number, f"has the unknown member {unknown[0]!r}")
    request = ImageRequest(prompt=_prompts(number, members), negative=_negative(number, members))
    given = {name: members[name] for name in FIELDS if name in members}
    return Item(line=number, request=replace(request, **given), output=_output(number, members))


# The service would draw something, and it would be paid for: most likely a value is missing.
_BLANK: Final = "has a blank prompt"


def _prompts(number: int, members: Mapping[str, Any]) -> str | tuple[Prompt, ...]:
    prompt, prompts = members.get("prompt"), members.get("text_prompts")
    if isinstance(prompt, str) and not prompt.strip():
        raise _refused(number, _BLANK)
    if isinstance(prompt, str) and prompts is None:
        return prompt
    if isinstance(prompts, list) and prompt is None and all(_is_prompt(each) for each in prompts):
        return tuple(Prompt(text=each["text"], weight=each.get("weight")) for each in prompts)
    raise _refused(number, "needs either a text `prompt`, or `text_prompts` as in docs/api.md")


def _is_prompt(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("text"), str) and set(value) <= {"text", "weight"}


def _negative(number: int, members: Mapping[str, Any]) -> tuple[str, ...]:
    negative = members.get("negative", [])
    listed = [negative] if isinstance(negative, str) else negative
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise _refused(number, "has a `negative` that is neither a text nor a list of texts")
    return tuple(listed)


def _output(number: int, members: Mapping[str, Any]) -> str | None:
    output = members.get("output")
    if output is None:
        return None
    path = PurePath(output) if isinstance(output, str) and output else None
    if path is None or path.is_absolute() or ".." in path.parts or not all(map(_is_name, path.parts or [""])):
        raise _refused(number, "has an `output` that is not the name of a file within the output folder")
    return str(path)


def _is_name(part: str) -> bool:
    """Whether every usual file system takes a name; one that none takes would be noticed after the payment."""
    try:
        return 0 < len(part.encode()) <= LONGEST_NAME and "\0" not in part
    except UnicodeEncodeError:
        return False


def _refused(number: int, why: str) -> typer.BadParameter:
    return typer.BadParameter(f"line {number} {why}. Nothing was asked for yet.", param_hint="FILE")
