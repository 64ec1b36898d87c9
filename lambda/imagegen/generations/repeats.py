"""Recognises a repeat of a request that came without an idempotency key, so that nothing is paid twice for it.

Clients repeat by themselves. What they repeat is found by the caller and the request's fingerprint: for each pair the
table keeps the newest `RecentRequest`, and with it a key that this service chose. A request that is taken for a repeat
gets the same key. From there on everything is as if the client had sent that key itself (`submit.py`), except that a
repeat waits for an image that is still being made. A request that is taken for a new one gets a new key, and is
written down before its image is made:

    first      read ── write (key a) ── claim a ── call the model ──────────────── succeed ─✕ the connection is lost
    repeat            (marked)   read: a ── a is running: wait ···················· the image of a

    first      read: nothing ────────────────────────── write (key a): somebody was faster, so read again: b, by a
    repeat     (marked, it overtook the first)  read: nothing ── write (key b) ── …       repeat; b is its own: wait

    A          read: nothing ── write (key a) ── claim a ── call …       two at once for two pictures
    B               read: nothing ── write (key b): a was faster ── read: a is running, too new to be given up
                                                    ── write (key b) ── claim b ── call …

Who counts as a repeat, where `gives_up` is what the first request told about its client:

    the client marks it (`x-stainless-retry-count`)       the newest request of the last 15 minutes is repeated
    unmarked; the newest one failed, maybe paid           for 5 minutes: the recorded failure is the reply
    unmarked; it is running, for longer than `gives_up`   its client has lost it: the request waits for the image
    unmarked; it began so long ago and has no record      for 5 minutes: the request makes the image under its key
    unmarked; it took as long as its connection lasts     for 5 minutes, until somebody has it: its image is the reply
    unmarked; anything else                               a new picture, also while an equal one is being made

What stays uncovered: a client that neither marks its repeats nor says how long it waits, and that loses its connection
before 29 seconds, pays again; so does a client that repeats silently (`RepeatSigns.silent`) if the image was finished
between two of its attempts. Nothing tells such a request from somebody who wants another picture. The same holds for a
request that is held up before it is written down: for 29 seconds, or for more than 10 seconds behind its marked repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from imagegen.errors import ImagegenError
from imagegen.generations.generation import Generation, derive_id
from imagegen.generations.ledger import Ledger
from imagegen.generations.ports import Clock, Observer, Randomness, RecentRequest, RecentRequests

CONNECTION: Final = 29.0
"""Seconds that API Gateway keeps a connection open: its developer guide, "Amazon API Gateway quotas"."""

SILENT_REPEAT_AFTER: Final = 0.5
"""Seconds: no client that repeats silently does so sooner. Equal requests of one that begin closer together are two."""

REPEATED_FOR: Final = timedelta(minutes=5)
"""How long after its end a request is repeated by an unmarked one."""

MARKED_FOR: Final = timedelta(minutes=15)
"""The same for a marked one. OpenAI's clients wait up to 10 minutes for a reply before they repeat."""

HANDED_OVER_FOR: Final = timedelta(seconds=60)
"""How long an image that a repeat has received is still returned to further repeats, whose connection may be lost."""

OVERTAKEN_FOR: Final = timedelta(seconds=10)
"""How much later than its own repeat a request may arrive; a function needs a few seconds to start."""

