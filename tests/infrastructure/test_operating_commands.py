"""The operator's commands in processes of their own: what they say when something is missing, closed or full."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local import deployment
from local.variables import Variables
from operating import deploying
from tests.support.local_instances import ENVIRON
from tools import cdk
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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


def test_an_old_encoding_shows_an_escape() -> None:
    """A key's name may have letters that the terminal's encoding lacks."""
    program = "from tools import output; output.accept_every_character(); print('Zo\u00eb')"
    said = subprocess.check_output(  # noqa: S603 - this program
        [sys.executable, "-c", program], cwd=CHECKOUT, env={**ENVIRON, "PYTHONIOENCODING": "ascii"}, text=True
    )
    assert said == "Zo\\xeb\n"


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "MODEL is missing: give the id of a model that the stage lists, such as "),
        (("--model", "x", "--minutes", "0"), "MINUTES must be a whole number from 1 to 60, not '0'.\n"),
        (("--model", "x", "--minutes", "61"), "MINUTES must be a whole number from 1 to 60, not '61'.\n"),
    ],
)
def test_a_drill_that_is_not_described_is_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    """Before anything is asked of AWS."""
    status, sentence = operate("", "--stage", "dev", "drill", *arguments)
    assert (status, sentence.count("\n")) == (1, 1)
    assert sentence.startswith(said)


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
        (
            f"CONFIG is {'x ' * 50_000}and must be short.",
            f"CONFIG is {'x ' * 745} … {'x ' * 241}and must be short.",
        ),
    ],
)
def test_a_sentence_stays_one_line_that_can_be_read(said: str, shown: str) -> None:
    """Whatever it quotes."""
    assert in_one_line(said) == shown


@pytest.mark.parametrize("command", ["synth", "keys"])
def test_a_stage_that_was_left_empty_is_not_dev(command: str) -> None:
    """A script whose own variable is empty would destroy another stage than it means."""
    status, said = operate("", command, variables={"STAGE": ""})
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(("stage is '', but cdk.json has only ", "The stage name '' must be 1 to 20 "))


def test_a_stage_that_is_no_name_is_quoted_in_one_line() -> None:
    """Also by the commands themselves."""
    status, said = operate("", "synth", variables={"STAGE": "dev\n" + "x" * 5_000})
    assert (status, said.count("\n")) == (1, 1)
    assert len(said) < 1_000


def unread() -> int:
    """Return the end of a pipe whose other end is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


PROGRAMS = {
    "local": "from local.__main__ import main; sys.argv = ['local', 'status']",
    "operating": (
        "from operating import __main__ as it; from operating.__main__ import main; "
        "it._keys = lambda _: type('Keys', (), {'list': lambda _: []})(); sys.argv = ['operating', 'keys']"
    ),
}


@pytest.mark.parametrize(
    ("output_", "said"),
    [
        (
            lambda: os.open("/dev/full", os.O_WRONLY),
            "The output could not be written (No space left on device).\n",
        ),
        (unread, ""),
    ],
)
@pytest.mark.parametrize("program", PROGRAMS)
def test_an_output_that_takes_nothing_is_no_traceback(
    program: str, output_: Callable[[], int], said: str, tmp_path: Path
) -> None:
    """A full disk gets a sentence; whoever has closed a pipe, such as `head`, wants no more words."""
    taking_nothing = output_()
    done = subprocess.run(  # noqa: S603 - a program of this test
        [sys.executable, "-c", f"import sys; {PROGRAMS[program]}; sys.exit(main())"],
        cwd=CHECKOUT,
        env={**ENVIRON, "IMAGEGEN_LOCAL_DIR": str(tmp_path / "nothing")},
        stdout=taking_nothing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(taking_nothing)
    assert (done.returncode, done.stderr) == (1, said)


def test_the_app_itself_says_that_no_temporary_file_can_be_made() -> None:
    """Whoever uses the plain CDK runs it."""
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=CHECKOUT,
        env={"PATH": ENVIRON["PATH"], "TMPDIR": "/nope"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert (
        done.stderr
        == "TMPDIR is '/nope', and no temporary file can be made there (No such file or directory).\n"
    )


def test_a_damaged_cdk_json_is_not_blamed_on_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the two, the operator would look at the wrong one."""
    (tmp_path / "cdk.json").write_text("{")
    monkeypatch.setattr(deployment, "CHECKOUT", tmp_path)
    with pytest.raises(LocalError, match=rf"^{tmp_path}/cdk\.json is not valid JSON: "):
        deployment.Deployment(variables=Variables(), certificates=None).check()
