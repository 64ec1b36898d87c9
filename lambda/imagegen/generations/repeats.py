"""Recognises a repeat of a request that came without an idempotency key, so that nothing is paid twice for it.

Clients repeat by themselves. What they repeat is found by the caller and the request's fingerprint: for each pair the
table keeps a `RecentList` of the requests that may be repeated, and with each of them a key that this service chose. A
request that is taken for a repeat gets the same key. From there on everything is as if the client had sent that key
itself (`submit.py`), except that a repeat waits for an image that is still being made. A request that is taken for a
new one gets a new key, and is written down before its image is made:

    first      write (key a) ── claim a ── call the model ──────────────── succeed ─✕ the connection is lost
    repeat            (marked)   read: a ── a is running: wait ···················· the image of a

    first      ────────────────────────────────────── write (key a): refused, b is there, by a repeat;
    repeat     (marked, it overtook the first)  read: nothing ── write (key b) ── …       b is its own: wait

    A          write (key a) ── claim a ── call …                        two at once for two pictures
    B               write (key b): refused, a is there ── a is running, too new to be given up
                                                    ── write (keys b, a) ── claim b ── call …

A write is refused if there is a list that it does not replace, and the refusal returns that list. So an unmarked
request needs no read: a refused write tells as much, and most writes are not refused.

    A          write (key a) ── claim a ── call ─✕ its client waits no longer, and repeats: a is running and given up
    X              write (keys x, a) ── refused, or delivered                                read: x, a ── wait for a

Every time is that at which the gateway received a request, not the later one at which its function had started:

    A (warm function)   arrives ── begins ── call the model ───────────────────────────────────────
    B (cold function)    arrives ─────── the function starts ─────── begins      at once with A, so two pictures

Who counts as a repeat, where `gives_up` is what both requests tell about their client, the longer of the two:

    unmarked; an earlier one failed, maybe paid           for 5 minutes: the recorded failure is the reply
    unmarked; one is running, for longer than `gives_up`  its client has lost it: the request waits for the image
    unmarked; one began so long ago and has no record     for 5 minutes: the request makes the image under its key
    unmarked; one took as long as its connection lasts,   for 5 minutes, until somebody has it: its image is the reply
              or its reply could not be made
    unmarked; anything else                               a new picture, also while an equal one is being made
    the client marks it (`x-stainless-retry-count`)       as an unmarked one; else it repeats the newest request of the
                                                          last 15 minutes, also one that was deleted

A marked one looks at the requests before the newest only if the newest cost nothing: it was refused, or is not claimed.

How long a connection lasts is a setting of the deployment (`Limits.connection`), 29 seconds by default.

What stays uncovered: a client that neither marks its repeats nor says how long it waits, and that loses its connection
sooner than that, pays again; so does a client that repeats silently (`RepeatSigns.silent`) if the image was finished
between two of its attempts. Nothing tells such a request from somebody who wants another picture. The same holds for a
request that is held up for so long before it is written down, or that its marked repeat overtakes on the way to the
gateway by more than 10 seconds, or until the repeat has ended. Of several equal requests at once, a repeat may return
the image of another one; then the number of paid images is still that of the requests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from imagegen.errors import ImagegenError
from imagegen.generations.generation import Generation, derive_id
from imagegen.generations.ledger import Ledger
from imagegen.generations.ports import (
    Clock,
    Observer,
    Randomness,
    RecentList,
    RecentRequest,
    RecentRequests,
)

SILENT_REPEAT_AFTER: Final = 0.5
"""Seconds: no client that repeats silently does so sooner. Equal requests of one that begin closer together are two."""

REPEATED_FOR: Final = timedelta(minutes=5)
"""How long after its end a request is repeated by an unmarked one."""

MARKED_FOR: Final = timedelta(minutes=15)
"""The same for a marked one. OpenAI's clients wait up to 10 minutes for a reply before they repeat."""

HANDED_OVER_FOR: Final = timedelta(seconds=60)
"""How long an image that a repeat has received is still returned to further repeats, whose connection may be lost."""

OVERTAKEN_FOR: Final = timedelta(seconds=10)
"""How much later than its own repeat a request may arrive, if the image of the repeat is not there by then."""

