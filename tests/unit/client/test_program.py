"""Mistakes on the command line are sentences, and nothing is sent."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from imagegen_client.command_line import making
from imagegen_client.command_line.drawing import asked_by
from imagegen_client.command_line.program import main
from imagegen_client.errors import UnexpectedReply
from tests.support.client_steps import ID, generation
from tests.unit.client.test_replies import read


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person without settings, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("IMAGEGEN_URL", "IMAGEGEN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IMAGEGEN_CONFIG_DIR", str(tmp_path / "settings"))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["histroy"], "There is no command histroy. Did you mean history?"),
        (
            ["--url", "https://a.example.com/v1", "history"],
            "Write the command first: `imagegen history --url",
        ),
        (["tea", "--colour", "green"], "No such option: --colour"),
        (["tea", "two"], "Got unexpected extra argument(s) (two). Put a prompt of several words in quotes."),
        ([""], "it is empty"),
        (["tea", "-n", "0"], "should be greater than or equal to 1"),
        (["tea", "-n", "2", "-o", "-"], "only one picture can go to stdout"),
        (["tea", "-o", "none/tea.png"], "there is no folder none"),
        (["tea", "-o", "there.png"], "there.png exists. --force replaces it"),
        (["tea", "-n", "2", "-o", "there.png"], "there-1.png exists"),
        (["tea", "-f", "-n", "2", "-o", "folder.png"], "folder-1.png is no file"),
        (["tea", "--force", "-o", "/dev/full"], "/dev/full is no file"),
        (["tea", "-o", f"{'a' * 300}.png"], "File name too long"),
        (["tea", "-o", "there.png/tea.png"], "there is no folder there.png"),
        (["tea", "--size", "big"], "must be WIDTHxHEIGHT"),
        (["tea", "--size", "1024x1024", "--width", "1"], "give one or the other"),
        (["tea", "--add", "mist"], "must be WEIGHT:TEXT"),
        (["tea", "--extras", "[]"], "must be a JSON object"),
        (["tea", "--extras", '{"a": NaN}'], "has NaN, which is not JSON"),
        (["tea", "--extras", '{"a": 1e999}'], "has a number that is too large"),
        (["tea", "--extras", '{"a": 1, "a": 2}'], "has the member 'a' twice"),
        (["tea", "--extras", '{"a": ' + "[" * 9000 + "]" * 9000 + "}"], "must be a JSON object"),
        (["tea", "--extras", '{"a": ' + "[" * 200 + "]" * 200 + "}"], "is nested too deeply"),
        (["tea", "--no-wait"], "--no-wait and --webhook-url need --async"),
        (["tea", "--seed", "x"], "should be a valid integer"),
        (["tea"], "No base URL is set"),
        (["tea", "--url", "api.example.com"], "No API key is set"),
        (["tea", "--url", "api.example.com", "--api-key", "k"], "The base URL must be like https://"),
        (["tea", "--url", "https://a/v1", "--api-key", "k k"], "The API key is empty, or has characters"),
        (["batch", "none.txt"], "none.txt cannot be read: No such file or directory"),
        (["batch", "latin.txt"], "latin.txt is not UTF-8 text"),
        (["batch", "bad.jsonl"], "line 1 is not JSON"),
        (["batch", "there.png"], "No base URL is set"),
        (
            ["batch", "plain", "--url", "http://127.0.0.1:1/v1", "--api-key", "k"],
            "the folder plain cannot be made: File exists. Name another one",
        ),
        (["caf\udce9"], "it is not UTF-8 text"),
        (["delete", ID], "there is no terminal to ask at: add --yes"),
        (["usage", "--days", "32"], "should be less than or equal to 31"),
        (["config", "--url", "ftp://a"], "The base URL must be like"),
        (["config", "--api-key", ""], "The API key is empty"),
    ],
)
def test_a_mistake_is_one_line(
    nobody: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Nothing is on stdout, and the exit code is the caller's."""
    for name in ("there.png", "there-1.png", "plain"):
        (nobody / name).write_bytes(b"")
    (nobody / "folder-1.png").mkdir()
    (nobody / "latin.txt").write_bytes(b"caf\xe9")
    (nobody / "bad.jsonl").write_text("{", encoding="utf-8")
    before = set(nobody.iterdir())
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert words in written.err
    assert (written.out, written.err.count("\n")) == ("", 1)
    assert set(nobody.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-"], "stdin is closed"),
        (["batch", "-"], "stdin is closed"),
        (["config", "--api-key", "-"], "stdin is closed"),
        (["delete", ID], "there is no terminal to ask at"),
        (["mcp", "--url", "http://127.0.0.1:1/v1", "--api-key", "k"], "one of them is closed"),
    ],
)
@pytest.mark.enable_socket  # the event loop wakes itself up through a pair of sockets
def test_a_closed_stdin_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    """Python has no object for it then."""
    monkeypatch.setattr(sys, "stdin", None)
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert words in written.err
    assert (written.out, written.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [(b"\xef\xbb\xbf\r\n", "it is empty"), (b"caf\xe9", "is not UTF-8"), (b"\xff\xfet\0e\0", "is not UTF-8")],
    ids=["byte order mark", "latin", "UTF-16"],
)
def test_a_prompt_from_stdin_is_read_as_people_write_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: bytes, words: str
) -> None:
    """A byte order mark is no prompt, which would be paid for."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert main(["-"]) == 2
    assert words in capsys.readouterr().err


def test_a_key_from_stdin_that_is_not_text_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is shown."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ig_\xff\n")))
    assert main(["config", "--api-key", "-"]) == 2
    assert "stdin is not UTF-8 text" in capsys.readouterr().err


def test_a_mistake_can_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    """It has the members of every other failure."""
    assert main(["tea", "--json", "--size", "big"]) == 2
    found = json.loads(capsys.readouterr().err)
    assert (found["code"], found["who"], found["charged"], found["exit_code"]) == ("usage", "caller", "no", 2)


def test_help_is_shown_without_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """It names every command."""
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("generate", "batch", "again", "history", "config"))


def test_settings_are_saved_and_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is not shown in full."""
    key = "ig_" + "k" * 40
    assert main(["config", "--url", "https://a.example.com/v1", "--api-key", key]) == 0
    monkeypatch.setenv("IMAGEGEN_URL", "https://b.example.com/v1")
    assert main(["config", "--json"]) == 0
    first, last = capsys.readouterr().out.split("{", 1)
    found = json.loads("{" + last)
    assert (found["url"], found["url_from"], found["api_key_from"]) == (
        "https://b.example.com/v1",
        "environment",
        "file",
    )
    assert "https://a.example.com/v1 (from the file)" in first
    assert key not in first + last


