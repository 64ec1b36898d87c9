"""What the service replies, as frozen objects. Members that this version does not know are kept in `raw` only."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal, TypeVar, cast
from urllib.parse import urlsplit

from imagegen_client.errors import ImagegenError, UnexpectedReply

T = TypeVar("T")

Status = Literal["queued", "running", "succeeded", "failed"]
ENDED: Final = frozenset({"succeeded", "failed"})

# An id becomes part of a file's name.
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One image: where it can be downloaded until `expires_at`, and what it must turn out to be.

    Whoever has `url` can read the image, so no representation shows it.
    `width` and `height` are pixels of the image itself, `size` is its length in bytes, and `sha256` is in hex.
    """

    seed: int
    finish_reason: str
    url: str = field(repr=False)
    expires_at: datetime
    content_type: str
    width: int
    height: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One image that was asked for, in the state that the service last told.

    Attributes:
        cost_usd: What may have been paid for it, in US dollars; None in the reply to an asynchronous request.
        model: The model that drew the image; None until it is done.
        ignored_parameters: The fields that had no effect on this model.
        artifacts: One image, or none until it is done.
        request: The fields of the request with every default; None in a reply that only brings the image.
        error: Why it failed; None if it did not.
        replayed: Whether an earlier call made it, so that this one cost nothing. If a reply of this call was lost, it
            may have paid for the image itself, and this is false.
        raw: The whole JSON object of the reply.
    """

    id: str
    status: Status
    created_at: datetime
    cost_usd: float | None = None
    model: str | None = None
    ignored_parameters: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    request: Mapping[str, Any] | None = field(default=None, repr=False)
    error: ImagegenError | None = field(default=None, compare=False)
    replayed: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether it has succeeded or failed."""
        return self.status in ENDED

    @property
    def image(self) -> Artifact | None:
        """The image, once it is done."""
        return self.artifacts[0] if self.artifacts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """One page of the history, newest first; `next_cursor` is None on the last one.

    `images` counts the generations of this page that succeeded, and `cost_usd` sums their costs.
    """

    generations: tuple[Generation, ...]
    images: int
    cost_usd: float
    next_cursor: str | None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for one image of up to `max_steps` steps."""

    max_steps: int
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One enabled model. `lifecycle` is `active`, `legacy` or `end_of_life`; the dates may be unknown."""

    id: str
    name: str
    default: bool
    lifecycle: str
    legacy_at: date | None
    end_of_life_at: date | None
    successor: str | None
    region: str
    price_per_image: float
    prices: tuple[Price, ...]
    honours: tuple[str, ...]
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDay:
    """What was counted on one day (UTC)."""

    date: date
    images: int
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the caller used, today first. In `limits`, None is no limit.

    `images_left` and `usd_left` hold until midnight UTC; None is no limit.
    """

    days: tuple[UsageDay, ...]
    limits: Mapping[str, float | None]
    images_left: int | None
    usd_left: float | None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def generation(
    data: object, *, replayed: bool = False, error: Callable[[Mapping[str, Any]], ImagegenError]
) -> Generation:
    """Read a generation; `error` makes an exception of the problem that a failed one carries.

    Raises:
        UnexpectedReply: A member is missing or of another type; so do all functions below.
    """
    members = _object(data)
    status = _text(members, "status")
    if status not in {"queued", "running", *ENDED}:
        raise _unexpected("status")
    problem = members.get("error")
    return Generation(
        id=_id(members),
        status=cast("Status", status),
        created_at=_moment(members, "created_at"),
        cost_usd=_optional(members, "cost_usd", _number),
        model=_optional(members, "model", _text),
        ignored_parameters=_texts(members, "ignored_parameters", missing=()),
        artifacts=tuple(_artifact(_object(each)) for each in _list(members, "artifacts", missing=())),
        request=_request(_object(members["request"])) if "request" in members else None,
        error=error(_object(problem)) if problem is not None else None,
        replayed=replayed,
        raw=members,
    )


def history_page(data: object, *, error: Callable[[Mapping[str, Any]], ImagegenError]) -> HistoryPage:
    """Read one page of the history."""
    members = _object(data)
    totals = _object(members.get("totals"))
    return HistoryPage(
        generations=tuple(generation(each, error=error) for each in _list(members, "generations")),
        images=_integer(totals, "images"),
        cost_usd=_number(totals, "cost_usd"),
        next_cursor=_optional(members, "next_cursor", _text),
        raw=members,
    )


def models(data: object) -> tuple[Model, ...]:
    """Read the list of enabled models."""
    return tuple(_model(_object(each)) for each in _list(_object(data), "models"))


def usage(data: object) -> Usage:
    """Read what the caller used."""
    members = _object(data)
    limits = _object(members.get("limits"))
    remaining = _object(members.get("remaining"))
    return Usage(
        days=tuple(_day(_object(each)) for each in _list(members, "days")),
        limits={name: _optional(limits, name, _number) for name in limits},
        images_left=_optional(remaining, "images", _integer),
        usd_left=_optional(remaining, "usd", _number),
        raw=members,
    )


def _request(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check what makes another image like this one; the rest is passed on as it is."""
    for each in _list(members, "text_prompts", missing=()):
        prompt = _object(each)
        _text(prompt, "text")
        _optional(prompt, "weight", _number)
    _optional(members, "seed", _integer)
    return members


