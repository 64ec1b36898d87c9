"""Every error code of the service, as the command `imagegen` tells it: the exit code, the words, and what was paid.

A server on loopback replies as the service does, so codes that nobody can cause from outside are among them.
`test_command_line.py` causes the others on the deployed stack.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from imagegen.errors import ImagegenError, error_types
from tests.support.client_steps import ID, KEY, generation, problem
from tests.support.faulty_server import HANGING, FaultyServer, Reply, cut, whole
from tests.support.preloaded import Preloaded
from tests.support.stack_callers import awaited

CALLER, WAIT, OPERATOR, SERVICE = (2, "caller"), (3, "time"), (4, "operator"), (5, "service")
FREE: Final = "Something is so. Nothing was paid."
PAID: Final = "Something is so. The request was paid for."
UNKNOWN: Final = "Something is so. Nobody can know whether the request was paid for."
STILL: Final = f"It may still turn up: `imagegen save {ID}`."
AGAIN: Final = "The same key brings this failure again. Another key makes another picture"
REQUEST: Final = "Request id: 8f5a2c1e."


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the command tells: its exit code and who can act, and the parts of its sentence."""

    who: tuple[int, str]
    words: tuple[str, ...]


def told(who: tuple[int, str], *words: str) -> Told:
    """Return one row of the table."""
    return Told(who=who, words=words)


CODES: Final = {
    "invalid_json": told(CALLER, FREE),
    "unsupported_media_type": told(CALLER, FREE),
    "payload_too_large": told(CALLER, FREE),
    "invalid_parameter": told(CALLER, FREE),
    "unknown_parameter": told(CALLER, FREE),
    "unsupported_parameter": told(CALLER, FREE),
    "unknown_model": told(CALLER, FREE, "`imagegen models` lists the models."),
    "unauthorized": told(CALLER, FREE, "`imagegen config` shows which key is used"),
    "forbidden": told(CALLER, FREE),
    "not_found": told(CALLER, FREE, "`imagegen history` lists your generations."),
    "method_not_allowed": told(CALLER, FREE),
    "gone": told(CALLER, FREE, f"Make it again with its seed: `imagegen again {ID}`."),
    "idempotency_conflict": told(CALLER, FREE, "Leave --idempotency-key out"),
    "content_filtered": told(CALLER, PAID, "Change the prompt."),
    "in_progress": told(
        WAIT, "It is not done, and may be paid for.", f"`imagegen save {ID}` waits for it, and gets it at no"
    ),
    "rate_limited": told(WAIT, FREE, "Try again in 2 hours."),
    "quota_exceeded": told(WAIT, FREE, "Try again in 2 hours. `imagegen usage` shows your limits."),
    "model_throttled": told(WAIT, FREE, "Try again in 2 hours."),
    "model_unavailable": told(WAIT, FREE, "Try again in 2 hours."),
    "model_retired": told(OPERATOR, FREE, "Choose another --model", REQUEST),
    "misconfigured": told(OPERATOR, FREE, "Tell the operator.", REQUEST),
    "outcome_unknown": told(SERVICE, UNKNOWN, STILL, REQUEST),
    "model_timeout": told(SERVICE, UNKNOWN, STILL, REQUEST),
    "bad_model_response": told(SERVICE, UNKNOWN, AGAIN, REQUEST),
    "store_failed": told(SERVICE, PAID, STILL, REQUEST),
    "internal_error": told(SERVICE, FREE, "If it stays, tell the operator.", REQUEST),
}
RECORDED: Final = (
    "content_filtered",
    "outcome_unknown",
    "model_timeout",
    "bad_model_response",
    "store_failed",
)
"""Codes of failures that may have been paid; a repeat with the same key brings such a failure again."""

