"""The command `imagegen` on the deployed stack: every option, and every kind of failure."""

from __future__ import annotations

import io
import json
import os
import pty
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.command_line import CommandLine, Ended
from tests.support.deployed_stack import Stack, StandIn
from tests.support.faulty_server import FaultyServer, whole
from tests.support.stack_callers import awaited, fresh_key, keys_of

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def instant(stand_in: StandIn) -> None:
    """Let the model answer at once."""
    stand_in.client.post("/_control/rules", json={"instant": True}).raise_for_status()


@pytest.fixture
def word() -> str:
    """A word that stands in the prompts of one test only."""
    return f"tea{secrets.token_hex(8)}"


@pytest.fixture
def command(stack: Stack, tmp_path: Path) -> CommandLine:
    """The command of a caller without a history."""
    return CommandLine.of(stack, folder=tmp_path, api_key=fresh_key(stack))


def one(ended: Ended) -> dict[str, Any]:
    """Return the one JSON object that a command wrote."""
    assert ended.code == 0, ended.err
    (line,) = ended.lines
    found: dict[str, Any] = json.loads(line)
    return found


def problem(ended: Ended) -> tuple[int, str, str]:
    """Return the exit code, the code and `charged` of a failure in JSON."""
    (line,) = ended.err.splitlines()
    found = json.loads(line)
    return ended.code, found["code"], found["charged"]


def test_a_prompt_alone_makes_a_picture(
    command: CommandLine, stand_in: StandIn, word: str, tmp_path: Path
) -> None:
    """Stdout has the file alone, so that a script can use it."""
    made = command.run(f"{word} plantation")
    assert made.code == 0
    (name,) = made.lines
    assert name.startswith("imagegen-gen_")
    assert (tmp_path / name).read_bytes().startswith(PNG)
    assert "1024x1024, seed " in made.err
    assert "$0.04" in made.err
    assert stand_in.calls(prompt=word)["billed"] == 1


@pytest.mark.thorough
def test_every_option_reaches_the_service(command: CommandLine, tmp_path: Path, word: str) -> None:
    """The generation shows the request as it was asked for."""
    arguments = (
        *(word, "-o", "tea.jpg", "--json", "--style", "anime", "--seed", "7", "--size", "1344x768"),
        *("--negative", "people", "--negative", "cars", "--add", "0.5:mist", "--weight", "2"),
        *("--cfg-scale", "10", "--clip-guidance", "FAST_BLUE", "--sampler", "K_EULER", "--steps", "50"),
        *("--extras", '{"a": 1}', "--model", "stability.stable-image-core-v1:1", "--no-strict"),
        *("--idempotency-key", word, "--timeout", "600", "--output-format", "jpeg"),
    )
    made = one(command.run(*arguments))
    assert (made["file"], made["replayed"], made["artifacts"][0]["seed"]) == ("tea.jpg", False, 7)
    with Image.open(io.BytesIO((tmp_path / "tea.jpg").read_bytes())) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1344, 768))
    shown = one(command.run("show", made["id"], "--json"))
    assert shown["request"] == {
        "text_prompts": [
            {"text": word, "weight": 2.0},
            {"text": "mist", "weight": 0.5},
            {"text": "people", "weight": -1.0},
            {"text": "cars", "weight": -1.0},
        ],
        "width": 1344,
        "height": 768,
        "cfg_scale": 10.0,
        "clip_guidance_preset": "FAST_BLUE",
        "sampler": "K_EULER",
        "samples": 1,
        "seed": 7,
        "steps": 50,
        "style_preset": "anime",
        "extras": {"a": 1},
        "output_format": "jpeg",
        "model": "stability.stable-image-core-v1:1",
        "strict": False,
    }
    again = one(command.run(*arguments, "--force"))
    assert (again["id"], again["replayed"]) == (made["id"], True)


@pytest.mark.thorough
def test_several_pictures_have_several_seeds(
    command: CommandLine, stand_in: StandIn, word: str, tmp_path: Path
) -> None:
    """A command that is repeated with its key pays only for the pictures that are new."""
    first = command.run(word, "-n", "2", "-o", "tea.png", "--seed", "7", "--idempotency-key", word)
    assert (first.code, sorted(first.lines)) == (0, ["tea-1.png", "tea-2.png"])
    (tmp_path / "more").mkdir()
    more = command.run(word, "-n", "3", "-o", "more/", "--seed", "7", "--idempotency-key", word, "--json")
    made = [json.loads(line) for line in more.lines]
    assert sorted((each["artifacts"][0]["seed"], each["replayed"]) for each in made) == [
        (7, True),
        (8, True),
        (9, False),
    ]
    assert {each["file"] for each in made} == {f"more/imagegen-{each['id']}.png" for each in made}
    assert stand_in.calls(prompt=word)["billed"] == 3


