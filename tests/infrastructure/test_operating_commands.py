"""The operator's commands in processes of their own: what they say when something is missing, closed or full."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from imagegen.keys.api_key import ApiKey
from operating import __main__ as command_line
from operating import deploying
from tests.support.local_instances import ENVIRON
from tools import cdk
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def operate(
    redirection: str = "", *arguments: str, variables: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a command in a shell with a redirection, and return its status and what it says on standard error."""
    kept = {name: value for name, value in ENVIRON.items() if not name.startswith("AWS_")}
    done = subprocess.run(  # noqa: S603 - arguments of these tests
        ["/bin/sh", "-c", f'exec "$0" -m operating "$@" {redirection}', sys.executable, *arguments],
        cwd=CHECKOUT,
        env={**kept, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_with_a_closed_input_nobody_can_be_asked() -> None:
    """A pipeline may close it; Python then has none."""
    status, said = operate("<&-", "--stage", "dev", "deploy")
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("There is no terminal to approve the deployment at: set APPROVE=never ")


@pytest.mark.parametrize("command", ["key", "rotate"])
def test_no_key_is_made_that_nobody_could_see(command: str) -> None:
    """It would be there, and its secret would be lost."""
    status, said = operate(">&-", "--stage", "dev", command, variables={"NAME": "alice", "KEY": "abc"})
    assert (status, said) == (1, "A key is shown only once, on the standard output, and that is closed.\n")


class FullKeys:
    """Keys of a stage, which note what becomes of them."""

    def __init__(self) -> None:
        self.revoked: list[str] = []
        self.made = ApiKey.create(lambda length: b"x" * length)

    def create(self, **_: Any) -> ApiKey:
        """Make a key."""
        return self.made

    def rotate(self, id_: str, **_: Any) -> ApiKey:  # noqa: ARG002 - the method's shape
        """Make a new secret."""
        return self.made

    def revoke(self, id_: str) -> None:
        """Note the id."""
        self.revoked.append(id_)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> FullKeys:
    """Return keys in place of a stage's, on a machine where nothing can be printed."""
    made = FullKeys()
    monkeypatch.setattr(command_line, "_keys", lambda _: made)
    monkeypatch.setattr(command_line, "_give_up_output", lambda: None)

    shown = print

    def full(*words: str, **options: Any) -> None:
        if options.get("file") is not sys.stderr:
            raise OSError(28, "No space left on device")
        shown(*words, **options)

    monkeypatch.setattr("builtins.print", full)
    return made


def test_a_key_that_could_not_be_shown_is_revoked(
    keys: FullKeys, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name is free again then."""
    monkeypatch.setattr(sys, "argv", ["operating", "--stage", "dev", "key", "--name", "alice"])
    assert command_line.main() == 1
    assert capsys.readouterr().err == (
        "The key could not be shown (No space left on device), so it is revoked.\n"
    )
    assert keys.revoked == [keys.made.id]


def test_a_new_secret_that_could_not_be_shown_is_to_be_made_again(
    keys: FullKeys, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key itself stays, because its owner may still use the old secret."""
    monkeypatch.setattr(sys, "argv", ["operating", "--stage", "dev", "rotate", "--key", keys.made.id])
    assert command_line.main() == 1
    assert capsys.readouterr().err.endswith(
        "could not be shown (No space left on device): rotate it again.\n"
    )
    assert keys.revoked == []


@pytest.mark.parametrize("left", [EOFError, KeyboardInterrupt])
def test_whoever_leaves_the_question_deletes_nothing(left: type[BaseException]) -> None:
    """By Ctrl-D or Ctrl-C."""

    def ask(_: str) -> str:
        raise left

    order = deploying.Order(command="destroy", stage="dev", has_terminal=True, environ={}, ask=ask)
    assert deploying._answer(order, "Sure? ") == ""


def test_without_the_cdk_a_command_says_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whichever command needs it."""
    monkeypatch.setattr(cdk, "CHECKOUT", tmp_path)
    with pytest.raises(LocalError, match="not installed here: run `make set-up`"):
        deploying.run_cdk("synth", environ={})


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("STAGE is 'a\nb'.", r"STAGE is 'a\nb'."),
        ("a\x00\x1b[31m\r", r"a\x00\x1b[31m\r"),
        (f"CONFIG is {'x' * 100_000} and so on.", f"CONFIG is {'x' * 60}… and so on."),
        ("Ein Schlüssel für ☃.", "Ein Schlüssel für ☃."),
    ],
)
def test_a_sentence_stays_one_line_that_can_be_read(said: str, shown: str) -> None:
    """Whatever it quotes."""
    assert in_one_line(said) == shown


def test_a_stage_that_is_no_name_is_quoted_in_one_line() -> None:
    """Also by the commands themselves."""
    status, said = operate("", "synth", variables={"STAGE": "dev\n" + "x" * 5_000})
    assert (status, said.count("\n")) == (1, 1)
    assert len(said) < 1_000
