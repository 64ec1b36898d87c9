"""The client that repeats a request without an idempotency key, and the world that `repeat_schedules.py` explores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from imagegen import errors
from imagegen.generations.charges import NOTHING, Charge
from imagegen.generations.generation import Generation, ImageName, StoredImage
from imagegen.generations.ports import RecentList
from imagegen.generations.repeats import Repeats, RepeatSigns
from imagegen.generations.submit import Submitter
from tests.support.environment import CONNECTION
from tests.support.staged_ports import (
    OUTCOMES,
    OWNER,
    START,
    Activity,
    Env,
    Stage,
)

NAME: Final = f"{OWNER}#fingerprint#0"
ENDS: Final[Mapping[str, tuple[str, ...]]] = {
    **OUTCOMES,
    "recent_get": ("error",),
    "recent_put": ("refused", "lost", "late"),
    "reply": ("error",),
    "note_get": ("error",),
    "note_put": ("refused", "lost", "late"),
}
"""How a port's call can end, those of the table of recent requests and the making of the reply included."""

SLOW: Final = frozenset({"recent_get", "recent_put", "get", "take", "invoke"})
"""The calls during which time may pass: all before the claim, a repeat that waits, and the call of the model."""

TIMEOUT: Final = 80
"""Seconds after which the function of a delivery is stopped."""

WRITTEN_TOO_LATE: Final = "a request was written down after its connection was lost"
REPLY_LOST: Final = "the image was there in time, and the reply was lost"
"""What `repeats.py` leaves uncovered."""

UNCONDITIONAL: Final = "*"
"""In place of the version that a write replaces: whatever is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who sends the deliveries: which at most, with which signs, and how many pictures it wants.

    One that is `patient` sends the next delivery only when the one before has failed or lost its connection. Otherwise
    they may begin at any moment and in any order: the network holds one up, or the client gives up early.
    """

    signs: tuple[RepeatSigns, ...]
    pictures: int = 1
    patient: bool = False