def test_again_asks_for_what_was_asked_for() -> None:
    """A field that this version does not know would get lost, so the command stops."""
    prompts = [{"text": "tea", "weight": 1.0}, {"text": "people", "weight": -1.0}]
    request = {"text_prompts": prompts, "seed": 7, "steps": 30, "extras": {"a": 1}, "strict": False}
    assert asked_by(read({**generation(), "request": request})).body() == request
    with pytest.raises(UnexpectedReply, match="update"):
        asked_by(read({**generation(), "request": {**request, "colour": "green"}}))


def test_further_pictures_have_keys_of_their_own() -> None:
    """The first has the given key, so the same command with more pictures pays only for the new ones."""
    keys = [making.nth_key("k" * 16, number) for number in range(3)]
    assert keys[0] == "k" * 16
    assert len(set(keys)) == 3
    assert all(16 <= len(key) <= 64 for key in keys)


@pytest.mark.parametrize(
    ("words", "number", "offered"),
    [
        ("imagegen hi", 1, {"history"}),
        ("imagegen tea --style p", 3, {"photographic", "pixel-art"}),
        ("imagegen histroy --size 13", 3, {"1344x768"}),
        ("imagegen -o tea.png --st", 3, {"--style", "--steps", "--strict"}),
        ("imagegen batch --conc", 2, {"--concurrency"}),
    ],
)
def test_the_shell_is_offered_commands_options_and_words(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    number: int,
    offered: set[str],
) -> None:
    """A prompt without a command has the options of a picture."""
    monkeypatch.setenv("_IMAGEGEN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(number))
    main([])
    written = capsys.readouterr()
    assert (set(written.out.split()), written.err) == (offered, "")
