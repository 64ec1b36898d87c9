"""Compares what Bedrock says of the listed models' lifecycles with the dates of the registry, once a day.

An operator learns it from an alarm, months before requests fail: AWS announces the end of a model at least six months
ahead (Amazon Bedrock user guide, "Model lifecycle").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, Protocol

from imagegen.errors import ImagegenError
from imagegen.models.registry import LifecycleStatus, ModelRef

ENDS_SOON: Final = timedelta(days=60)
"""How long before its end a model is reported, although the registry knows the date."""

Reason = Literal["changed", "ends_soon", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What Bedrock says of a model: its status, and the day on which it ends, if there is one."""

    status: LifecycleStatus
    end_of_life_at: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an operator should know of a listed model; `reported` is None if Bedrock could not be asked."""

    model: str
    region: str
    reason: Reason
    registered: Reported
    reported: Reported | None = None


class Catalogue(Protocol):
    """Bedrock's list of models, in every region."""

    def lifecycle(self, model: str, *, region: str) -> Reported:
        """Return what Bedrock says of a model in a region.

        Raises:
            ImagegenError: it cannot be asked.
        """
        ...


def asked_in(refs: Sequence[ModelRef]) -> Sequence[tuple[ModelRef, str]]:
    """Return each listed model whose lifecycle is the vendor's, and the region to ask: one in which it is offered."""
    return [
        (ref, ref.region if ref.region in ref.model.regions else ref.model.regions[0])
        for ref in refs
        # The operator hosts these two, and nobody else ends them.
        if ref.host not in {"imported", "endpoint"}
    ]


def check(refs: Sequence[ModelRef], *, catalogue: Catalogue, today: date) -> Iterator[Finding]:
    """Yield what differs from the registry, what ends soon, and what cannot be read."""
    for ref, region in asked_in(refs):
        dates = ref.model.lifecycle
        registered = Reported(status=dates.status(today), end_of_life_at=dates.end_of_life_at)
        try:
            reported = catalogue.lifecycle(ref.model.id, region=region)
        except ImagegenError:
            yield Finding(model=ref.id, region=region, reason="unreadable", registered=registered)
            continue
        reason = _reason(registered, reported, today=today)
        if reason is not None:
            yield Finding(
                model=ref.id, region=region, reason=reason, registered=registered, reported=reported
            )


def _reason(registered: Reported, reported: Reported, *, today: date) -> Reason | None:
    if reported.status != registered.status:
        return "changed"
    if reported.status == "end_of_life":
        return None  # Bedrock does not list it any more, and so says no date
    if reported.end_of_life_at != registered.end_of_life_at:
        return "changed"
    ends_at = reported.end_of_life_at
    return "ends_soon" if ends_at is not None and ends_at - today <= ENDS_SOON else None
