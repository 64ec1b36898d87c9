"""`make bench` on real parts: Lambda's own runtime client, the built functions, and TLS; no figure is judged here."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from benchmarks import memory, share, start_up, warm
from benchmarks.__main__ import main
from benchmarks.contenders import generation_event
from benchmarks.environments import Contender, Environment, cpu_seconds, served
from benchmarks.fleet import Fleet, fleet
from benchmarks.installed import Installed, install
from benchmarks.keys import authorizer_event, store_key
from benchmarks.parts import PARTS
from tools.failures import LocalError

if TYPE_CHECKING:
    from benchmarks.results import Figure

pytestmark = pytest.mark.slow

SMALL: Final = 50_000
MAKERS: Final = ("by hand", "naive", "powertools", "api")


@pytest.fixture(scope="module")
def installed() -> Installed:
    """Build what is measured."""
    return install()


@pytest.fixture(scope="module")
def running(installed: Installed) -> Iterator[Fleet]:
    """Start the stand-ins."""
    with fleet(installed) as started:
        yield started


@contextmanager
def of_source(source: str, installed: Installed, folder: Path) -> Iterator[Environment]:
    """Run a function that has this source."""
    (folder / "handler.py").write_text(source, encoding="utf-8")
    contender = Contender(name="f", handler="handler.lambda_handler", folders=(folder,), variables={})
    with Environment(contender, python=installed.python, client=installed.client) as environment:
        yield environment


@pytest.mark.parametrize("name", MAKERS)
def test_every_contender_stores_the_models_image(name: str, running: Fleet) -> None:
    """A floor that left out the image would be too low."""
    running.control(image_bytes=SMALL)
    with running.start(name) as environment:
        running.control()
        reply = environment.invoke(generation_event())
        counted = running.control()
    assert reply["statusCode"] == 200, reply
    assert "X-Amz-Signature=" in reply["body"] or "Signature=" in reply["body"]
    # The service's own mark makes the file a little larger.
    assert SMALL <= counted["bytes stored"] < SMALL + 3_000
    assert (counted["bedrock InvokeModel"], counted["s3 PutObject"]) == (1, 1)


def test_the_authorizer_accepts_the_stored_key_and_no_other(running: Fleet) -> None:
    """Otherwise the figure would be that of a refusal."""
    key = store_key(running)
    with running.start("authorizer") as environment:
        replies = [environment.invoke(authorizer_event(sent)) for sent in (key, None)]
    assert [reply["policyDocument"]["Statement"][0]["Effect"] for reply in replies] == ["Allow", "Deny"]


def test_cpu_time_is_the_functions_own(installed: Installed, tmp_path: Path) -> None:
    """The CPU time until ready and of one event is read from outside; waiting is not part of it."""
    source = (
        "import time\n"
        "def burn(seconds):\n"
        "    ends = time.process_time() + seconds\n"
        "    while time.process_time() < ends: pass\n"
        "burn(0.3)\n"
        "time.sleep(0.5)\n"
        "def lambda_handler(event, context):\n"
        "    burn(event['burn']); time.sleep(0.5)\n"
        "    return event\n"
    )
    began = time.perf_counter()
    with of_source(source, installed, tmp_path) as environment:
        started, ready = environment.start_cpu, time.perf_counter()
        assert environment.invoke({"burn": 0.2}) == {"burn": 0.2}
        burnt, replied = environment.cpu - started, time.perf_counter()
    # A process of one thread uses no more than the time that it did not sleep, however fast the machine is.
    assert 0.3 <= started <= ready - began - 0.5
    assert 0.2 <= burnt <= replied - ready - 0.5


def test_a_function_that_cannot_start_says_why(installed: Installed, tmp_path: Path) -> None:
    """The reason comes from the runtime client."""
    with (
        pytest.raises(LocalError, match=r"A function did not start: .*no such thing"),
        of_source("raise RuntimeError('no such thing')", installed, tmp_path),
    ):
        pass


def test_a_function_that_fails_is_no_fast_reply(installed: Installed, tmp_path: Path) -> None:
    """A fast error would look like a good figure."""
    source = "def lambda_handler(event, context):\n    raise RuntimeError('broken')\n"
    with (
        of_source(source, installed, tmp_path) as environment,
        pytest.raises(LocalError, match=r"A function failed: .*broken"),
    ):
        environment.invoke({})


def test_a_refused_request_is_no_fast_one(installed: Installed, tmp_path: Path) -> None:
    """Its time would look like a good figure."""
    source = "def lambda_handler(event, context):\n    return {'statusCode': 502, 'body': 'no image'}\n"
    with (
        of_source(source, installed, tmp_path) as environment,
        pytest.raises(LocalError, match=r"^f replied .*no image"),
    ):
        served(environment, {})


def test_a_stopped_environment_leaves_no_process(installed: Installed, tmp_path: Path) -> None:
    """This holds also if it is stopped twice."""
    with of_source("def lambda_handler(event, context): return 1\n", installed, tmp_path) as environment:
        pid = environment.pid
        environment.close()
    with pytest.raises(OSError):  # noqa: PT011 - the clock of a process that is gone
        cpu_seconds(pid)


@pytest.mark.thorough
def test_each_part_returns_its_figures(running: Fleet) -> None:
    """Each part runs in the smallest size, and every figure with a bound is there."""
    figures: list[Figure] = [
        *start_up.measure(running, rounds=1),
        *warm.measure(running, rounds=1, warm_up=1),
        *warm.measure_authorizer(running, rounds=2),
        *warm.count_round_trips(running),
        *memory.measure_growth(running, requests=5, warm_up=1),
    ]
    named = {figure.name: figure for figure in figures}
    assert len(named) == len(figures)
    assert {name for name, figure in named.items() if figure.must is not None} == {
        "start-up of api / SDK alone",
        "start-up of worker / SDK alone",
        "start-up of authorizer / SDK alone",
        "warm request / by hand, table apart",
        "warm request, all of it / naive",
        "authorizer, a key that is read",
        "growth of the peak over 5 requests",
        "growth of what is held over 5 requests",
    }
    # A slow floor is no fault of ours.
    assert {name for name, figure in named.items() if figure.compared and figure.unit == "×"} == {
        "start-up of api / SDK alone",
        "start-up of worker / SDK alone",
        "start-up of authorizer / SDK alone",
        "warm request / by hand, table apart",
        "warm request, all of it / naive",
    }
    table = named["of which the table"].value
    assert 0 < table < named["warm request, api"].value
    assert named["calls of bedrock for one generation"].value == 1


def test_the_share_leaves_the_models_seconds_out(running: Fleet) -> None:
    """Where this system lets processor time be limited; elsewhere a sentence says what is missing."""
    limited = os.access(share.GROUPS, os.W_OK)
    refused = contextlib.nullcontext() if limited else pytest.raises(LocalError, match="needs root")
    with refused:
        (figure,) = share.measure(running, model_seconds=0.3, generations=2)
        assert 0 < figure.value < 1_000


def test_without_control_groups_a_sentence_stands_for_the_share(running: Fleet, tmp_path: Path) -> None:
    """The other figures are measured all the same."""
    with pytest.raises(LocalError, match="needs root and control groups of Linux"):
        share.measure(running, model_seconds=0.1, generations=1, groups=tmp_path / "none")


def test_a_part_that_fails_loses_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its sentence is told, and the exit status is 1."""

    def fail(_: Fleet) -> list[Figure]:
        raise LocalError("The queue never came.")

    monkeypatch.setitem(PARTS, "drain", fail)
    assert main({"ONLY": "drain bundle"}) == 1
    said = capsys.readouterr()
    assert "drain: The queue never came." in said.err
    assert "zip of the functions, everything included" in said.out


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ONLY": "start-up speed"}, "ONLY names speed; the parts are start-up, warm, "),
        ({"SAVE": "yes"}, "SAVE must be 1, to keep the figures, or be left out."),
        ({"SAVE": "1", "ONLY": "warm"}, "SAVE=1 keeps all figures, so it goes without ONLY."),
    ],
)
def test_a_wrong_variable_is_refused_before_anything_is_measured(
    given: dict[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names what is allowed."""
    assert main(given) == 1
    assert capsys.readouterr().err.startswith(sentence)
