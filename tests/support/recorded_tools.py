"""Other people's tools as recorded data (`tests/data/tools`): what each sends, what it reads, what it is refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "data" / "tools"
REASON_PHRASE: Final = "reason"
"""In place of the path of the error: the tool shows the words beside the status, and no body."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a tool looks for images in a reply: a path such as `data[*].url`, and the form of what is there."""

    path: str
    form: str


@dataclass(frozen=True, kw_only=True)
class ToolRequest:
    """One request for images, and what the tool then has.

    Attributes:
        places: Where it looks for the images.
        pictures: How many images are made and paid.
        shown: How many images the tool shows.
        size: Width and height of each.
    """

    name: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    query: Mapping[str, str]
    places: Sequence[Place]
    pictures: int
    shown: int
    size: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Look:
    """One request without a body, such as for the list of models, and the path of what the tool reads."""

    name: str
    path: str
    reads: str


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One request that the tool can send and that the service refuses."""

    name: str
    path: str
    body: Mapping[str, Any]
    status: int
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool, as its source was read; `tests/data/tools/README.md` says what each member of its file means."""

    id: str
    name: str
    version: str
    base: str
    path: str
    headers: Mapping[str, str]
    takes_all: bool
    reads_error: str
    download_headers: Mapping[str, str]
    suffix: str
    requests: Sequence[ToolRequest]
    looks: Sequence[Look]
    refusals: Sequence[Refusal]

    def url(self, api_url: str, path: str) -> str:
        """Return where it sends a request, if the service's base URL is `api_url`."""
        return self.base.format(base=api_url, origin=api_url.removesuffix("/v1")) + path

    def headers_with(self, key: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the headers of a request with this API key."""
        return {name: value.format(key=key) for name, value in {**self.headers, **(more or {})}.items()}


def tools() -> list[Tool]:
    """Return every recorded tool."""
    return [_tool(path) for path in sorted(FOLDER.glob("*.json"))]


def filled(body: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    """Return a body with a prompt in its place."""
    return {name: prompt if value == "{prompt}" else value for name, value in body.items()}


def values_at(path: str, document: Any) -> list[Any]:
    """Return what is at a path of members, `[0]` and `[*]`; an empty list if a member is missing."""
    found = [document]
    for step in re.findall(r"\w+|\*", path):
        if step == "*":
            found = [each for value in found for each in value]
        elif step.isdigit():
            found = [value[int(step)] for value in found]
        else:
            found = [value[step] for value in found if step in value]
    return found


def images_in(reply: Any, request: ToolRequest, *, takes_all: bool) -> list[tuple[str, str]]:
    """Return the form and the text of each image that a tool takes from a reply."""
    found = [[(place.form, text) for text in values_at(place.path, reply)] for place in request.places]
    there = [images for images in found if images]
    return [image for images in (there if takes_all else there[:1]) for image in images]


def decoded(text: str) -> bytes:
    """Return the bytes of an image in base64."""
    return base64.b64decode(text, validate=True)


def _tool(path: Path) -> Tool:
    told = json.loads(path.read_text(encoding="utf-8"))
    reads = told["reads"]
    return Tool(
        id=path.stem,
        name=told["tool"],
        version=told["version"],
        base=told["base"],
        path=told["path"],
        headers=told["headers"],
        takes_all=reads["take"] == "all",
        reads_error=reads["error"],
        download_headers=told["downloads"]["headers"],
        suffix=told["downloads"].get("suffix", ""),
        requests=[_request(each, reads["images"]) for each in told["requests"]],
        looks=[Look(**each) for each in told["looks"]],
        refusals=[Refusal(**each) for each in told["refused"]],
    )


def _request(told: Mapping[str, Any], images: Sequence[Mapping[str, str]]) -> ToolRequest:
    width, height = told["size"]
    return ToolRequest(
        name=told["name"],
        body=told["body"],
        headers=told.get("headers", {}),
        query=told.get("query", {}),
        places=[Place(**each) for each in told.get("images", images)],
        pictures=told["pictures"],
        shown=told.get("shown", told["pictures"]),
        size=(width, height),
    )
