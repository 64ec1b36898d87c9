"""Explores every schedule of faults on the real use case: an explicit-state model checker with in-memory ports.

A *delivery* is one call of the use case from outside (HTTP request, queue message, dead letter, sweep). Its kind is its
`door`. A delivery runs as real code up to its next call of a port, and is suspended there. All that is kept of it is
the list of results that its ports have given. It is resumed by running it again with these results. So any number of
deliveries interleave at every port call without threads, and a state (the stores, the suspended deliveries, what is
left to happen) can be hashed.

A *schedule* is one complete sequence of choices: which delivery goes on, and how its port call ends (done; refused;
done but the response lost; done later; killed before it; for the model, every class of answer by what it costs). If the
same can follow from two states, they are explored once. The schedules through them are still counted exactly:
`schedules` is the number of paths through the graph of `states`. Merging two states loses nothing, because states are
compared by exactly what the code compares: whether two versions are the same, and whether a time has passed. More than
two messages of one claim in a queue count as two.

The model runtime itself counts how often it was really paid (`paid`), and the code under test never sees that number.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError
from imagegen.generations.attempts import Attempts
from imagegen.generations.generation import Generation
from imagegen.generations.history import History
from imagegen.generations.jobs import Jobs, RetryLater
from imagegen.generations.ledger import Ledger, Limits
from imagegen.generations.marks import Marking
from imagegen.generations.model_caller import ModelCaller
from imagegen.generations.repeats import Repeats
from imagegen.generations.submit import Submission, Submitter
from imagegen.models.registry import resolve
from tests.support.environment import CONNECTION
from tests.support.fakes import SD35, SDXL
from tests.support.staged_ports import (
    HOOK,
    ID,
    KEY,
    OUTCOMES,
    OWNER,
    Activity,
    Broken,
    Env,
    Stage,
    StagedCallBacks,
    StagedRecent,
    Suspended,
    with_message,
    without_message,
    written,
)

WAIT: Final = timedelta(seconds=4000)
"""A pause that is longer than every lease and every due time."""

DOORS: Final = ("sync", "async", "work", "duplicate", "look", "delete", "bury", "sweep", "call back")
"""Two requests for an image, a message and its duplicate, a look-up and a delete, a dead letter, the sweep, a message
for a call-back.

A dead letter may be of an older claim than the record's."""

REFS: Final = tuple(resolve(model, region="us-west-2") for model in (SDXL, SD35))
"""Two models of different prices: the dearer one is reserved, whichever draws."""
DEAREST: Final = 80_000


