"""A batch of the command line pays once for each line, however often it is interrupted."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.deployed_stack import Stack, StandIn
from tests.support.stack_callers import awaited

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def command(stack: Stack, tmp_path: Path) -> CommandLine:
    """The command of a caller of the deployed stack."""
    return CommandLine.of(stack, folder=tmp_path)


@pytest.fixture
def word(stand_in: StandIn) -> str:
    """A word that stands in the prompts of one test only; its pictures take a moment."""
    found = f"tea{secrets.token_hex(8)}"
    slow = {"prompt": found, "action": {"type": "latency", "seconds": 0.2}}
    stand_in.client.post("/_control/rules", json={"instant": True, "rules": [slow]}).raise_for_status()
    return found


def interrupt(
    command: CommandLine,
    stand_in: StandIn,
    *,
    after: int,
    stop: Callable[..., None],
    arguments: tuple[str, ...],
) -> int:
    """Run a batch until so many of its pictures are there and others are being made; stop it, and return its code."""
    with command.start(*arguments) as process:
        assert process.stdout is not None
        assert len(list(islice(process.stdout, after))) == after
        awaited(lambda: stand_in.calls()["in_flight"] or None, "a picture that is being made")
        stop(process)
        process.communicate()
    return process.returncode


def test_an_interrupted_batch_goes_on_and_pays_once(
    command: CommandLine, stand_in: StandIn, word: str, tmp_path: Path
) -> None:
    """A batch of 20 is killed, interrupted by Ctrl-C, and ended: 20 pictures, and exactly 20 paid calls."""
    prompts = [f"{word} number {number // 2}" for number in range(20)]  # each stands there twice
    (tmp_path / "tea.txt").write_text("\n".join(prompts), encoding="utf-8")
    arguments = ("batch", "tea.txt", "--concurrency", "3")

    killed = interrupt(command, stand_in, after=6, stop=lambda it: it.kill(), arguments=arguments)
    assert killed == -signal.SIGKILL

    stopped = interrupt(
        command, stand_in, after=4, stop=lambda it: it.send_signal(signal.SIGINT), arguments=arguments
    )
    assert stopped == 130

    ended = command.run(*arguments)
    assert (ended.code, ended.err.count("\n")) == (0, 1)
    assert "20 of 20 pictures are in tea" in ended.err
    assert "The batch has cost $0.80" in ended.err

    pictures = sorted((tmp_path / "tea").glob("*.png"))
    assert len(pictures) == 20
    assert all(each.read_bytes().startswith(PNG) for each in pictures)
    assert {each.suffix for each in (tmp_path / "tea").iterdir()} == {".png", ".jsonl"}

    log = stand_in.calls(prompt=word)
    assert (log["billed"], log["painted"]) == (20, 20)
    assert {facts["billed"] for facts in log["prompts"].values()} == {2}


@pytest.mark.thorough
def test_a_finished_batch_asks_for_nothing(
    command: CommandLine, stand_in: StandIn, word: str, tmp_path: Path
) -> None:
    """A picture that was removed is fetched again under its key, and costs nothing; a new line is made."""
    lines = "".join(f"{word} {name}\n" for name in ("green", "black")).encode()
    first = command.run("batch", "-", "-o", "out", given=lines)
    assert (first.code, sorted(first.lines)) == (
        0,
        [f"out/0001-{word}-green.png", f"out/0002-{word}-black.png"],
    )
    before = stand_in.calls(prompt=word)["calls"]

    again = command.run("batch", "-", "-o", "out", given=lines)
    assert (again.code, again.lines) == (0, [])
    assert "0 made now, 2 before" in again.err
    assert stand_in.calls(prompt=word)["calls"] == before

    (tmp_path / "out" / f"0001-{word}-green.png").unlink()
    more = command.run("batch", "-", "-o", "out", "--json", given=f"{word} white\n".encode() + lines)
    *pictures, totals = [json.loads(line) for line in more.lines]
    assert {each["file"] for each in pictures} == {f"out/0001-{word}-white.png", f"out/0001-{word}-green.png"}
    assert totals == {
        "pictures": 3,
        "done": 3,
        "made_now": 2,
        "failed": 0,
        "cost_usd": 0.12,
        "cost_usd_now": 0.04,
    }
    assert stand_in.calls(prompt=word)["billed"] == 3


@pytest.mark.thorough
def test_each_line_that_fails_says_why(
    command: CommandLine, stand_in: StandIn, word: str, tmp_path: Path
) -> None:
    """The others are made; a second run pays for nothing, and with --pay-again for what was lost."""
    faults = {
        "content_filtered": "filtered",
        "bad_model_response": "empty",
        "outcome_unknown": "close",
        "model_timeout": {"type": "error", "name": "ModelTimeoutException"},
        "invalid_parameter": {"type": "error", "name": "ValidationException"},
    }
    stand_in.set_rules(*({"prompt": f"{word} {code}", "action": action} for code, action in faults.items()))
    lines = [
        *({"prompt": f"{word} {code}"} for code in faults),
        {
            "prompt": f"{word} good",
            "negative": "people",
            "seed": 7,
            "style_preset": "anime",
            "output": "good.png",
        },
        {"prompt": f"{word} wrong", "steps": 1},
    ]
    (tmp_path / "tea.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")

    first = command.run("batch", "tea.jsonl", "--json")
    problems = {each["line"]: each for each in map(json.loads, first.err.splitlines())}
    assert [problems[line]["code"] for line in range(1, 6)] == list(faults)
    assert [problems[line]["charged"] for line in range(1, 6)] == ["yes", "maybe", "maybe", "maybe", "no"]
    assert problems[7]["errors"][0]["field"] == "steps"
    assert first.code in {2, 5}
    assert json.loads(first.lines[-1])["cost_usd"] == 0.2
    assert (tmp_path / "tea" / "good.png").read_bytes().startswith(PNG)
    assert stand_in.calls(prompt=word)["billed"] == 5

    second = command.run("batch", "tea.jsonl")
    assert "1 of 7 pictures are in tea: 0 made now, 1 before, 6 failed" in second.err
    assert "The batch has cost $0.20, of which $0.00 in this run." in second.err
    assert stand_in.calls(prompt=word)["billed"] == 5

    stand_in.reset()
    stand_in.client.post("/_control/rules", json={"instant": True}).raise_for_status()
    third = command.run("batch", "tea.jsonl", "--pay-again", "--json")
    assert json.loads(third.lines[-1]) == {
        "pictures": 7,
        "done": 6,
        "made_now": 5,
        "failed": 1,
        "cost_usd": 0.4,
        "cost_usd_now": 0.2,
    }
    assert third.code == 2
    assert stand_in.calls(prompt=word)["billed"] == 5
