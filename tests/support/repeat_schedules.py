"""Explores every schedule of a client that sends one request several times without an idempotency key.

`schedules.py` explains what a schedule is, and how they are counted. There is one record and one key there. Here the
service draws the keys, so there may be several records: each has a cell, which is the `Env` of the other exploration.
Beside the cells there are the table of recent requests, the counters, and what the client knows.

Time passes by a given number of leaps, each of which happens once or never, between any two steps. Times are compared
exactly: nothing depends on more than the differences between them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError
from imagegen.generations.attempts import Attempts
from imagegen.generations.charges import NOTHING, Charge
from imagegen.generations.generation import Generation, derive_id
from imagegen.generations.history import History
from imagegen.generations.jobs import Jobs
from imagegen.generations.ledger import Ledger, Limits
from imagegen.generations.marks import Marking
from imagegen.generations.model_caller import ModelCaller
from imagegen.generations.ports import RecentList, RecentRequest
from imagegen.generations.repeats import RepeatSigns
from imagegen.generations.submit import Submission
from tests.support.environment import CONNECTION
from tests.support.repeat_world import (
    ENDS,
    REPLY_LOST,
    TIMEOUT,
    RepeatScenario,
    RepeatStage,
    World,
    own_part,
    without_dead,
)
from tests.support.schedules import REFS, WAIT, Budget
from tests.support.staged_ports import (
    OWNER,
    START,
    Activity,
    Broken,
    Entry,
    Env,
    Stage,
    StagedCallBacks,
    Suspended,
    written,
)


class RepeatExplorer:
    """Walks through every schedule of a scenario; afterwards `schedules` says how many there are."""

    def __init__(self, scenario: RepeatScenario) -> None:
        self.scenario = scenario
        self.schedules = 0
        self.steps = 0
        self.answers: set[tuple[str, str]] = set()
        self.uncovered: set[str] = set()
        self.most_paid = 0
        self._counted: dict[Any, int] = {}
        self._drained: set[Any] = set()
        self._trace: list[str] = []
        self._serial = 0
        self._request = GenerationRequest(task=TextToImage(text_prompts=(Prompt(text="tea"),)))
        self._limits = Limits(
            function_timeout=TIMEOUT,
            model_timeout=60,
            connection=CONNECTION,
            max_paid_attempts=1,
            record_retention_days=30,
        )

    @property
    def states(self) -> int:
        """How many different states there were."""
        return len(self._counted)

    def explore(self) -> float:
        """Walk through every schedule, and return the seconds that it took.

        Raises:
            Broken: an invariant does not hold in some schedule.
        """
        began = time.perf_counter()
        client = self.scenario.client
        world = World(leaps=self.scenario.leaps, to_send=client.signs)
        try:
            self.schedules = self._count(world, (), Budget(len(client.signs), self.scenario.faults))
        except Broken as exc:
            schedule = "\n  ".join(self._trace)
            raise Broken(f"{exc}, by this schedule:\n  {schedule}") from exc
        return time.perf_counter() - began

    # -- one step after the other ----------------------------------------------------------------------------------

    def _count(self, world: World, activities: tuple[Activity, ...], budget: Budget) -> int:
        key = (_canonical(world, activities), budget.faults)
        known = self._counted.get(key)
        if known is not None:
            return known
        self._check(world)
        if not activities:
            stopped = (world.now - START).total_seconds() > TIMEOUT
            self._check_drained(world, faultless=budget.faults == self.scenario.faults and not stopped)
        total = 0
        for step, child, running, left in self._children(world, activities, budget):
            self._trace.append(step)
            total += self._count(child, running, left)
            self._trace.pop()
        self._counted[key] = total = total or 1
        return total

    def _children(
        self, world: World, activities: tuple[Activity, ...], budget: Budget
    ) -> Iterator[tuple[str, World, tuple[Activity, ...], Budget]]:
        for sent, signs in self._sent(world):
            arrived = _arrived(sent, signs, patient=self.scenario.client.patient)
            activity = Activity(_door(signs), sent.newest, world.now, arrived=arrived)
            child, running, how = self._step(sent, activity, None)
            yield f"{activity.door} #{activity.serial}{how}", child, (*activities, *running), budget
        if activities or world.to_send:
            for event, child in self._events(world, activities):
                yield event, child, activities, budget
        for index, activity in enumerate(activities):
            before, after = activities[:index], activities[index + 1 :]
            if (world.now - activity.began).total_seconds() > TIMEOUT:
                step = f"  {activity.door} #{activity.serial}: {activity.pending}, and its time is over"
                yield step, world, (*before, *after), budget
                continue
            for outcome in self._outcomes(activity, budget):
                self.answers.add((activity.pending, outcome))
                left = budget if outcome == "done" else budget._replace(faults=budget.faults - 1)
                if outcome == "killed":
                    child, running, how = world, (), ""
                else:
                    child, running, how = self._step(world, activity, outcome)
                step = f"  {activity.door} #{activity.serial}: {activity.pending} {outcome}{how}"
                yield step, child, (*before, *running, *after), left

    def _outcomes(self, activity: Activity, budget: Budget) -> tuple[str, ...]:
        if not budget.faults or activity.pending not in self.scenario.faulty:
            return ("done",)
        return ("done", "killed", *ENDS[activity.pending])

    def _sent(self, world: World) -> Iterator[tuple[World, RepeatSigns]]:
        """Yield the world after each delivery that the client may send now."""
        patient = self.scenario.client.patient
        lost = world.may_repeat or (world.now - world.sent_at).total_seconds() >= CONNECTION
        if patient and not lost:
            return
        for signs in dict.fromkeys(world.to_send[:1] if patient else world.to_send):
            # A function may begin with a first request, which was sent before its repeat, after that one's reply.
            if world.satisfied and (signs.marked or world.repeated_at is None):
                continue
            self._serial += 1
            rest = list(world.to_send)
            rest.remove(signs)
            uncovered = REPLY_LOST if patient and _made_in_time(world) else world.uncovered
            repeated_at = world.now if signs.marked and world.repeated_at is None else world.repeated_at
            yield (
                world._replace(
                    to_send=tuple(rest),
                    newest=self._serial,
                    sent_at=world.now,
                    repeated_at=repeated_at,
                    may_repeat=False,
                    uncovered=uncovered,
                ),
                signs,
            )

    def _events(self, world: World, activities: tuple[Activity, ...]) -> Iterator[tuple[str, World]]:
        if world.leaps and all(activity.pending in self.scenario.slow for activity in activities):
            leap, *rest = world.leaps
            later = world._replace(now=world.now + timedelta(seconds=leap), leaps=tuple(rest))
            yield f"{leap} s pass", later
        for index, (new, replacing) in enumerate(world.late_recents):
            others = world.late_recents[:index] + world.late_recents[index + 1 :]
            arrived = world._replace(late_recents=others).noted(new, replacing)
            yield "a late recent request arrives", without_dead(arrived)
        for id_, _ in world.cells:
            cell = world.at(id_)
            if cell.late_image is not None:
                yield (
                    "the late image arrives",
                    world.having(id_, cell._replace(image=cell.late_image, late_image=None)),
                )
            for index, (record, version) in enumerate(cell.late_writes):
                left = cell.late_writes[:index] + cell.late_writes[index + 1 :]
                landed = written(cell._replace(late_writes=left), record, version)
                yield "a late write arrives", world.having(id_, landed)

    def _step(
        self, world: World, activity: Activity, outcome: str | None
    ) -> tuple[World, tuple[Activity, ...], str]:
        """End a delivery's pending call in this way, and go on to its next."""
        self.steps += 1
        stage = RepeatStage(world, activity, outcome, unconditional=self.scenario.unconditional)
        try:
            ended = self._call(stage, activity.door)
        except Suspended:
            pending = activity._replace(log=tuple(stage.log), pending=stage.pending)
            return stage.world, (pending,), ""
        except ImagegenError as exc:
            _check_defects(stage)
            return _received(stage.world, activity, image=False), (), f", ended with {type(exc).__name__}"
        except Exception as exc:
            raise Broken(f"a door raised {exc!r}") from exc
        _check_defects(stage)
        if isinstance(ended, Submission):
            shown = ended.generation
            if shown.state != "succeeded" or stage.world.at(shown.id).image is None:
                raise Broken("a caller was shown an image that is not there")
            return _received(stage.world, activity, image=True), (), ", ended"
        return stage.world, (), ", ended"

    def _call(self, stage: RepeatStage, door: str) -> object:
        caller = ModelCaller(
            refs=REFS, runtime=stage, clock=stage, randomness=stage, observer=stage, model_timeout=60
        )
        ledger = Ledger(
            store=stage, quotas=stage, clock=stage, randomness=stage, observer=stage, limits=self._limits
        )
        attempts = Attempts(
            caller=caller,
            images=stage,
            ledger=ledger,
            clock=stage,
            randomness=stage,
            observer=stage,
            marking=Marking(),
        )
        if door == "sweep":
            return Jobs(
                attempts=attempts,
                ledger=ledger,
                quotas=stage,
                queue=stage,
                call_backs=StagedCallBacks(stage),
                webhook=stage,
                observer=stage,
            ).sweep(limit=1)
        if door.startswith("look"):
            history = History(attempts=attempts, images=stage, ledger=ledger)
            return history.look_up(door.removeprefix("look "), owner=OWNER)
        repeats = self.scenario.repeats(
            recent=stage.recent, ledger=ledger, clock=stage, randomness=stage, observer=stage
        )
        submitter = self.scenario.submitter(
            attempts=attempts,
            ledger=ledger,
            quotas=stage,
            repeats=repeats,
            queue=stage,
            clock=stage,
            observer=stage,
        )
        made = submitter.submit(
            self._request,
            owner=OWNER,
            fingerprint="fingerprint",
            key=None,
            asynchronous=False,
            deadline=stage,
            signs=replace(_SIGNS[door], arrived=stage.activity.asked),
        )
        with submitter.replying(made):
            stage.reply()
        return made

    # -- what must hold --------------------------------------------------------------------------------------------

    def _check(self, world: World) -> None:
        """Check what must hold at every moment, also in the middle of a delivery."""
        paid = world.paid
        self.most_paid = max(self.most_paid, paid)
        if paid > self.scenario.client.pictures:
            if not world.uncovered:
                raise Broken(f"paid {paid} times")
            self.uncovered.add(world.uncovered)
        held = spent = NOTHING
        for _, cell in world.cells:
            if cell.paid > 1:
                raise Broken("paid 2 times for one key")
            if cell.paid and cell.record is None:
                raise Broken("something was paid without a record")
            if cell.record is not None and cell.record.state == "succeeded" and cell.image is None:
                raise Broken("succeeded without an image")
            held += cell.record.counted if cell.record is not None else NOTHING
            spent += Charge(images=cell.paid, micro_usd=cell.spent)
        for amount in (held, spent):
            if world.counted.images < amount.images or world.counted.micro_usd < amount.micro_usd:
                raise Broken(f"{amount} was paid or reserved, and {world.counted} is counted")

    def _check_drained(self, world: World, *, faultless: bool) -> None:
        """Let everything happen that happens by itself; check that nothing is open or lost then."""
        key = (_canonical(world, ()), faultless)
        if key in self._drained:
            return
        self._drained.add(key)
        marks = len(self._trace)
        client = self.scenario.client
        if faultless and not client.patient and not world.to_send and world.paid < client.pictures:
            raise Broken(f"without a fault, {world.paid} pictures were made")
        world = self._run(world._replace(now=world.now + WAIT), "sweep")
        for id_, _ in world.cells:
            cell = world.at(id_)
            late, image = cell.late_writes, cell.late_image or cell.image
            cell = cell._replace(image=image, late_image=None, late_writes=())
            for new, replacing in late:
                cell = written(cell, new, replacing)
            world = world.having(id_, cell)
        world = self._run(world._replace(now=world.now + WAIT), "sweep")
        held = NOTHING
        for id_, _ in world.cells:
            world = self._run(world, f"look {id_}") if world.at(id_).record is not None else world
            held += _check_end(world.at(id_))
        self._check(world)
        if faultless and world.counted != held:
            raise Broken(f"without a fault, {world.counted - held} was lost")
        del self._trace[marks:]

    def _run(self, world: World, door: str) -> World:
        self._serial += 1
        child, running, how = self._step(world, Activity(door, self._serial, world.now), None)
        while running:
            (activity,) = running
            child, running, how = self._step(child, activity, "done")
        self._trace.append(f"afterwards: {door}{how}")
        return child