class Budget(NamedTuple):
    """How many deliveries may still begin, and how many faults may still happen."""

    launches: int
    faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is explored: how many deliveries, how many faults, and which code.

    First come `one_by_one` deliveries, with up to `faults_in_each` faults each; between them, time may pass, and late
    writes and images may arrive. From every state that is reached so, `at_once` deliveries interleave at every port
    call, with up to `faults_in_all` faults together; the same may happen at any moment.
    """

    one_by_one: int = 0
    faults_in_each: int = 1
    at_once: int = 0
    faults_in_all: int = 1
    doors: tuple[str, ...] = DOORS
    max_paid_attempts: int = 1
    raised_to: int | None = None
    """The limit of paid attempts that everybody goes by who does not submit; what was submitted reserved fewer."""
    webhook: bool = False
    output_format: str = "png"
    bounds_losses: bool = False
    """Whether to check that each fault loses one unit at most; then states with more faults are states of their own."""
    submitter: type[Submitter] = Submitter
    history: type[History] = History
    jobs: type[Jobs] = Jobs
    attempts: type[Attempts] = Attempts
    caller: type[ModelCaller] = ModelCaller
    ledger: type[Ledger] = Ledger


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "four deliveries, two payable calls, a webhook": Scenario(
        one_by_one=4, max_paid_attempts=2, webhook=True
    ),
    "two at once, one fault": Scenario(at_once=2, faults_in_all=1, max_paid_attempts=2, webhook=True),
    "two at once after one": Scenario(one_by_one=1, at_once=2, faults_in_all=0),
    "four deliveries, and what they lose": Scenario(one_by_one=4, bounds_losses=True),
}
"""The scenarios that the thorough test suite explores, and that `make bench` measures."""

SHORTER_SCENARIOS: Final[Mapping[str, Scenario]] = {
    "two deliveries, two payable calls, a webhook": Scenario(one_by_one=2, max_paid_attempts=2, webhook=True),
    "two at once after one, of three doors": Scenario(
        one_by_one=1, at_once=2, faults_in_all=0, doors=("sync", "async", "work")
    ),
    "three deliveries, and what they lose": Scenario(one_by_one=3, bounds_losses=True),
}
"""The same with fewer deliveries or doors, in a tenth of the time."""


class Explorer:
    """Walks through every schedule of a scenario; afterwards `schedules` says how many there are."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.schedules = 0
        self.states = 0
        self.steps = 0
        self.answers: set[tuple[str, str]] = set()
        self.fewest_ways = sys.maxsize
        self._counted: dict[Any, int] = {}
        self._followed: dict[Any, list[tuple[str, Env, int]]] = {}
        self._drained: set[Any] = set()
        self._trace: list[str] = []
        self._serial = 0
        hook = HOOK if scenario.webhook else None
        self._request = GenerationRequest(
            task=TextToImage(text_prompts=(Prompt(text="tea"),), output_format=scenario.output_format),
            webhook_url=hook,
        )
        self._limits = Limits(
            function_timeout=80,
            model_timeout=60,
            connection=CONNECTION,
            max_paid_attempts=scenario.max_paid_attempts,
            record_retention_days=30,
        )
        self._raised = replace(
            self._limits, max_paid_attempts=scenario.raised_to or scenario.max_paid_attempts
        )

    def explore(self) -> float:
        """Walk through every schedule, and return the seconds that it took.

        Raises:
            Broken: an invariant does not hold in some schedule.
        """
        began = time.perf_counter()
        try:
            self.schedules = self._sequences(Env(), self.scenario.one_by_one)
        except Broken as exc:
            schedule = "\n  ".join(self._trace)
            raise Broken(f"{exc}, by this schedule:\n  {schedule}") from exc
        self.states = len(self._counted) + len(self._followed)
        return time.perf_counter() - began

    # -- one delivery after the other ------------------------------------------------------------------------------

    def _sequences(self, env: Env, deliveries: int) -> int:
        """Return the number of schedules that so many more deliveries have from this state on."""
        if not deliveries:
            return self._count(env, (), Budget(self.scenario.at_once, self.scenario.faults_in_all))
        shape = _canonical(env, ())
        known = self._counted.get((shape, deliveries))
        if known is not None:
            return known
        if shape not in self._followed:
            self._followed[shape] = self._followers(env)
        total = 0
        for step, child, ways in self._followed[shape]:
            self._trace.append(step)
            total += ways * self._sequences(child, deliveries - 1)
            self._trace.pop()
        self._counted[shape, deliveries] = total
        return total

    def _followers(self, env: Env) -> list[tuple[str, Env, int]]:
        """Return the different states after one more delivery, each with the number of ways that lead to it."""
        ends: dict[Any, tuple[str, Env, int]] = {}
        budget = Budget(1, self.scenario.faults_in_each)
        ways_on = 0

        def walk(env: Env, activities: tuple[Activity, ...], budget: Budget, steps: str) -> None:
            nonlocal ways_on
            self._check(env)
            if not (activities or budget.launches):
                ways_on += 1
                key = _canonical(env, ())
                if key not in ends:
                    self._check_drained(env)
                _, _, ways = ends.get(key, ("", env, 0))
                ends[key] = (steps, env, ways + 1)
                return
            for step, child, running, left in self._children(env, activities, budget, alone=True):
                self._trace.append(step)
                walk(child, running, left, f"{steps}\n  {step}" if steps else step)
                self._trace.pop()

        walk(env, (), budget, "")
        self.fewest_ways = min(self.fewest_ways, ways_on)
        return list(ends.values())

    # -- several at once -------------------------------------------------------------------------------------------

    def _count(self, env: Env, activities: tuple[Activity, ...], budget: Budget) -> int:
        key = (_canonical(env, activities), budget)
        known = self._counted.get(key)
        if known is not None:
            return known
        self._check(env)
        if not activities:
            self._check_drained(env)
        total = 0
        for step, child, running, left in self._children(env, activities, budget, alone=False):
            self._trace.append(step)
            total += self._count(child, running, left)
            self._trace.pop()
        self._counted[key] = total = total or 1
        return total

    def _children(
        self, env: Env, activities: tuple[Activity, ...], budget: Budget, *, alone: bool
    ) -> Iterator[tuple[str, Env, tuple[Activity, ...], Budget]]:
        if budget.launches:
            for door, claim, before in self._doors(env):
                left = budget._replace(launches=budget.launches - 1)
                activity = Activity(door, self._next(), env.now, claim=claim)
                child, running, how = self._step(before, activity, None)
                yield f"{door}{how}", child, (*activities, *running), left
        if budget.launches or (activities and not alone):
            yield from self._events(env, activities, budget)
        for index, activity in enumerate(activities):
            others = activities[:index], activities[index + 1 :]
            for outcome in self._outcomes(activity, budget):
                self.answers.add((activity.pending, outcome))
                left = budget if outcome == "done" else budget._replace(faults=budget.faults - 1)
                before = env
                if outcome != "done" and self.scenario.bounds_losses:
                    before = env._replace(faults=env.faults + 1)
                if outcome == "killed":
                    child, running, how = _returned(before, activity), (), ""
                else:
                    child, running, how = self._step(before, activity, outcome)
                step = f"  {activity.door} #{activity.serial}: {activity.pending} {outcome}{how}"
                yield step, child, (*others[0], *running, *others[1]), left

    def _doors(self, env: Env) -> Iterator[tuple[str, str, Env]]:
        """Yield each door that a delivery may use now, its message's claim, and the stores after that was taken."""
        for door in self.scenario.doors:
            if door in {"work", "bury"}:
                for claim in dict.fromkeys(env.messages):
                    yield door, claim, without_message(env, claim)
            elif door == "call back":
                if env.call_backs:
                    yield door, "", env._replace(call_backs=env.call_backs - 1)
            elif door == "duplicate":
                if env.record is not None and env.record.asynchronous:
                    yield door, "", env
            elif door in {"sync", "async"} or env.record is not None:
                yield door, "", env

    def _events(
        self, env: Env, activities: tuple[Activity, ...], budget: Budget
    ) -> Iterator[tuple[str, Env, tuple[Activity, ...], Budget]]:
        record = env.record
        times = (record.lease_until, record.due_at) if record is not None else ()
        if any(moment is not None and moment > env.now for moment in times):
            yield "time passes", env._replace(now=env.now + WAIT), activities, budget
        if env.late_image is not None:
            landed = env._replace(image=env.late_image, late_image=None)
            yield "the late image arrives", landed, activities, budget
        for index, (new, replacing) in enumerate(env.late_writes):
            rest = env.late_writes[:index] + env.late_writes[index + 1 :]
            landed = written(env._replace(late_writes=rest), new, replacing)
            yield "a late write arrives", landed, activities, budget

    def _outcomes(self, activity: Activity, budget: Budget) -> tuple[str, ...]:
        if not budget.faults:
            return ("done",)
        if activity.pending == "end":
            return ("done", "killed")
        return ("done", "killed", *OUTCOMES[activity.pending])

    # -- running one delivery a step further -----------------------------------------------------------------------

    def _step(
        self, env: Env, activity: Activity, outcome: str | None
    ) -> tuple[Env, tuple[Activity, ...], str]:
        """End a delivery's pending call in this way; a message's delivery that has ended waits to be acknowledged."""
        self.steps += 1
        if activity.pending == "end":
            return env, (), ""
        stage = Stage(env, activity, outcome, content_type=self._request.task.content_type)
        try:
            ended = self._call(stage, activity)
        except Suspended:
            return stage.env, (activity._replace(log=tuple(stage.log), pending=stage.pending),), ""
        except (RetryLater, ImagegenError) as exc:
            self._check_defects(stage)
            return _returned(stage.env, activity), (), f", ended with {type(exc).__name__}"
        except Exception as exc:
            raise Broken(f"a door raised {exc!r}") from exc
        self._check_defects(stage)
        if isinstance(ended, Submission | Generation):
            self._check_answer(stage.env, ended)
        if activity.door in {"work", "bury", "call back"}:
            return stage.env, (activity._replace(log=tuple(stage.log), pending="end"),), ", ended"
        return stage.env, (), ", ended"

    def _call(self, stage: Stage, activity: Activity) -> object:
        door = activity.door
        attempts = self._attempts(stage, door)
        if door in {"sync", "async"}:
            repeats = Repeats(
                recent=StagedRecent(), ledger=attempts.ledger, clock=stage, randomness=stage, observer=stage
            )
            return self.scenario.submitter(
                attempts=attempts,
                ledger=attempts.ledger,
                quotas=stage,
                repeats=repeats,
                queue=stage,
                clock=stage,
                observer=stage,
            ).submit(
                self._request,
                owner=OWNER,
                fingerprint="fingerprint",
                key=KEY,
                asynchronous=door == "async",
                deadline=stage,
            )
        history = self.scenario.history(attempts=attempts, images=stage, ledger=attempts.ledger)
        jobs = self.scenario.jobs(
            attempts=attempts,
            ledger=attempts.ledger,
            quotas=stage,
            queue=stage,
            call_backs=StagedCallBacks(stage),
            webhook=stage,
            observer=stage,
        )
        calls: dict[str, Callable[[], object]] = {
            "look": lambda: history.look_up(ID, owner=OWNER),
            "delete": lambda: history.delete(ID, owner=OWNER),
            "work": lambda: jobs.work(ID, stage),
            "duplicate": lambda: jobs.work(ID, stage),
            "bury": lambda: jobs.bury(ID, claim=activity.claim),
            "call back": lambda: jobs.call_back(ID),
            "sweep": lambda: jobs.sweep(limit=1),
        }
        return calls[door]()

    def _attempts(self, stage: Stage, door: str) -> Attempts:
        # `wiring.assemble` cannot be used here, because a scenario may replace the real classes by its own.
        caller = self.scenario.caller(
            refs=REFS, runtime=stage, clock=stage, randomness=stage, observer=stage, model_timeout=60
        )
        ledger = self.scenario.ledger(
            store=stage,
            quotas=stage,
            clock=stage,
            randomness=stage,
            observer=stage,
            limits=self._limits if door in {"sync", "async"} else self._raised,
        )
        return self.scenario.attempts(
            caller=caller,
            images=stage,
            ledger=ledger,
            clock=stage,
            randomness=stage,
            observer=stage,
            marking=Marking(),
        )

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    # -- what must hold --------------------------------------------------------------------------------------------

    def _check(self, env: Env) -> None:
        """Check what must hold at every moment, also in the middle of a delivery."""
        record = env.record
        if env.paid > self.scenario.max_paid_attempts:
            raise Broken(f"paid {env.paid} times")
        if env.counted.images < 0 or env.counted.micro_usd < 0 or env.counted.jobs < 0:
            raise Broken("a quota unit was given back twice")
        if env.spent > env.counted.micro_usd:
            raise Broken(f"{env.spent} micro-dollars were paid, and {env.counted.micro_usd} are counted")
        if record is None:
            if env.paid:
                raise Broken("something was paid without a record")
            return
        if record.state == "succeeded" and env.image is None:
            raise Broken("succeeded without an image")
        if (
            record.counted.images > env.counted.images
            or record.counted.micro_usd > env.counted.micro_usd
            or record.counted.jobs > env.counted.jobs
        ):
            raise Broken("a generation is not counted against the quota")

    def _check_defects(self, stage: Stage) -> None:
        if stage.defects:
            raise Broken(f"a defect: {stage.defects[0]!r}")

    def _check_answer(self, env: Env, ended: Submission | Generation) -> None:
        shown = ended.generation if isinstance(ended, Submission) else ended
        if shown.state == "succeeded" and env.image is None and not env.deleted:
            raise Broken("a caller was shown an image that is not there")

    def _check_drained(self, env: Env) -> None:
        """Let everything happen that happens by itself, without a fault; check that nothing is open or lost then."""
        key = _canonical(env, ())
        if key in self._drained:
            return
        self._drained.add(key)
        marks = len(self._trace)
        for _ in range(6):
            env = env._replace(now=env.now + WAIT)
            env = self._emptied(self._run(env, "sweep"))
            self._check(env)
        late = tuple(env.late_writes)
        env = env._replace(image=env.late_image or env.image, late_image=None, late_writes=())
        for new, replacing in late:
            env = written(env, new, replacing)
        for _ in range(4):
            env = env._replace(now=env.now + WAIT)
            env = self._emptied(self._run(env, "sweep"))
        self._check(env)
        if env.record is None:
            if env.image is not None:
                raise Broken("an image is stored that nobody knows of")
        else:
            env = self._run(env, "look")
            self._check_end(env)
        del self._trace[marks:]

    def _emptied(self, env: Env) -> Env:
        """Deliver what is in the queues once; what comes back waits for the next time."""
        for claim in env.messages:
            env = self._run(without_message(env, claim), "work", claim=claim)
        for _ in range(env.call_backs):
            env = self._run(env._replace(call_backs=env.call_backs - 1), "call back")
        return env

    def _check_end(self, env: Env) -> None:
        record = env.record
        if record is None or not record.terminal:
            raise Broken("a generation never ended")
        if env.messages or env.call_backs:
            raise Broken("a message stays in the queue for ever")
        if record.state == "failed" and env.image is not None:
            raise Broken("a paid image is stored, and its record says that it failed")
        if record.webhook == "pending":
            raise Broken("a webhook was never called")
        if record.due_at is not None and record.due_at <= env.now:
            raise Broken("a record stays due for ever")
        if self.scenario.bounds_losses:
            lost = env.counted - record.counted
            # See `generations/charges.py`: a fault costs what one request took, and no more.
            if lost.images > env.faults or lost.micro_usd > env.faults * DEAREST or lost.jobs > env.faults:
                raise Broken(f"{env.faults} faults lost {lost}")
        self._check(env)

    def _run(self, env: Env, door: str, *, claim: str = "") -> Env:
        activity = Activity(door, self._next(), env.now, claim=claim)
        child, running, how = self._step(env, activity, None)
        while running:
            (activity,) = running
            child, running, how = self._step(child, activity, "done")
        self._trace.append(f"afterwards: {door}{how}")
        return child