@pytest.mark.thorough
def test_a_job_is_made_without_a_connection(command: CommandLine, word: str) -> None:
    """It is waited for, or saved later."""
    waited = one(command.run(word, "--async", "-o", "a.png", "--json"))
    assert (waited["status"], waited["file"]) == ("succeeded", "a.png")
    (id_,) = command.run(word, "--async", "--no-wait").lines
    saved = command.run("save", id_, "-o", "b.png")
    assert (saved.code, saved.lines) == (0, ["b.png"])
    assert (command.folder / "b.png").read_bytes().startswith(PNG)


def test_a_picture_goes_through_pipes(command: CommandLine, word: str) -> None:
    """The prompt comes from stdin, and the bytes go to stdout."""
    prompt = f"{word} \N{TEACUP WITHOUT HANDLE} thé"
    made = command.run("-", "-o", "-", given=f"{prompt}\n".encode())
    assert made.code == 0
    assert made.content.startswith(PNG)
    (listed,) = command.run("history", "--json").lines
    assert json.loads(listed)["request"]["text_prompts"][0]["text"] == prompt


@pytest.mark.thorough
def test_a_picture_is_made_again_with_the_next_seed(command: CommandLine, word: str) -> None:
    """What is not changed stays as it was; the history, the usage and the models are those of the caller."""
    first = one(command.run(word, "--style", "anime", "--seed", "7", "--json"))
    second = one(command.run("again", first["id"], "--seed", "+1", "--steps", "40", "--json"))
    requests = [one(command.run("show", each["id"], "--json"))["request"] for each in (first, second)]
    assert requests[1] == {**requests[0], "seed": 8, "steps": 40}

    listed = [json.loads(line) for line in command.run("history", "--all", "--json").lines]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]
    table = command.run("history", "--limit", "1")
    assert second["id"] in table.out
    assert first["id"] not in table.out
    assert one(command.run("usage", "--days", "1", "--json"))["days"][0]["images"] == 2
    assert "Left today: no limit." in command.run("usage").out
    models = command.run("models", "--json")
    assert [each["id"] for each in json.loads(models.out)][-1] == "stability.stable-image-core-v1:1"
    assert "stability.stable-image-core-v1:1" in command.run("models").out


@pytest.mark.thorough
def test_a_picture_is_shown_opened_and_deleted(command: CommandLine, word: str) -> None:
    """Without a terminal and a browser, the command says how to look at it."""
    id_ = one(command.run(word, "--json"))["id"]
    shown = command.run("show", id_)
    assert word in shown.out
    assert f"imagegen open {id_}" in shown.out
    assert command.run("open", id_).out.startswith("http")
    assert command.run("delete", "--yes", id_).lines == [id_]
    assert problem(command.run("show", id_, "--json")) == (2, "not_found", "no")
    assert problem(command.run("delete", "-y", id_, "--json")) == (2, "not_found", "no")


@pytest.mark.parametrize(
    ("action", "ended"),
    [
        ("filtered", (2, "content_filtered", "yes")),
        ({"type": "account", "reason": "daily_quota"}, (3, "model_throttled", "no")),
        ({"type": "account", "reason": "payment"}, (4, "misconfigured", "no")),
        ({"type": "error", "name": "ValidationException"}, (2, "invalid_parameter", "no")),
        ("close", (5, "outcome_unknown", "maybe")),
        ("empty", (5, "bad_model_response", "maybe")),
        ({"type": "error", "name": "ModelTimeoutException"}, (5, "model_timeout", "maybe")),
    ],
    ids=str,
)
def test_a_failure_ends_with_the_code_of_who_can_act(
    command: CommandLine, stand_in: StandIn, word: str, action: object, ended: tuple[int, str, str]
) -> None:
    """Nothing is called twice. `test_command_line_codes.py` has the codes that cannot be caused from outside."""
    stand_in.set_rules({"prompt": word, "action": action})
    assert problem(command.run(word, "--json")) == ended
    assert stand_in.calls(prompt=word)["calls"] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--model", "none"), "unknown_model"),
        (("--strict", "--steps", "40"), "unsupported_parameter"),
        (("--strict", "--width", "1344", "--height", "768"), "unsupported_parameter"),
        (("--width", "1000", "--height", "1000"), "invalid_parameter"),
    ],
)
def test_a_request_that_no_model_can_serve_is_refused(
    command: CommandLine, stand_in: StandIn, word: str, arguments: tuple[str, ...], code: str
) -> None:
    """Nothing is paid; a model that is at its end may have been asked, because it could honour more."""
    assert problem(command.run(word, *arguments, "--json")) == (2, code, "no")
    assert stand_in.calls(prompt=word)["billed"] == 0