REPEATED: Final = ("outcome_unknown", "model_timeout", "store_failed", "internal_error")
"""Codes that the gateway also reports while the picture is made, so the command asks once more with the same key."""


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preloaded]:
    """The command, loaded once for this module."""
    with Preloaded(folder=tmp_path_factory.mktemp("preloaded")) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the command."""
    return tmp_path


def variables(server: FaultyServer) -> dict[str, str]:
    """Return the environment of somebody whose service this server is."""
    return {"IMAGEGEN_URL": f"{server.url}/v1", "IMAGEGEN_API_KEY": "ig_key"}


def failing(kind: type[ImagegenError], *, replayed: bool = False) -> Reply:
    """Return the reply of a service that fails; a wait would be longer than anybody has."""
    headers = ["Content-Type: application/problem+json", f"Location: /v1/generations/{ID}"]
    if kind.kind.retryable:
        headers.append("Retry-After: 7200")
    if replayed:
        headers.append("Idempotent-Replayed: true")
    return whole(kind.kind.status, json.dumps(problem(kind)).encode(), headers)


def keys(server: FaultyServer) -> list[str]:
    """Return the idempotency key of each request for a picture."""
    return [each.header("idempotency-key") for each in server.requests if each.head.startswith("POST ")]


def test_the_table_has_every_code_of_the_service() -> None:
    """A new code has to be put into the table, with what the command should say."""
    assert list(CODES) == [kind.kind.code for kind in error_types()]
    assert {kind.kind.code for kind in error_types() if kind.kind.paid != "no"} == set(RECORDED)


@pytest.mark.parametrize("kind", error_types(), ids=lambda kind: kind.kind.code)
def test_each_code_is_a_sentence_and_an_object(
    preloaded: Preloaded, folder: Path, kind: type[ImagegenError]
) -> None:
    """Nothing is on stdout and in the folder; a repeat by the command itself has the same key, and so pays nothing."""
    code, (exit_code, who), words = kind.kind.code, CODES[kind.kind.code].who, CODES[kind.kind.code].words
    with FaultyServer(failing(kind), failing(kind, replayed=code in RECORDED)) as server:
        own = variables(server)
        ended = preloaded.run("tea", "--json", "--timeout", "5", folder=folder, variables=own)
        asked = keys(server)
    with FaultyServer(failing(kind)) as server:
        own = variables(server)
        arguments = ("tea", "--idempotency-key", KEY, "--timeout", "1")
        said = preloaded.run(*arguments, folder=folder, variables=own)
        asked_again = keys(server)

    found = json.loads(ended.err)
    assert (ended.code, found["code"], found["who"], found["exit_code"]) == (exit_code, code, who, exit_code)
    assert found["charged"] == ("maybe" if code == "in_progress" else kind.kind.paid)
    assert (found["status"], found["request_id"], found["generation_id"]) == (
        kind.kind.status,
        "8f5a2c1e",
        ID,
    )
    assert found["idempotency_key"] == asked[0]
    assert len(set(asked)) == 1

    assert said.code == exit_code
    (sentence,) = said.err.splitlines()
    assert [each for each in words if each not in sentence] == []
    assert set(asked_again) == {KEY}
    if not kind.kind.retryable and code not in REPEATED:
        assert (len(asked), len(asked_again)) == (1, 1)
    assert (ended.content, said.content, list(folder.iterdir())) == (b"", b"", [])


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tea", "--idempotency-key", KEY), f"add `--idempotency-key {KEY}`"),
        (("batch", "tea.txt"), "Run the same command again: it goes on, and pays for nothing twice."),
    ],
    ids=["generate", "batch"],
)
def test_a_command_that_is_told_to_end_says_how_to_go_on(
    preloaded: Preloaded, folder: Path, name: str, arguments: tuple[str, ...], words: str
) -> None:
    """Ctrl-C, a system that shuts down, and a terminal that is closed."""
    (folder / "tea.txt").write_text("tea\n", encoding="utf-8")
    with FaultyServer(HANGING) as server:
        started = preloaded.start(*arguments, folder=folder, variables=variables(server))
        awaited(lambda: keys(server) or None, "the request")
        started.send_signal(signal.Signals[name])
        ended = started.ended()
    assert ended.code == 130
    (said,) = ended.err.splitlines()
    assert said.startswith("Interrupted. ")
    assert words in said


def test_a_picture_whose_bytes_are_cut_is_fetched_later(preloaded: Preloaded, folder: Path) -> None:
    """The command leaves no half file, and `save` gets the whole picture without another request for one."""
    content = b"\x89PNG the picture"
    mended: list[bool] = []
    with FaultyServer(lambda _: (whole if mended else cut)(200, content)) as bucket:
        made = generation()
        artifact = {**made["artifacts"][0], "url": f"{bucket.url}/a.png"}
        with FaultyServer(whole(200, json.dumps({**made, "artifacts": [artifact]}).encode())) as server:
            own = variables(server)
            lost = preloaded.run("tea", "--timeout", "1", folder=folder, variables=own)
            assert (lost.code, list(folder.iterdir())) == (5, [])
            assert f"It is paid for: `imagegen save {ID}` gets it at no cost." in lost.err
            mended.append(True)
            saved = preloaded.run("save", ID, "-o", "tea.png", folder=folder, variables=own)
            assert (saved.code, (folder / "tea.png").read_bytes()) == (0, content)
            assert len(keys(server)) == 1
