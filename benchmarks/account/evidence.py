"""Everything that the figures of a stage are computed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.account import lines
from benchmarks.account.lines import Image, Invocation, Request
from benchmarks.account.logs import Logs, Span
from benchmarks.account.places import FunctionName, Places
from benchmarks.account.sizes import MOST_RECORDS, UNKNOWN, Records
from tools.failures import LocalError

Read = TypeVar("Read")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a stage has logged in a span, by function where functions differ."""

    span: Span
    invocations: Mapping[FunctionName, Sequence[Invocation]]
    images: Mapping[FunctionName, Sequence[Image]] = field(default_factory=dict)
    charged: Mapping[str, float] = field(default_factory=dict)
    """Micro-dollars, by generation."""
    requests: Sequence[Request] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def all_images(self) -> Sequence[Image]:
        """The images of every function, the oldest first."""
        return in_order(self.images)

    def size(self, image: Image) -> str:
        """Return the size of an image."""
        return self.sizes.get(image.generation, UNKNOWN)


def in_order(images: Mapping[FunctionName, Sequence[Image]]) -> Sequence[Image]:
    """Return the images of every function, the oldest first."""
    return sorted((image for each in images.values() for image in each), key=lambda image: image.logged_at)


def gather(places: Places, *, logs: Logs, records: Records) -> Evidence:
    """Read everything. The sizes alone may be missing; then a note says so.

    Raises:
        LocalError: a log group cannot be read.
    """
    making = {name: group for name, group in places.functions.items() if name != "authorizer"}
    images: dict[FunctionName, Sequence[Image]] = {
        name: _read(logs.lines(group, containing=lines.IMAGE), lines.image) for name, group in making.items()
    }
    charged: dict[str, float] = {}
    for group in making.values():
        for charge in _read(logs.lines(group, containing=lines.CHARGE), lines.charge):
            charged[charge.generation] = charged.get(charge.generation, 0) + charge.micro_usd
    sizes, notes = _sizes(in_order(images), records=records)
    return Evidence(
        span=logs.span,
        invocations={
            name: _read(logs.lines(group, containing=lines.REPORT), lines.invocation)
            for name, group in places.functions.items()
        },
        images=images,
        charged=charged,
        requests=_read(logs.lines(places.gateway), lines.request),
        sizes=sizes,
        notes=notes,
    )


def _sizes(images: Sequence[Image], *, records: Records) -> tuple[Mapping[str, str], Sequence[str]]:
    ids = list(dict.fromkeys(image.generation for image in images))
    notes = []
    if len(ids) > MOST_RECORDS:
        notes.append(f"The sizes are known of {MOST_RECORDS:,} of {len(ids):,} images only.")
    try:
        return records.sizes(ids[-MOST_RECORDS:]), notes
    except LocalError as error:
        return {}, [*notes, f"The sizes are unknown. {error}"]


def _read(texts: Sequence[str], parse: Callable[[str], Read | None]) -> Sequence[Read]:
    return [found for text in texts if (found := parse(text)) is not None]