def test_a_model_at_its_end_is_the_operators_business(
    command: CommandLine, stand_in: StandIn, word: str
) -> None:
    """The caller may choose another one; nothing is paid."""
    retired = command.run(word, "--model", "stability.stable-diffusion-xl-v1", "--json")
    assert problem(retired) == (4, "model_retired", "no")
    assert stand_in.calls(prompt=word)["billed"] == 0


@pytest.mark.thorough
def test_a_model_that_is_not_ready_is_tried_for_as_long_as_allowed(
    command: CommandLine, stand_in: StandIn, word: str
) -> None:
    """Each try has the same key, and none is paid."""
    stand_in.set_rules({"prompt": word, "action": {"type": "error", "name": "ModelNotReadyException"}})
    assert problem(command.run(word, "--timeout", "1", "--json")) == (3, "model_unavailable", "no")
    assert stand_in.calls(prompt=word)["billed"] == 0


@pytest.mark.thorough
def test_a_picture_that_an_earlier_command_began_is_in_progress(
    command: CommandLine, stand_in: StandIn, word: str
) -> None:
    """It may be paid for, and the code is that of a wait."""
    stand_in.set_rules({"prompt": word, "action": {"type": "latency", "seconds": 20}})
    (id_,) = command.run(word, "--async", "--no-wait", "--idempotency-key", word).lines
    ended = command.run(word, "--timeout", "1", "--idempotency-key", word, "--json")
    assert problem(ended) == (3, "in_progress", "maybe")
    assert json.loads(ended.err)["generation_id"] == id_
    # A worker that has just started asks the model that has ended first, which costs nothing.
    assert stand_in.calls(prompt=word)["billed"] <= 1


def test_a_prompt_that_is_too_long_for_a_request_is_refused(command: CommandLine, word: str) -> None:
    """The service does not read it to its end."""
    ended = command.run("-", "--json", given=word.encode() * 20_000)
    assert problem(ended) == (2, "payload_too_large", "no")


def test_a_strict_request_that_the_model_honours_is_served(command: CommandLine, word: str) -> None:
    """The square is the only size that it draws exactly."""
    made = one(command.run(word, "--strict", "--width", "1024", "--height", "1024", "--seed", "7", "--json"))
    assert (made["artifacts"][0]["width"], made["artifacts"][0]["height"]) == (1024, 1024)
    assert made["ignored_parameters"] == []
    assert one(command.run("show", made["id"], "--json"))["request"]["strict"] is True


@pytest.mark.thorough
def test_a_key_belongs_to_one_request(command: CommandLine, stand_in: StandIn, word: str) -> None:
    """Another request is refused; so is the same one, once its picture has been deleted."""
    made = one(command.run(word, "--idempotency-key", word, "--json"))
    other = command.run(f"{word} other", "--idempotency-key", word, "--json")
    assert problem(other) == (2, "idempotency_conflict", "no")
    assert command.run("delete", "--yes", made["id"]).code == 0
    again = command.run(word, "--idempotency-key", word, "--json")
    assert problem(again) == (2, "gone", "no")
    assert stand_in.calls(prompt=word)["billed"] == 1


@pytest.mark.thorough
def test_the_end_of_a_job_is_announced(command: CommandLine, word: str) -> None:
    """The URL gets a call-back about this generation."""
    with FaultyServer(whole(204)) as server:
        url = f"http://127.0.0.1:{server.port}/hook"
        (id_,) = command.run(word, "--async", "--no-wait", "--webhook-url", url).lines
        request = awaited(lambda: next(iter(server.requests), None), "the call-back")
    event = json.loads(request.body)
    assert (event["type"], event["data"]["id"]) == ("generation.succeeded", id_)


@pytest.mark.thorough
def test_a_busy_model_is_waited_for(command: CommandLine, stand_in: StandIn, word: str) -> None:
    """The command repeats with the same key until the model takes the request."""
    stand_in.set_rules(
        {"prompt": word, "times": 4, "action": {"type": "error", "name": "ThrottlingException"}}
    )
    assert command.run(word).code == 0
    assert stand_in.calls(prompt=word)["billed"] == 1


def test_a_used_up_quota_says_when_to_come_again(stack: Stack, tmp_path: Path, word: str) -> None:
    """A wait of hours is not begun; a batch stops, because every further line would fail as well."""
    key = keys_of(stack).create(name=word, limits={"daily_images_per_caller": 1}).text
    command = CommandLine.of(stack, folder=tmp_path, api_key=key)
    lines = "".join(f"{word} {number}\n" for number in range(5)).encode()
    # Without it, the command would wait for a midnight that is less than a quarter of an hour away.
    patience = ("--timeout", "1")
    ended = command.run("batch", "-", "-c", "1", *patience, given=lines)
    assert ended.code == 3
    assert ended.err.count("Try again in") == 1
    assert "1 of 5 pictures are in imagegen-batch: 1 made now, 0 before, 1 failed" in ended.err
    assert problem(command.run(word, *patience, "--json"))[:2] == (3, "quota_exceeded")