_SIGNS: Final[dict[str, RepeatSigns]] = {}


def _door(signs: RepeatSigns) -> str:
    """Return the name of a delivery with these signs."""
    name = "marked repeat" if signs.marked else "silent" if signs.silent else "unmarked"
    _SIGNS[name] = signs
    return name


def _arrived(world: World, signs: RepeatSigns, *, patient: bool) -> datetime | None:
    """Return when the gateway received a delivery before it begins now: a first request comes before its repeat."""
    if patient or signs.marked or world.repeated_at is None:
        return None
    return world.repeated_at - timedelta(milliseconds=1)


def _received(world: World, activity: Activity, *, image: bool) -> World:
    """Return the world after the client has received the reply to a delivery, if its connection still lasts."""
    lasts = (world.now - activity.asked).total_seconds() < CONNECTION
    if activity.serial != world.newest or not lasts:
        return world
    return world._replace(satisfied=image, may_repeat=not image)


def _made_in_time(world: World) -> bool:
    """Say whether some record succeeded before the connection of its request was over, and its reply was made."""
    if world.reply_failed:
        return False
    records = [cell.record for _, cell in world.cells if cell.record is not None]
    return any(
        record.state == "succeeded"
        and record.ended_at is not None
        and (record.ended_at - record.created_at).total_seconds() < CONNECTION
        for record in records
    )