def _artifact(members: Mapping[str, Any]) -> Artifact:
    return Artifact(
        seed=_integer(members, "seed"),
        finish_reason=_text(members, "finishReason"),
        url=_url(members),
        expires_at=_moment(members, "expires_at"),
        content_type=_text(members, "content_type"),
        width=_integer(members, "width"),
        height=_integer(members, "height"),
        size=_integer(members, "bytes"),
        sha256=_text(members, "sha256"),
    )


def _model(members: Mapping[str, Any]) -> Model:
    lifecycle = _object(members.get("lifecycle"))
    return Model(
        id=_text(members, "id"),
        name=_text(members, "name"),
        default=members.get("default") is True,
        lifecycle=_text(lifecycle, "status"),
        legacy_at=_optional(lifecycle, "legacy_at", _date),
        end_of_life_at=_optional(lifecycle, "end_of_life_at", _date),
        successor=_optional(lifecycle, "successor", _text),
        region=_text(members, "region"),
        price_per_image=_number(members, "price_per_image"),
        prices=tuple(_price(_object(each)) for each in _list(members, "prices")),
        honours=_texts(members, "honours"),
        raw=members,
    )


def _price(members: Mapping[str, Any]) -> Price:
    return Price(max_steps=_integer(members, "max_steps"), usd=_number(members, "usd"))


def _day(members: Mapping[str, Any]) -> UsageDay:
    return UsageDay(
        date=_date(members, "date"), images=_integer(members, "images"), usd=_number(members, "usd")
    )


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnexpectedReply("The reply has something else where an object should be.")
    return value


def _list(members: Mapping[str, Any], name: str, missing: Sequence[Any] | None = None) -> Sequence[Any]:
    value = members.get(name, missing)
    if not isinstance(value, list | tuple):
        raise _unexpected(name)
    return value


def _texts(members: Mapping[str, Any], name: str, missing: Sequence[Any] | None = None) -> tuple[str, ...]:
    values = _list(members, name, missing)
    if not all(isinstance(each, str) for each in values):
        raise _unexpected(name)
    return tuple(values)


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise _unexpected(name)
    return value


def _id(members: Mapping[str, Any]) -> str:
    value = _text(members, "id")
    if not _ID.fullmatch(value):
        raise _unexpected("id")
    return value


def _url(members: Mapping[str, Any]) -> str:
    """Return a URL of the web; a browser would also open a file of this machine."""
    value = _text(members, "url")
    try:
        parts = urlsplit(value)
    except ValueError as exc:
        raise _unexpected("url") from exc
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _unexpected("url")
    return value


def _integer(members: Mapping[str, Any], name: str) -> int:
    value = members.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unexpected(name)
    return value


def _number(members: Mapping[str, Any], name: str) -> float:
    value = members.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not _is_finite(value):
        raise _unexpected(name)
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _moment(members: Mapping[str, Any], name: str) -> datetime:
    try:
        return datetime.fromisoformat(_text(members, name))
    except ValueError as exc:
        raise _unexpected(name) from exc


def _date(members: Mapping[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(_text(members, name))
    except ValueError as exc:
        raise _unexpected(name) from exc


def _optional(members: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any], str], T]) -> T | None:
    return None if members.get(name) is None else read(members, name)


def _unexpected(name: str) -> UnexpectedReply:
    return UnexpectedReply(f"The reply's member {name} is missing or of another type.")