@pytest.mark.thorough
def test_a_limit_of_a_minute_says_when_to_come_again(stack: Stack, tmp_path: Path, word: str) -> None:
    """The command waits for as long as `--timeout` allows, and no longer."""
    key = keys_of(stack).create(name=word, limits={"images_per_minute_per_caller": 1}).text
    command = CommandLine.of(stack, folder=tmp_path, api_key=key)
    # A new minute may begin meanwhile, but not two of them.
    ended = command.run(word, "-n", "3", "--timeout", "1", "--json")
    found = [json.loads(line) for line in ended.err.splitlines()]
    assert (ended.code, {each["code"] for each in found}) == (3, {"rate_limited"})
    assert all(each["retry_after"] >= 1 for each in found)


def test_a_wrong_key_and_a_wrong_url_are_sentences(command: CommandLine, stack: Stack, word: str) -> None:
    """Each says what to do; no traceback, nothing paid."""
    base = stack.state.api_url
    wrong_key = command.run(word, "--api-key", "ig_wrong")
    assert (wrong_key.code, wrong_key.err.count("\n")) == (2, 1)
    assert "`imagegen config` shows which key is used" in wrong_key.err
    wrong_path = command.run("models", "--url", f"{base}/v2/")
    assert wrong_path.code == 2


@pytest.mark.thorough
def test_outputs_that_cannot_be_written_are_sentences(command: CommandLine, word: str) -> None:
    """The picture is kept, and the command says how to get it."""
    full = command.shell(f"imagegen {word} -o - > /dev/full")
    assert full.code == 2
    assert "imagegen save gen_" in full.err
    assert "No space left on device" in full.err
    closed = command.shell(f"imagegen {word} -o - >&-")
    assert closed.code == 141
    assert "imagegen save gen_" in closed.err
    gone = command.shell("imagegen history --json | true; echo ${PIPESTATUS[0]}")
    assert gone.out.strip() in {"0", "141"}
    small = command.shell(f"ulimit -f 64; imagegen {word} -o small.png")
    assert small.code == 2
    assert "imagegen save gen_" in small.err
    assert "small.png: File too large" in small.err
    assert small.err.count("\n") == 1
    assert [each.name for each in command.folder.iterdir()] == []
    for ended in (full, closed, gone, small):
        assert "Traceback" not in ended.err
        assert "Exception ignored" not in ended.err


def test_an_interrupted_picture_can_be_had_with_its_key(
    command: CommandLine, stand_in: StandIn, word: str
) -> None:
    """The last sentence names the key; with it, the same command brings the picture that was begun."""
    stand_in.set_rules({"prompt": word, "action": {"type": "latency", "seconds": 1}})
    with command.start(word) as process:
        awaited(lambda: stand_in.calls(prompt=word)["calls"] or None, "the call of the model")
        process.send_signal(2)
        _, err = process.communicate()
    assert process.returncode == 130
    key = err.decode().rpartition("--idempotency-key ")[2].strip("`.\n")
    assert command.run(word, "--idempotency-key", key).code == 0
    assert stand_in.calls(prompt=word)["billed"] == 1


def at_a_terminal(command: CommandLine, *arguments: str) -> str:
    """Run the command with a terminal as stdout and stderr, and return what it showed there."""
    ours, theirs = pty.openpty()
    shown = bytearray()
    with command.start(*arguments, terminal=theirs) as process:
        os.close(theirs)
        # At the end of the process, Linux reports an input error instead of the end of the file.
        with suppress(OSError):
            while piece := os.read(ours, 65536):
                shown += piece
    os.close(ours)
    assert process.returncode == 0, shown.decode()
    return shown.decode()


@pytest.mark.thorough
def test_a_terminal_shows_progress_and_pictures(command: CommandLine, word: str, tmp_path: Path) -> None:
    """Without a terminal there is neither, as the tests above show: one line on stderr."""
    (tmp_path / "tea.txt").write_text(f"{word} green\n{word} black\n", encoding="utf-8")
    progress = at_a_terminal(command, "batch", "tea.txt", "-c", "1")
    assert "1/2" in progress
    assert f"tea/0001-{word}-green.png\r\n" in progress
    assert "2 of 2 pictures are in tea" in progress
    id_ = json.loads(command.run("history", "--json").lines[0])["id"]
    blocks = at_a_terminal(
        replace(command, variables={**command.variables, "TERM": "xterm-256color"}), "show", id_
    )
    assert blocks.count("▀") == 800  # 40 columns and 20 lines of a terminal that tells no size
    assert word in blocks
    plain = at_a_terminal(replace(command, variables={**command.variables, "TERM": "dumb"}), "show", id_)
    assert f"To open it: imagegen open {id_}" in plain