def _check_end(cell: Env) -> Charge:
    """Check what is left in the end, and return what it counts for."""
    if cell.record is None:
        if cell.image is not None:
            raise Broken("an image is stored that nobody knows of")
        return NOTHING
    if not cell.record.terminal:
        raise Broken("a generation never ended")
    if cell.record.state == "failed" and cell.image is not None:
        raise Broken("a paid image is stored, and its record says that it failed")
    return cell.record.counted


def _check_defects(stage: Stage) -> None:
    if stage.defects:
        raise Broken(f"a defect: {stage.defects[0]!r}")


@lru_cache(maxsize=100_000)
def _id(key: str) -> str:
    return derive_id(OWNER, key)


def _canonical(world: World, activities: tuple[Activity, ...]) -> Any:
    """Return all that the future depends on: names as numbers in order of appearance, times as seconds from now."""
    names: dict[str, int] = {}
    now = world.now

    def name(text: str | None) -> int | None:
        return None if text is None else names.setdefault(text, len(names))

    def since(moment: datetime | None) -> float | None:
        return None if moment is None else (now - moment).total_seconds()

    def shape(value: Any, own: str = "") -> Any:
        """Return the shape of a value; a version that the delivery `own` drew itself is told by its number there."""
        if isinstance(value, RecentList):
            own_version = own_part(value.version, own)
            return (name(value.version), own_version, tuple(shape(one, own) for one in value.requests))
        if isinstance(value, RecentRequest):
            return (
                name(_id(value.key)),
                own_part(value.key, own),
                since(value.begun_at),
                value.by_repeat,
                value.repeated,
                since(value.handed_at),
            )
        if isinstance(value, Generation):
            return (
                name(value.id),
                value.state,
                name(value.version),
                own_part(value.version, own),
                name(value.claim),
                own_part(value.claim, own),
                value.paid_attempts,
                since(value.created_at),
                since(value.lease_until),
                since(value.due_at),
                since(value.ended_at),
                value.failure and value.failure.code,
                value.bill,
            )
        return value

    return (
        shape(world.recent),
        tuple((shape(new), name(replacing)) for new, replacing in world.late_recents),
        tuple(
            (
                name(id_),
                shape(cell.record),
                cell.image is not None,
                cell.late_image is not None,
                tuple((shape(new), name(replacing)) for new, replacing in cell.late_writes),
                cell.paid,
                cell.spent,
            )
            for id_, cell in world.cells
        ),
        (world.counted, world.leaps, world.to_send, world.may_repeat, world.satisfied),
        (world.uncovered, world.reply_failed, since(world.sent_at), since(world.repeated_at)),
        tuple(
            (
                activity.door,
                activity.pending,
                activity.serial == world.newest,
                since(activity.began),
                since(activity.arrived),
                tuple((entry.raised, shape(entry.value, f"{activity.serial}.")) for entry in activity.log),
                tuple(since(entry.now) for entry in _unwritten(activity)),
            )
            for activity in activities
        ),
    )


def _unwritten(activity: Activity) -> tuple[Entry, ...]:
    """Return the results since a delivery last wrote a record; every earlier time that still matters is in that."""
    for index in reversed(range(len(activity.log))):
        value = activity.log[index].value
        if isinstance(value, Generation) and own_part(value.version, f"{activity.serial}."):
            return activity.log[index:]
    return activity.log