def _returned(env: Env, activity: Activity) -> Env:
    """Return the stores after a delivery that was not acknowledged, so that its message comes back."""
    if activity.door in {"work", "bury"}:
        return with_message(env, activity.claim)
    if activity.door == "call back":
        return env._replace(call_backs=min(env.call_backs + 1, 2))
    return env


def _canonical(env: Env, activities: tuple[Activity, ...]) -> Any:
    """Return all that the future depends on: versions as numbers in order of appearance, times as passed or not."""
    names: dict[str, int] = {}
    now = env.now

    def version(text: str | None) -> int | None:
        return None if text is None else names.setdefault(text, len(names))

    def shape(value: Any) -> Any:
        if not isinstance(value, Generation):
            return value
        return (
            value.state,
            version(value.version),
            version(value.claim),
            value.asynchronous,
            value.paid_attempts,
            value.lease_until is not None and value.lease_until > now,
            None if value.due_at is None else value.due_at > now,
            value.failure and value.failure.code,
            value.webhook,
            value.webhook_tries,
            value.bill,
        )

    return (
        shape(env.record),
        env.image is not None,
        env.late_image is not None,
        tuple((shape(new), version(replacing)) for new, replacing in env.late_writes),
        tuple(sorted(str(version(claim)) for claim in env.messages)),
        (env.call_backs, env.paid, env.counted, env.spent, env.faults, env.deleted),
        tuple(
            (
                activity.door,
                version(activity.claim or None),
                activity.pending,
                activity.began == now,
                tuple((entry.raised, shape(entry.value), entry.now == now) for entry in activity.log),
            )
            for activity in activities
        ),
    )