# A function's start before the request came here, and the reply's way back, are part of the connection as well.
_LOST_FROM: Final = 0.9
_MOST_RACES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatSigns:
    """What a request tells about itself and about earlier ones of the same client.

    `marked` says that the client calls it a repeat. `connection` is how long its connection lasts, in seconds. `silent`
    says that the client repeats by itself without a mark, such as curl.
    """

    marked: bool = False
    connection: float = CONNECTION
    silent: bool = False

    @property
    def gives_up(self) -> float:
        """Seconds after which an equal request that is still running was given up by its client."""
        return min(self.connection, SILENT_REPEAT_AFTER) if self.silent else self.connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The request whose key counts, and whether that is an earlier one."""

    request: RecentRequest
    is_repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Chooses the key of a request without one."""

    recent: RecentRequests
    ledger: Ledger
    clock: Clock
    randomness: Randomness
    observer: Observer

    def chosen(self, name: str, *, owner: str, signs: RepeatSigns) -> Chosen:
        """Return the request that this one repeats, or this one, written down as the newest.

        `name` stands for everything that two equal requests of one caller share.

        Raises:
            ImagegenError: the table did not respond; nothing was paid.
        """
        began = self.clock.now()
        seen = self.recent.get(name)
        for _ in range(_MOST_RACES):
            met = None if seen is None else self._met(seen, owner=owner, signs=signs)
            if seen is not None and met is not None:
                left = seen if met == seen else self._note(met, replacing=seen)
                return Chosen(request=left, is_repeat=True)
            new = self._new(name, signs, began)
            # Only if nobody else has come in between. Otherwise that one may be this one's repeat.
            stands = self.recent.put(new, replacing=seen)
            if stands.key == new.key:
                return Chosen(request=stands, is_repeat=False)
            seen = stands
        # Nine others were faster within one moment: then this is one of many pictures that are made at once.
        return Chosen(request=self._new(name, signs, began), is_repeat=False)

    def handed_over(self, repeated: RecentRequest) -> None:
        """Note that a repeat has received the image; whoever asks again after a minute wants another one."""
        if repeated.handed_at is None:
            self._note(replace(repeated, handed_at=self.clock.now()), replacing=repeated)

    def _met(self, seen: RecentRequest, *, owner: str, signs: RepeatSigns) -> RecentRequest | None:
        """Return an earlier request as this one, its repeat, leaves it; None if this one is no repeat."""
        record = self.ledger.get(derive_id(owner, seen.key))
        if record is not None and record.state == "deleted":
            return None
        now = self.clock.now()
        ended = seen.begun_at if record is None else record.ended_at or now
        if signs.marked:
            return seen if now - ended <= MARKED_FOR else None
        if seen.by_repeat:
            # The request that its own repeat overtook, or one made at the same time. It can be so only once.
            overtaken = now - seen.begun_at <= OVERTAKEN_FOR
            return replace(seen, by_repeat=False) if overtaken else None
        if now - ended > REPEATED_FOR or not _was_lost(seen, record, now=now):
            return None
        return seen if record is None or record.terminal else replace(seen, repeated=True)

    def _note(self, new: RecentRequest, *, replacing: RecentRequest) -> RecentRequest:
        new = replace(new, version=self.randomness.token())
        try:
            self.recent.put(new, replacing=replacing)
        except ImagegenError as exc:
            self.observer.warned("a repeat was not noted", error=exc)
        return new

    def _new(self, name: str, signs: RepeatSigns, began: datetime) -> RecentRequest:
        return RecentRequest(
            name=name,
            key=self.randomness.token(),
            version=self.randomness.token(),
            begun_at=began,
            connection=signs.connection,
            gives_up=signs.gives_up,
            by_repeat=signs.marked,
        )


def _was_lost(seen: RecentRequest, record: Generation | None, *, now: datetime) -> bool:
    """Say whether the client of an earlier request cannot have its outcome, or must not repeat it."""
    # Without a record it died before its claim, or is about to claim. Either way the claim lets one of the two pay.
    begun = seen.begun_at if record is None else record.created_at
    if record is None or not record.terminal:
        return (now - begun).total_seconds() >= seen.gives_up
    if record.state == "failed":
        return not record.restartable
    took = ((record.ended_at or now) - begun).total_seconds()
    free = seen.handed_at is None or now - seen.handed_at <= HANDED_OVER_FOR
    return free and (seen.repeated or took >= seen.connection * _LOST_FROM)
