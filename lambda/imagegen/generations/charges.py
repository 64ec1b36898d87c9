"""What counts against a limit: images, micro-dollars and unfinished jobs of one day, and when a limit refuses more.

A unit is taken before a record is claimed, for the dearest model that may serve. Every later version of the record
says what it still counts for (`Generation.counted`). Whoever writes the version also corrects the counters by the
difference, once (`ledger.py`). A counter is never below what may have been paid:

    take the dearest ── claim ── call ── end, and what it costs ── correct the counters by the difference

A unit is lost, until midnight UTC, only if a process dies between two of these steps, or if the table does not confirm
one of them: at most one image and its reservation for each such accident. None is taken too few, except on a day on
which the deployment gets its first limit, or is upgraded from a release without bills (`docs/data.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from imagegen.errors import ImagegenError, QuotaExceeded, RateLimited

MICRO: Final = 1_000_000
"""Micro-dollars in a dollar. Money is counted in whole ones, so that no sum is rounded."""

JOBS_AGAIN_AFTER: Final = 30
"""In seconds: when a caller with too many unfinished jobs may ask again."""

OwnLimits = Mapping[str, float | None]
"""The limits of one API key, by the name of the setting that each overrides; dollars are not micro-dollars here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An amount of everything that is counted in a day."""

    images: int = 0
    micro_usd: int = 0
    jobs: int = 0
    calls: int = field(default=1, compare=False)
    """How many calls of a model the money is for; it is not counted, and only sentences tell it."""

    def __sub__(self, other: Charge) -> Charge:
        return Charge(
            images=self.images - other.images,
            micro_usd=self.micro_usd - other.micro_usd,
            jobs=self.jobs - other.jobs,
        )

    def __add__(self, other: Charge) -> Charge:
        return self - (NOTHING - other)

    def __bool__(self) -> bool:
        return self != NOTHING

    @property
    def noun(self) -> str:
        """What the money is for, in a word."""
        return "image" if self.calls == 1 else "job"

    @property
    def at_most(self) -> str:
        """The money in words, such as `$0.04` or `$0.08 for up to 2 calls of a model`."""
        cost = dollars(self.micro_usd)
        return cost if self.calls == 1 else f"{cost} for up to {self.calls} calls of a model"


NOTHING: Final = Charge()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most of each amount in a day; None is no limit, and 0 refuses everything."""

    images: int | None = None
    micro_usd: int | None = None
    jobs: int | None = None

    @property
    def stops(self) -> bool:
        """Whether it refuses everything."""
        return self.images == 0 or self.micro_usd == 0

    @property
    def limits(self) -> bool:
        """Whether it limits anything."""
        return self != Ceiling()

    def used(self, counted: Charge) -> float:
        """Return which part of the day's images or money is counted, whichever is more: 1 is all, 0 without a limit."""
        pairs = ((counted.images, self.images), (counted.micro_usd, self.micro_usd))
        return max((amount / limit for amount, limit in pairs if limit), default=0.0)

    def refusal(self, charge: Charge, *, counted: Charge, whose: str, now: datetime) -> ImagegenError | None:
        """Return why one more charge does not fit on top of what is counted, or None if it fits."""
        until_midnight = seconds_to_midnight(now)
        never = self._never_fits(charge, whose)
        if never is not None:
            return QuotaExceeded(f"{never} Only the operator can raise it.", retry_after=until_midnight)
        if self.images is not None and counted.images + charge.images > self.images:
            return QuotaExceeded(
                f"The {whose}'s images of today are used up. New ones are available from midnight UTC.",
                retry_after=until_midnight,
            )
        if self.micro_usd is not None and counted.micro_usd + charge.micro_usd > self.micro_usd:
            left = dollars(max(0, self.micro_usd - counted.micro_usd))
            return QuotaExceeded(
                f"The {whose}'s budget of {dollars(self.micro_usd)} a day has {left} left, and one more "
                f"{charge.noun} may cost {charge.at_most}. A new budget is available from midnight UTC.",
                retry_after=until_midnight,
            )
        if charge.jobs and self.jobs is not None and counted.jobs + charge.jobs > self.jobs:
            return RateLimited(
                f"The {whose} has {counted.jobs} unfinished jobs of today, as many as it may have. "
                "Wait until some of them have ended.",
                retry_after=JOBS_AGAIN_AFTER,
            )
        return None

    def _never_fits(self, charge: Charge, whose: str) -> str | None:
        """Return why a charge does not even fit on an empty counter; waiting would not help."""
        if self.images is not None and charge.images > self.images:
            return f"The {whose}'s limit of images a day is {self.images}."
        if self.micro_usd is not None and charge.micro_usd > self.micro_usd:
            return (
                f"The {whose}'s budget of {dollars(self.micro_usd)} a day is below the price of one {charge.noun}, "
                f"which may be {charge.at_most}."
            )
        if self.jobs is not None and charge.jobs > self.jobs:
            return (
                f"The {whose}'s limit of unfinished jobs is {self.jobs}, so no request may be asynchronous."
            )
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLimits:
    """The limits of a deployment, as one caller meets them; None is no limit, 0 refuses."""

    daily_images_per_caller: int | None = None
    daily_micro_usd_per_caller: int | None = None
    images_per_minute_per_caller: int | None = None
    queued_jobs_per_caller: int | None = None
    daily_images: int | None = None
    daily_micro_usd: int | None = None

    def overridden(self, own: OwnLimits) -> QuotaLimits:
        """Return the limits for the holder of an API key that has limits of its own."""
        images = own.get("daily_images_per_caller", self.daily_images_per_caller)
        minute = own.get("images_per_minute_per_caller", self.images_per_minute_per_caller)
        usd = self.daily_micro_usd_per_caller
        if "daily_usd_per_caller" in own:
            usd = micro_usd(own["daily_usd_per_caller"])
        return QuotaLimits(
            daily_images_per_caller=None if images is None else int(images),
            daily_micro_usd_per_caller=usd,
            images_per_minute_per_caller=None if minute is None else int(minute),
            queued_jobs_per_caller=self.queued_jobs_per_caller,
            daily_images=self.daily_images,
            daily_micro_usd=self.daily_micro_usd,
        )

    @property
    def caller(self) -> Ceiling:
        """The ceiling of the caller's own counter."""
        return Ceiling(
            images=self.daily_images_per_caller,
            micro_usd=self.daily_micro_usd_per_caller,
            jobs=self.queued_jobs_per_caller,
        )

    @property
    def deployment(self) -> Ceiling:
        """The ceiling of the counter that all callers share."""
        return Ceiling(images=self.daily_images, micro_usd=self.daily_micro_usd)

    def minute_refusal(self, counted: int, *, now: datetime) -> ImagegenError | None:
        """Return why one more image does not fit into this minute (UTC), or None if it fits."""
        limit = self.images_per_minute_per_caller
        if limit is None or counted < limit:
            return None
        if not limit:
            return QuotaExceeded(
                "The caller's limit of images a minute is 0. Only the operator can raise it.",
                retry_after=seconds_to_midnight(now),
            )
        return RateLimited(
            f"The caller's limit of {limit} images a minute is used up. Wait for the next minute.",
            retry_after=60 - now.second,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What a caller may still spend today: images, and micro-dollars; None is no limit."""

    images: int | None
    micro_usd: int | None

    @classmethod
    def of(cls, limits: QuotaLimits, *, caller: Charge, deployment: Charge) -> Remaining:
        """Return what the limits leave, of the caller and of the deployment, whichever is less."""
        pairs = ((limits.caller, caller), (limits.deployment, deployment))
        images = _least([(ceiling.images, counted.images) for ceiling, counted in pairs])
        return cls(
            # Who may make none in a minute may make none in a day.
            images=0 if limits.images_per_minute_per_caller == 0 else images,
            micro_usd=_least([(ceiling.micro_usd, counted.micro_usd) for ceiling, counted in pairs]),
        )


def micro_usd(usd: float | None) -> int | None:
    """Return dollars, of at most six decimals, as whole micro-dollars."""
    return None if usd is None else round(usd * MICRO)


def dollars(micro: int) -> str:
    """Return micro-dollars as people write dollars, with as many decimals as they need and at least two."""
    whole, part = divmod(micro, MICRO)
    return f"${whole}.{f'{part:06d}'.rstrip('0').ljust(2, '0')}"


def seconds_to_midnight(now: datetime) -> int:
    """Return the seconds until the next day (UTC), rounded up."""
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight - now).total_seconds()) + 1


def _least(limits: list[tuple[int | None, int]]) -> int | None:
    # A limit that was lowered during the day may have been passed already.
    rests = [max(0, limit - counted) for limit, counted in limits if limit is not None]
    return min(rests, default=None)
