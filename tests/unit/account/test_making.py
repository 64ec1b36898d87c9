"""Images are made first only after their price was shown and somebody agreed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest

from benchmarks.account.logs import Logs, Span
from benchmarks.account.making import LONGEST, PAUSE, Making, wait_for_lines
from operating.drill import Reply
from tests.support.account_lines import Recorded, image
from tests.support.fakes import CORE, SDXL, ULTRA
from tools.failures import LocalError

TODAY = date(2026, 11, 29)
SPAN = Span(begin=datetime(2026, 11, 28, tzinfo=UTC), end=datetime(2026, 11, 29, tzinfo=UTC))
REFUSED = Reply(status=429, body={"code": "quota_exceeded", "detail": "The quota of the day is used."})


@dataclass
class Desk:
    """An operator's desk: what was said, what was sent, and the answers to questions."""

    answers: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    sent: list[Mapping[str, Any]] = field(default_factory=list)
    models: tuple[str, ...] = (SDXL, CORE, ULTRA)

    def send(self, body: Mapping[str, Any]) -> Reply:
        """Return the next reply, or an image."""
        self.sent.append(body)
        served = Reply(status=200, body={"id": f"gen_{len(self.sent)}", "model": CORE, "cost_usd": 0.04})
        return self.replies.pop(0) if self.replies else served

    def ask(self, question: str) -> str:
        """Return the next answer."""
        self.said.append(question)
        return self.answers.pop(0)

    def run(
        self, *, stage: str = "dev", terminal: bool = False, approved: bool = False, keys: bool = True
    ) -> list[str]:
        """Make three images."""
        making = Making(
            stage=stage,
            images=3,
            models=self.models,
            send=self.send if keys else None,
            ask=self.ask if terminal else None,
            approved=approved,
            say=self.said.append,
        )
        return list(making.run(today=TODAY))


def test_a_person_agrees_to_the_price_of_the_dearest_living_model() -> None:
    """Stable Image Ultra costs 14 cents."""
    desk = Desk(answers=["dev"])
    assert desk.run(terminal=True) == ["gen_1", "gen_2", "gen_3"]
    assert desk.said[:2] == [
        "The stage dev will make 3 images of at most $0.14 each, $0.42 together.",
        "Type dev to go on: ",
    ]
    assert desk.said[2] == f"Image 1 of 3: 200, drawn by {CORE}, $0.04."


def test_a_model_that_has_ended_is_in_no_price() -> None:
    """SDXL could cost 8 cents."""
    desk = Desk(answers=["dev"], models=(SDXL, CORE))
    desk.run(terminal=True)
    assert desk.said[0] == "The stage dev will make 3 images of at most $0.04 each, $0.12 together."


@pytest.mark.parametrize("answer", ["", "y", "prod"])
def test_anything_but_the_name_of_the_stage_makes_nothing(answer: str) -> None:
    """It is easy to press Enter."""
    desk = Desk(answers=[answer])
    with pytest.raises(LocalError, match=r"^No image was made\.$"):
        desk.run(terminal=True)
    assert desk.sent == []


def test_without_a_terminal_the_variable_agrees() -> None:
    """Without it, the sentence has the price."""
    desk = Desk()
    with pytest.raises(
        LocalError, match=r"^There is no terminal to confirm 3 images of at most \$0\.14 each"
    ):
        desk.run()
    assert desk.sent == []
    assert len(desk.run(approved=True)) == 3


def test_nobody_is_asked_about_the_local_service() -> None:
    """Its images cost nothing."""
    assert len(Desk().run(stage="local")) == 3


def test_without_keys_no_image_can_be_made() -> None:
    """The commands have no credentials of a caller."""
    with pytest.raises(LocalError, match=r"^IMAGES must be 0 for the stage dev, because"):
        Desk().run(approved=True, keys=False)


def test_a_refusal_says_how_many_images_are_paid() -> None:
    """The next one is not asked for."""
    desk = Desk(replies=[Reply(status=200, body={"id": "g", "model": CORE, "cost_usd": 0.04}), REFUSED])
    with pytest.raises(LocalError) as caught:
        desk.run(approved=True)
    assert str(caught.value) == (
        "Request 2 of 3 got 429 quota_exceeded: The quota of the day is used. Images that were made before: 1."
    )
    assert len(desk.sent) == 2


def waited(*pages: str) -> tuple[bool, list[float]]:
    """Wait for one image in a group that has these lines, one after the other."""
    recorded = Recorded.of("logs")
    for line in pages:
        recorded.stubber.add_response("filter_log_events", {"events": [{"message": line}] if line else []})
    waits: list[float] = []
    found = wait_for_lines(
        ["gen_1"],
        logs=lambda: Logs(client=recorded.client, span=SPAN),
        groups=["A"],
        wait=waits.append,
    )
    return found, waits


def test_it_waits_until_the_logs_have_the_image() -> None:
    """CloudWatch has them after some seconds."""
    line = image("gen_1", seconds=1, model_seconds=1, invocation="1")
    assert waited("", line) == (True, [PAUSE])


def test_it_does_not_wait_for_ever() -> None:
    """The table then lacks some images."""
    tries = LONGEST // PAUSE
    assert waited(*[""] * tries) == (False, [PAUSE] * tries)