FIRST: Final = RepeatSigns()
REPEAT: Final = RepeatSigns(marked=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatScenario:
    """What is explored: which client, how many faults, which leaps of time (in seconds), and which code."""

    client: Client
    faults: int = 1
    leaps: tuple[float, ...] = ()
    slow: frozenset[str] = SLOW
    """The port calls during which time may pass; it may also pass while no delivery runs."""
    faulty: tuple[str, ...] = tuple(ENDS)
    """The port calls that may fail, or before which a delivery may be killed."""
    repeats: type[Repeats] = Repeats
    submitter: type[Submitter] = Submitter
    unconditional: bool = False
    """Whether a recent request is written whatever stands there, which is wrong."""


def marked(repeats: int) -> Client:
    """Return a client that marks its repeats, so many of them."""
    return Client(signs=(FIRST, *[REPEAT] * repeats))


UNMARKED: Final = Client(signs=(FIRST, FIRST), patient=True)
"""A client that marks nothing, and repeats when it has lost its connection."""

TWO_PICTURES: Final = Client(signs=(FIRST, FIRST), pictures=2)
"""Two equal requests at once."""

TWO_COMMANDS: Final = Client(signs=(RepeatSigns(silent=True),) * 2, pictures=2)
"""Two equal commands at once, of a tool that repeats silently."""

SCENARIOS: Final[Mapping[str, RepeatScenario]] = {
    "marked, with a fault": RepeatScenario(client=marked(1)),
    "marked, and time passes twice": RepeatScenario(client=marked(1), faults=0, leaps=(5, 7)),
    "unmarked, slow and with a fault": RepeatScenario(client=UNMARKED, leaps=(2, 28)),
    "two pictures, with a fault": RepeatScenario(client=TWO_PICTURES),
}
"""The scenarios that the thorough test suite explores."""

SHORTER_SCENARIOS: Final[Mapping[str, RepeatScenario]] = {
    "marked, and its table fails": RepeatScenario(client=marked(1), faulty=("recent_get", "recent_put")),
    "unmarked, and it is slow twice": RepeatScenario(client=UNMARKED, faults=0, leaps=(2, 28, 60)),
    "two commands": RepeatScenario(client=TWO_COMMANDS, faults=0),
}
"""Scenarios of a few seconds."""


class World(NamedTuple):
    """The stores, the clock, and what the client has sent and received."""

    cells: tuple[tuple[str, Env], ...] = ()
    recent: RecentList | None = None
    late_recents: tuple[tuple[RecentList, str | None], ...] = ()
    counted: Charge = NOTHING
    now: datetime = START
    leaps: tuple[float, ...] = ()
    to_send: tuple[RepeatSigns, ...] = ()
    newest: int = 0
    """The serial number of the delivery that the client sent last."""
    sent_at: datetime = START
    repeated_at: datetime | None = None
    """When the first marked delivery was sent."""
    may_repeat: bool = True
    """Whether the client knows that the newest delivery failed."""
    satisfied: bool = False
    """Whether it received an image in time."""
    reply_failed: bool = False
    """Whether a reply could not be made, which the service knows."""
    uncovered: str = ""
    """Why `repeats.py` promises nothing any more."""

    @property
    def paid(self) -> int:
        """How often a model was paid."""
        return sum(cell.paid for _, cell in self.cells)

    def at(self, id_: str) -> Env:
        """Return the cell of an id."""
        cell = dict(self.cells).get(id_, Env())
        return cell._replace(counted=self.counted, now=self.now)

    def having(self, id_: str, cell: Env) -> World:
        """Return the world with another content of a cell; its counters hold for all."""
        bare = cell._replace(counted=NOTHING, now=START)
        cells = dict(self.cells)
        if bare != cells.get(id_, Env()):
            cells[id_] = bare
        return self._replace(cells=tuple(cells.items()), counted=cell.counted)

    def noted(self, new: RecentList, replacing: str | None) -> World:
        """Return the world after a conditional write to the table of recent requests has arrived."""
        stands = self.recent.version if self.recent else None
        if replacing not in {stands, UNCONDITIONAL}:
            return self
        return self._replace(recent=new)


class RepeatStage(Stage):
    """All ports of a delivery over several records; the delivery's own calls say which."""

    def __init__(self, world: World, activity: Activity, outcome: str | None, *, unconditional: bool) -> None:
        super().__init__(Env(now=world.now), activity, outcome)
        self.world = world
        self.id_ = ""
        self.replied = False
        self.recent = StagedRecentRequests(self, unconditional=unconditional)

    def call(self, operation: str, *arguments: Any) -> Any:
        """Make a call to the table of recent requests."""
        return self._call(operation, *arguments)

    def _call(self, operation: str, *arguments: Any) -> Any:
        if self.position < len(self.log) or self.outcome is None:
            return super()._call(operation, *arguments)
        self.env = self.world.at(self.id_)
        try:
            return super()._call(operation, *arguments)
        finally:
            self.world = self.world.having(self.id_, self.env)

    def get(self, id_: str) -> Generation | None:
        """Return the record of this id, or None."""
        self.id_ = id_
        return super().get(id_)

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write to the record of this id."""
        self.id_ = new.id
        return super().write(new, replacing=replacing)

    def put(self, name: ImageName, content: bytes, image: StoredImage) -> None:
        """Store the image of this id."""
        self.id_ = name.id
        super().put(name, content, image)

    def find(self, name: ImageName) -> StoredImage | None:
        """Return the image of this id, or None."""
        self.id_ = name.id
        return super().find(name)

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:  # noqa: ARG002 - the port's shape
        """Return every id; the use case has to check which is due."""
        return tuple(id_ for id_, _ in self.world.cells)

    def reply(self) -> None:
        """Make the reply; what is written after that is a note about it."""
        self.replied = True
        self._call("reply")

    def _reply(self, outcome: str) -> tuple[type[Exception] | None, Any]:
        if outcome != "error":
            return None, None
        self.world = self.world._replace(reply_failed=True)
        return errors.InternalError, None

    def _recent_get(self, outcome: str) -> tuple[type[Exception] | None, Any]:
        return (errors.InternalError, None) if outcome == "error" else (None, self.world.recent)

    def _recent_put(
        self, outcome: str, new: RecentList, replacing: str | None
    ) -> tuple[type[Exception] | None, Any]:
        world = self.world
        own = own_part(new.requests[0].key, f"{self.activity.serial}.")
        late = (world.now - self.activity.asked).total_seconds() >= CONNECTION
        if own and late and not self.activity.door.startswith("marked"):
            world = world._replace(uncovered=WRITTEN_TOO_LATE)
        if outcome == "late":
            world = world._replace(late_recents=(*world.late_recents, (new, replacing)))
        elif outcome != "refused":
            world = world.noted(new, replacing)
        self.world = without_dead(world)
        return (None, self.world.recent) if outcome == "done" else (errors.InternalError, None)

    _note_get = _recent_get
    _note_put = _recent_put


@dataclass(frozen=True, slots=True)
class StagedRecentRequests:
    """The table of recent requests, of which this world has one name."""

    stage: RepeatStage
    unconditional: bool

    def get(self, name: str) -> RecentList | None:
        """Return the newest request, or None."""
        if name != NAME:
            raise NotImplementedError
        found: RecentList | None = self.stage.call("note_get" if self.stage.replied else "recent_get")
        return found

    def put(self, new: RecentList, *, replacing: RecentList | None) -> RecentList:
        """Write `new` if `replacing` is still current, and return what is current."""
        version = replacing.version if replacing else None
        stands: RecentList = self.stage.call(
            "note_put" if self.stage.replied else "recent_put",
            new,
            UNCONDITIONAL if self.unconditional else version,
        )
        return stands


def without_dead(world: World) -> World:
    """Drop the late writes whose condition can never hold again, because no version comes back."""
    current = world.recent.version if world.recent else None
    possible = {current, UNCONDITIONAL, *(new.version for new, _ in world.late_recents)}
    alive = tuple(late for late in world.late_recents if late[1] in possible and late[0].version != current)
    return world if alive == world.late_recents else world._replace(late_recents=alive)


def own_part(text: str, prefix: str) -> str:
    """Return what follows the prefix, or nothing if the text has another one."""
    return text.removeprefix(prefix) if prefix and text.startswith(prefix) else ""
