"""The record as the first release had it: the members that it wrote, and its reader, which refuses any other member.

`tests/data/records/first_release.json` was written by that release, one record in each state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

RECORDS: Final[dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "records" / "first_release.json").read_text(encoding="utf-8")
)


@dataclass(kw_only=True)
class Prompt:
    """One prompt, as the first release stored it."""

    text: str
    weight: float = 1.0


@dataclass(kw_only=True)
class TextToImage:
    """The parameters of a task, as the first release stored them."""

    text_prompts: tuple[Prompt, ...]
    width: int = 1024
    height: int = 1024
    cfg_scale: float = 7.0
    clip_guidance_preset: str = "NONE"
    sampler: str | None = None
    samples: int = 1
    seed: int = 0
    steps: int = 30
    style_preset: str | None = None
    extras: dict[str, Any] | None = None


@dataclass(kw_only=True)
class GenerationRequest:
    """The generation request, as the first release stored it."""

    image: TextToImage
    model: str | None = None
    strict: bool = False
    webhook_url: str | None = None


@dataclass(kw_only=True)
class StoredImage:
    """The stored image, as the first release stored it."""

    model: str
    seed: int
    width: int
    height: int
    bytes: int
    sha256: str
    content_type: str = "image/png"


@dataclass(kw_only=True)
class Generation:
    """The generation, as the first release stored it."""

    id: str
    owner: str
    asked: str
    request: GenerationRequest
    asynchronous: bool
    created_at: str
    expires_at: str
    state: str
    stamp: str
    claim: str
    quota_day: str
    due_at: str | None = None
    paid_attempts: int = 0
    lease_until: str | None = None
    image: StoredImage | None = None
    ignored: list[str] | None = None
    failure: dict[str, Any] | None = None
    ended_at: str | None = None
    webhook: str | None = None
    webhook_tries: int = 0


def from_json(text: str) -> Generation:
    """Read a record as the first release did; a missing or unknown member raises a TypeError or KeyError."""
    members: dict[str, Any] = json.loads(text)
    request, image, failure = members.pop("request"), members.pop("image"), members.pop("failure")
    ignored = members.pop("ignored")
    parameters = dict(request["image"])
    prompts = tuple(Prompt(text=one["text"], weight=one["weight"]) for one in parameters.pop("text_prompts"))
    task = TextToImage(text_prompts=prompts, **parameters)
    if failure:
        failure = {name: failure[name] for name in ("code", "detail", "paid", "fields")}
    return Generation(
        request=GenerationRequest(**{**request, "image": task}),
        image=StoredImage(**image) if image else None,
        failure=failure,
        ignored=ignored,
        **members,
    )
