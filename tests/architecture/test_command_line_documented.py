"""`docs/command-line.md` and the help agree about every command, option, example and exit code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

from imagegen.contracts.text_to_image import parameters
from imagegen.errors import error_types
from imagegen_client.command_line import configuration, options, program, reporting
from imagegen_client.command_line.app import DEFAULT, ORDER, app
from imagegen_client.errors import ERROR_TYPES
from imagegen_client.image_request import FIELDS

PAGE: Final = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
GROUP: Final[Any] = typer.main.get_command(app)
COMMANDS: Final = {name: GROUP.commands[name] for name in GROUP.list_commands(None)}
SECTIONS: Final = {
    title: text for title, _, text in (part.partition("\n") for part in PAGE.split("\n## ")[1:])
}
IN_ALL: Final = ("--url", "--api-key", "--json", "--help")
"""Options of every command, which one table describes."""

OF_A_PICTURE: Final = ("generate", "batch", "again")
PICTURE: Final = {f"--{name.replace('_', '-')}" for name in options.Picture.__dataclass_fields__}
"""Options of these three, which another table describes."""


def row(parameter: Any) -> str:
    """Return the row of an option: its names, what it takes, and its help."""
    names = [*parameter.opts, *parameter.secondary_opts]
    takes = "" if parameter.is_flag or not parameter.metavar else f" {parameter.metavar}"
    number = " NUMBER" if not takes and not parameter.is_flag else ""
    return f"| {', '.join(f'`{each}`' for each in names)}{takes}{number} | {parameter.help} |"


def options_of(command: Any) -> list[Any]:
    """Return the options of a command that only its own section describes."""
    found = [each for each in command.params if each.param_type_name == "option"]
    return [each for each in found if not set(each.opts) & {*IN_ALL, *PICTURE}]


def test_every_command_has_its_section() -> None:
    """The sections stand in the order of the help."""
    assert program.COMMANDS
    assert list(COMMANDS) == list(ORDER)
    assert [title.removeprefix("imagegen ") for title in SECTIONS if title.startswith("imagegen ")] == list(
        ORDER
    )


@pytest.mark.parametrize("name", ORDER)
def test_a_section_has_exactly_the_options_of_its_command(name: str) -> None:
    """Each row says what the help says."""
    rows = [line for line in SECTIONS[f"imagegen {name}"].splitlines() if line.startswith("| `-")]
    assert rows == [row(each) for each in options_of(COMMANDS[name])]


@pytest.mark.parametrize("name", ORDER)
def test_a_command_teaches_by_examples(name: str) -> None:
    """The page shows the same examples as the help."""
    first, *examples = COMMANDS[name].epilog.split("\n\n")
    assert first == "Examples:"
    assert examples
    assert [each for each in examples if each not in SECTIONS[f"imagegen {name}"]] == []


def test_the_options_of_every_command_are_described_once() -> None:
    """They are the same object in each."""
    common = SECTIONS["Options of every command"]
    for command in COMMANDS.values():
        found = [each for each in command.params if set(each.opts) & set(IN_ALL)]
        assert len(found) == len(IN_ALL) - 1
        assert [row(each) for each in found if row(each) not in common] == []


def test_the_options_of_a_picture_are_described_once() -> None:
    """Three commands have them."""
    rows = [line for line in SECTIONS["Options of a picture"].splitlines() if line.startswith("| `-")]
    for name in OF_A_PICTURE:
        assert [row(each) for each in COMMANDS[name].params if set(each.opts) & PICTURE] == rows


def test_the_exit_codes_are_those_of_the_program() -> None:
    """The help of the program names them as well."""
    codes = {
        reporting.DONE,
        *(code for _, code in reporting.WHO.values()),
        reporting.INTERRUPTED,
        reporting.STDOUT_CLOSED,
    }
    assert {int(each) for each in re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], re.MULTILINE)} == codes
    assert {int(each) for each in re.findall(r"\b\d+\b", GROUP.help.partition("Exit codes:")[2])} == codes


def test_the_page_has_the_defaults_that_the_options_do_not_say() -> None:
    """A row of a table is the help of its option, which leaves them out."""
    default = {
        (name, option): each.default
        for name, command in COMMANDS.items()
        for each in command.params
        for option in each.opts
    }
    assert (default["generate", "--timeout"], default["batch", "--timeout"]) == (15 * 60, 30 * 60)
    said = {title: " ".join(text.split()) for title, text in SECTIONS.items()}
    paid = said["What is paid, and when"]
    assert "15 minutes by default, and 30 for each picture of a batch" in paid
    assert default["batch", "--concurrency"] == 4
    assert "Four pictures are made at once" in said["imagegen batch"]
    assert f"the newest {default['history', '--limit']}." in said["imagegen history"]
    assert f"the last {default['usage', '--days']} days" in said["imagegen usage"]


def test_the_variables_are_described() -> None:
    """The page names each variable that the command reads."""
    section = SECTIONS["Which service"]
    assert [
        each
        for each in (configuration.URL, configuration.API_KEY, configuration.FOLDER)
        if each not in section
    ] == []


def test_every_field_of_the_contract_is_an_option() -> None:
    """`samples` is `-n`, because a request is for one image; the prompts are an argument and two options."""
    others = {
        "clip_guidance_preset": "--clip-guidance",
        "style_preset": "--style",
        "samples": "--count",
    }
    given = {name for each in COMMANDS[DEFAULT].params for name in each.opts}
    wanted = {others.get(name, f"--{name.replace('_', '-')}") for name in FIELDS}
    assert wanted | {"--negative", "--add", "--weight", "prompt"} <= given


def test_the_completions_are_the_words_of_the_contract() -> None:
    """A new style is offered as soon as the service has it."""
    assert options.STYLES == parameters.STYLE_PRESETS
    assert options.FORMATS == parameters.OUTPUT_FORMATS
    assert options.SAMPLERS == parameters.SAMPLERS
    assert options.GUIDANCE == parameters.CLIP_GUIDANCE_PRESETS
    assert tuple(f"{width}x{height}" for width, height in parameters.SIZES) == options.SIZES


def test_the_page_names_the_codes_of_the_command() -> None:
    """Every other code is in docs/errors.md."""
    named = set(re.findall(r"^\| `(\w+)` \| `\w+` \|", SECTIONS["Exit codes"], re.MULTILINE))
    theirs = {kind.kind.code for kind in error_types()}
    assert named == {reporting.UsageMistake.code, reporting.FileFailure.code} | (set(ERROR_TYPES) - theirs)
