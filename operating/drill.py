"""`make drill`: treats one model of a stage as retired for some minutes, and shows what callers get."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from imagegen.generations.charges import dollars
from imagegen.generations.drill import Drill
from imagegen.models.registry import ModelRef, resolve
from operating.sample import REQUEST
from stacks.stage import LOCAL_STAGE
from tools.failures import LocalError

VARIABLE: Final = "DRILL"
# Which region it is does not matter for the id of a model.
_ANY_REGION: Final = "us-east-1"


class Environments(Protocol):
    """What a drill needs of the functions; `operating.functions.Functions` is it."""

    def environment(self) -> Mapping[str, str]:
        """Return their variables."""

    def set(self, variable: str, value: str) -> None:
        """Set one variable, and wait until it holds."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a caller got."""

    status: int
    body: Mapping[str, Any]

    def in_words(self) -> str:
        """Return it in one line."""
        if self.status == httpx.codes.OK:
            return f"{self.status}, drawn by {self.body.get('model')}, ${self.body.get('cost_usd', 0):g}"
        return f"{self.status} {self.body.get('code')}: {self.body.get('detail')}"


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """One drill: of which model and stage, how long at most, and how it is shown.

    `send` sends a request as a caller would; it is None where callers have no API keys. `ask` waits for a person; it is
    None where there is none.
    """

    stage: str
    model: str
    minutes: int
    functions: Environments
    send: Callable[[Mapping[str, Any]], Reply] | None
    ask: Callable[[str], str] | None
    approved: bool
    say: Callable[[str], None] = print
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)

    def run(self) -> None:
        """Begin the drill, show it, and end it.

        Raises:
            LocalError: the model is not one of the stage, nobody may or can agree, or a change failed.
        """
        others = self._others()
        self._confirm(others)
        until = (self.now() + timedelta(minutes=self.minutes)).replace(microsecond=0)
        self.say(
            f"{self.model} counts as retired in the stage {self.stage} now, until {until:%H:%M:%S}Z at the latest."
        )
        try:
            self.functions.set(VARIABLE, Drill(model=self.model, until=until).write())
            self._show()
        finally:
            # Whatever happened, an interruption too: callers of the stage get other images, or none.
            self._end(until)

    def _others(self) -> Sequence[ModelRef]:
        """Return the other models of the stage."""
        environment = self.functions.environment()
        if VARIABLE not in environment:
            raise LocalError(
                f"The functions of the stage {self.stage} know no drills: deploy this release first."
            )
        refs = [resolve(entry, region=_ANY_REGION) for entry in environment["MODELS"].split(",")]
        if self.model not in {ref.id for ref in refs}:
            listed = ", ".join(ref.id for ref in refs)
            raise LocalError(
                f"MODEL must be one of the models of the stage {self.stage}: {listed}, not {self.model!r}."
            )
        running = Drill.read(environment[VARIABLE])
        if running is not None and running.until > self.now():
            raise LocalError(
                f"A drill of {running.model} runs until {running.until:%H:%M:%S}Z: wait until it is over."
            )
        return [ref for ref in refs if ref.id != self.model]

    def _confirm(self, others: Sequence[ModelRef]) -> None:
        if self.send is None and self.ask is None:
            raise LocalError(
                "This stage has no API keys to send a request with, and there is no terminal to wait at: "
                "run the drill at a terminal, and send requests of your own."
            )
        if self.stage == LOCAL_STAGE or self.approved:
            return
        # A model that has ended refuses all requests, so callers would be told of images that they do not get.
        today = self.now().date()
        others = [ref for ref in others if ref.lifecycle.status(today) != "end_of_life"]
        prices = [ref.model.price.highest_micro_usd for ref in others]
        cost = f"makes one image of at most {dollars(max(prices))}" if prices else "costs nothing"
        serving = (
            f"served by {', '.join(ref.id for ref in others)}" if others else "refused with model_retired"
        )
        if self.ask is None:
            raise LocalError(
                "There is no terminal to confirm at: set APPROVE=never to run the drill without a question."
            )
        self.say(
            f"Requests of every caller of the stage {self.stage} will be {serving}. The drill itself {cost}."
        )
        if self.ask(f"Type {self.stage} to go on: ").strip() != self.stage:
            raise LocalError("Nothing was changed.")

    def _show(self) -> None:
        if self.send is not None:
            self.say(f"A request that pins it gets {self.send({**REQUEST, 'model': self.model}).in_words()}")
            self.say(f"Any other request gets {self.send(REQUEST).in_words()}")
        elif self.ask is not None:
            self.ask("Send requests of your own now. Press Enter to end the drill: ")

    def _end(self, until: datetime) -> None:
        try:
            self.functions.set(VARIABLE, "")
        except (LocalError, BotoCoreError, ClientError) as error:
            raise LocalError(
                f"The drill could not be ended ({error}). It ends by itself at {until:%H:%M:%S}Z."
            ) from error
        self.say("The drill is over: the functions call every model again.")