# The reply's way back is part of the connection as well.
_LOST_FROM: Final = 0.9
_MOST_RACES: Final = 10
_MOST_KEPT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatSigns:
    """What a request tells about itself and about earlier ones of the same client.

    `marked` says that the client calls it a repeat. `connection` is how many seconds the client waits, if it says so.
    `silent` says that the client repeats by itself without a mark, such as curl. `arrived` is when the gateway received
    it.
    """

    marked: bool = False
    connection: float = math.inf
    silent: bool = False
    arrived: datetime | None = None

    @property
    def gives_up(self) -> float:
        """Seconds after which an equal request that is still running was given up by its client."""
        return min(self.connection, SILENT_REPEAT_AFTER) if self.silent else self.connection

    def began(self, now: datetime, *, connection: float) -> datetime:
        """Return when the request came: a function that has to start first reads it seconds later."""
        # The gateway keeps no request for longer than a connection, whatever its clock says.
        earliest = now - timedelta(seconds=connection)
        return now if self.arrived is None else min(max(self.arrived, earliest), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The request whose key counts, the name of its list, and whether that is an earlier one."""

    name: str
    request: RecentRequest
    is_repeat: bool


Known = Sequence[tuple[RecentRequest, Generation | None]]
"""Earlier requests with their records, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Chooses the key of a request without one."""

    recent: RecentRequests
    ledger: Ledger
    clock: Clock
    randomness: Randomness
    observer: Observer

    def chosen(self, name: str, *, owner: str, signs: RepeatSigns, began: datetime) -> Chosen:
        """Return the request that this one repeats, or this one, written down as the newest.

        `name` stands for everything that two equal requests of one caller share. `began` is when this one came.

        Raises:
            ImagegenError: the table did not respond; nothing was paid.
        """
        signs = replace(signs, connection=min(signs.connection, self.ledger.limits.connection))
        new, met = self._new(signs, began), None
        # Most requests repeat none, so an unmarked one is written without a look: a refused write returns the list.
        seen = self.recent.get(name) if signs.marked else None
        for _ in range(_MOST_RACES):
            known = [(one, self._record(one, owner)) for one in (seen.requests if seen else ())]
            met = self._met(known, signs=signs, began=began)
            if met is not None and seen is not None:
                changed = self._listed(name, _with(seen.requests, met))
                if met in seen.requests or self._noted(changed, replacing=seen):
                    break
                seen = self.recent.get(name)
                continue
            later = (one for one, record in known if _may_be_repeated(one, record, now=began))
            listed = self._listed(name, (new, *later))
            # Only if nobody else has come in between. Otherwise that one may be this one's repeat.
            stands = self._written(listed, replacing=seen)
            if stands.version == listed.version:
                break
            seen = stands
        # If nine others were faster within one moment, this is one of many pictures that are made at once.
        return Chosen(name=name, request=met or new, is_repeat=met is not None)

    def handed_over(self, chosen: Chosen) -> None:
        """Note that a repeat has received the image; whoever asks again after a minute wants another one."""
        now = self.clock.now()
        self._change(chosen, lambda one: replace(one, handed_at=one.handed_at or now))

    def not_delivered(self, chosen: Chosen) -> None:
        """Note that the client has no image although one was made; whoever asks again gets it."""
        self._change(chosen, lambda one: replace(one, repeated=True, handed_at=None))

    def _new(self, signs: RepeatSigns, began: datetime) -> RecentRequest:
        return RecentRequest(
            key=self.randomness.token(),
            begun_at=began,
            connection=signs.connection,
            gives_up=signs.gives_up,
            by_repeat=signs.marked,
        )

    def _record(self, one: RecentRequest, owner: str) -> Generation | None:
        return self.ledger.get(derive_id(owner, one.key))

    @staticmethod
    def _met(known: Known, *, signs: RepeatSigns, began: datetime) -> RecentRequest | None:
        """Return an earlier request as this one, its repeat, leaves it; None if this one is no repeat."""
        if not known:
            return None
        newest, its_record = known[0]
        cost_something = its_record is not None and not its_record.restartable
        for one, record in known[:1] if signs.marked and cost_something else known:
            if record is not None and record.state == "deleted":
                continue
            if one.by_repeat and not signs.marked and _was_overtaken(one, record, began=began):
                # It can be so only once.
                return replace(one, by_repeat=False)
            if _was_lost(one, record, signs=signs, now=began):
                return (
                    replace(one, repeated=True) if record is not None and _was_running(record, began) else one
                )
        ended = newest.begun_at if its_record is None else its_record.ended_at or began
        return newest if signs.marked and began - ended <= MARKED_FOR else None

    def _change(self, chosen: Chosen, change: Callable[[RecentRequest], RecentRequest]) -> None:
        try:
            for _ in range(_MOST_RACES):
                seen = self.recent.get(chosen.name)
                requests = seen.requests if seen else ()
                # A request that came since may have taken it for one that nobody repeats.
                now = next((one for one in requests if one.key == chosen.request.key), chosen.request)
                changed = change(now)
                if changed in requests:
                    return
                listed = self._listed(chosen.name, _with(requests, changed))
                if self.recent.put(listed, replacing=seen).version == listed.version:
                    return
        except ImagegenError as exc:
            self.observer.warned("a repeat was not noted", error=exc)

    def _written(self, listed: RecentList, *, replacing: RecentList | None) -> RecentList:
        """Write a list if `replacing` is still current, and return what is current."""
        try:
            return self.recent.put(listed, replacing=replacing)
        except ImagegenError:
            # A table that takes no writes may still tell what this request repeats, or that the write has arrived.
            stands = self.recent.get(listed.name) if replacing is None else None
            if stands is None:
                raise
            return stands

    def _noted(self, listed: RecentList, *, replacing: RecentList) -> bool:
        """Say whether nobody else has come in between; a table that does not respond keeps no repeat from its image."""
        try:
            return self.recent.put(listed, replacing=replacing).version == listed.version
        except ImagegenError as exc:
            self.observer.warned("a repeat was not noted", error=exc)
            return True

    def _listed(self, name: str, requests: tuple[RecentRequest, ...]) -> RecentList:
        return RecentList(name=name, version=self.randomness.token(), requests=requests[:_MOST_KEPT])


def _with(requests: tuple[RecentRequest, ...], changed: RecentRequest) -> tuple[RecentRequest, ...]:
    """Return the requests with one of them changed, or with one more at the end."""
    if all(one.key != changed.key for one in requests):
        return (*requests, changed)
    return tuple(changed if one.key == changed.key else one for one in requests)


def _may_be_repeated(one: RecentRequest, record: Generation | None, *, now: datetime) -> bool:
    """Say whether a request that is no longer the newest may still be found to be lost."""
    return now - one.begun_at <= REPEATED_FOR if record is None else not record.terminal


def _was_overtaken(one: RecentRequest, record: Generation | None, *, began: datetime) -> bool:
    """Say whether this request is the one that a repeat overtook, or one made at the same time."""
    soon = began - one.begun_at <= OVERTAKEN_FOR and (record is None or not record.terminal)
    return began <= one.begun_at or soon


def _was_running(record: Generation, now: datetime) -> bool:
    """Say whether a request that came at this moment met the earlier one while its image was being made."""
    return not record.terminal or (
        record.state == "succeeded" and record.ended_at is not None and record.ended_at > now
    )


def _was_lost(one: RecentRequest, record: Generation | None, *, signs: RepeatSigns, now: datetime) -> bool:
    """Say whether the client of an earlier request cannot have its outcome, or must not repeat it."""
    # Without a record it died before its claim, or is about to claim. Either way the claim lets one of the two pay.
    begun = one.begun_at if record is None else record.created_at
    # A repeat comes from a client that is as impatient as the one before.
    given_up = (now - begun).total_seconds() >= max(one.gives_up, signs.gives_up)
    if record is None:
        return given_up and now - begun <= REPEATED_FOR
    if not record.terminal:
        return given_up
    ended = record.ended_at or now
    if now - ended > REPEATED_FOR:
        return False
    if record.state == "failed":
        return not record.restartable
    # The image may have been finished while the function of this request was starting.
    if given_up and _was_running(record, now):
        return True
    took = (ended - begun).total_seconds()
    free = one.handed_at is None or now - one.handed_at <= HANDED_OVER_FOR
    return free and (one.repeated or took >= one.connection * _LOST_FROM)
