"""A drill: for some minutes the service treats one of its models as if Bedrock had ended it.

`make drill` sets it, and it ends by itself, so that nobody can forget it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from imagegen.errors import ModelRetired, VendorRefusal
from imagegen.generations.ports import Clock, ModelRuntime
from imagegen.models.registry import ModelRef

REASON: Final = "drill"
"""What the log says instead of Bedrock's reason."""
_WRITTEN: Final = re.compile(r"(?P<model>[A-Za-z0-9.:-]{1,80})=(?P<until>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """Which model counts as retired, and until when (UTC)."""

    model: str
    until: datetime

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the drill of a variable's text; None if there is none, or if it cannot be read."""
        written = _WRITTEN.fullmatch(text)
        if written is None:
            return None
        try:
            until = datetime.fromisoformat(written["until"]).replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(model=written["model"], until=until)

    def write(self) -> str:
        """Return the text that `read` understands."""
        return f"{self.model}={self.until:%Y-%m-%dT%H:%M:%S}Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrilledRuntime:
    """A model runtime that does not call the model of a drill, but says of it what the adapter says of an ended one."""

    runtime: ModelRuntime
    drill: Drill
    clock: Clock

    def invoke(self, ref: ModelRef, body: bytes) -> bytes:
        """Send one request, unless its model counts as retired.

        Raises:
            ModelRetired: it does; nothing was sent.
        """
        if ref.id == self.drill.model and self.clock.now() < self.drill.until:
            raise ModelRetired(
                "The model counts as retired, because the operator rehearses its end.",
                refusal=VendorRefusal(reason=REASON, lasting=True),
            )
        return self.runtime.invoke(ref, body)


def drilled(runtime: ModelRuntime, text: str, *, clock: Clock) -> ModelRuntime:
    """Return the runtime as it is, or with the drill that a variable's text describes."""
    drill = Drill.read(text)
    return runtime if drill is None else DrilledRuntime(runtime=runtime, drill=drill, clock=clock)
