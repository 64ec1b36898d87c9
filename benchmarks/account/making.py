"""Makes some images first, which are paid, so that an idle stage has something to measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import httpx

from benchmarks.account import lines
from benchmarks.account.logs import Logs
from imagegen.generations.charges import dollars
from imagegen.models.registry import resolve
from operating.drill import Reply
from operating.sample import REQUEST
from stacks.stage import LOCAL_STAGE
from tools.failures import LocalError

LONGEST: Final = 120
"""Seconds to wait until CloudWatch has the lines about the last image."""
PAUSE: Final = 5
# The region does not change the price.
_ANY_REGION: Final = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class Making:
    """How many images are made, in which stage, and who has to agree.

    `models` are the entries of the stage. `send` sends a request as a caller would; it is None where callers have no
    API keys. `ask` waits for a person; it is None where there is none.
    """

    stage: str
    images: int
    models: Sequence[str]
    send: Callable[[Mapping[str, Any]], Reply] | None
    ask: Callable[[str], str] | None
    approved: bool
    say: Callable[[str], None] = print

    def run(self, *, today: date) -> Sequence[str]:
        """Make the images one after the other, and return the ids of their generations.

        Raises:
            LocalError: nobody agrees, nobody can be asked, or a request got no image; the images before it are paid.
        """
        send = self._checked()
        self._confirm(today)
        made: list[str] = []
        for number in range(1, self.images + 1):
            reply = send(REQUEST)
            if reply.status != httpx.codes.OK:
                raise LocalError(
                    f"Request {number} of {self.images} got {reply.in_words()} "
                    f"Images that were made before: {len(made)}."
                )
            self.say(f"Image {number} of {self.images}: {reply.in_words()}.")
            made.append(str(reply.body.get("id")))
        return made

    def _checked(self) -> Callable[[Mapping[str, Any]], Reply]:
        if self.send is None:
            raise LocalError(
                f"IMAGES must be 0 for the stage {self.stage}, because its callers have no API keys: "
                "make images of your own."
            )
        return self.send

    def _confirm(self, today: date) -> None:
        if self.stage == LOCAL_STAGE or self.approved:
            return
        refs = [resolve(entry, region=_ANY_REGION) for entry in self.models]
        living = [ref for ref in refs if ref.lifecycle.status(today) != "end_of_life"]
        dearest = max((ref.model.price.highest_micro_usd for ref in living or refs), default=0)
        price = f"{self.images} images of at most {dollars(dearest)} each, {dollars(dearest * self.images)} together"
        if self.ask is None:
            raise LocalError(
                f"There is no terminal to confirm {price} at: set APPROVE=never to make them without a question."
            )
        self.say(f"The stage {self.stage} will make {price}.")
        if self.ask(f"Type {self.stage} to go on: ").strip() != self.stage:
            raise LocalError("No image was made.")


def wait_for_lines(
    ids: Sequence[str],
    *,
    logs: Callable[[], Logs],
    groups: Sequence[str],
    wait: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the logs have a line about each generation, which takes some seconds, and return whether they have."""
    for _ in range(LONGEST // PAUSE):
        reader = logs()
        found = "\n".join(line for group in groups for line in reader.lines(group, containing=lines.IMAGE))
        if all(id_ in found for id_ in ids):
            return True
        wait(PAUSE)
    return False
