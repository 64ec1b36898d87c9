"""Every target of make, variable and option is documented, and every one that a page names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "tests" / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
}
PROGRAMS = (
    "local",
    "operating",
    "tools",
    "stacks",
    "benchmarks",
    "docsite",
    "estimates",
    "app.py",
    "tests/support",
)
OF_OTHERS = {
    "CONTENT_LENGTH",  # WSGI's
    "HOME",
    "NO_PROXY",
    "PATH",
    "PATH_INFO",  # WSGI's
    "QUERY_STRING",  # WSGI's
    "REQUEST_METHOD",  # WSGI's
    "XDG_CONFIG_HOME",
}
"""Variables that have the meaning that they have everywhere; so have those of the AWS and CDK command lines."""
WHOSE = ("AWS_", "CDK_")
TARGETS = dict(re.findall(r"^([a-z-]+):[^\n]*## ([^\n]+)$", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"help"}))
def test_every_target_is_in_the_list_of_commands(target: str) -> None:
    """In one of its tables."""
    assert re.search(rf"^\| [^|]*`make {target}`", COMMANDS, re.MULTILINE)


def test_every_target_that_a_page_names_exists() -> None:
    """Whoever renames a target also changes the pages."""
    named = {
        (page, target)
        for page, text in PAGES.items()
        for target in re.findall(r"(?:`|^\$ |; |do )make ([a-z][a-z-]*)", text, re.MULTILINE)
    }
    assert len(named) > 40
    assert {(page, target) for page, target in named if target not in TARGETS} == set()


def words_of_make() -> list[str]:
    """Return the variables that the Makefile hands to the operator's commands."""
    (line,) = re.findall(r"^WORDS := (.+)$", MAKEFILE, re.MULTILINE)
    return str(line).split()


@pytest.mark.parametrize("word", words_of_make())
def test_every_word_of_the_operators_commands_is_documented(word: str) -> None:
    """`docs/configuration.md` names it, alone or as it is written."""
    assert re.search(rf"\b{word}=|`{word}`", CONFIGURATION)


@pytest.mark.parametrize("name", re.findall(r"^([A-Z_]+) \?= ", MAKEFILE, re.MULTILINE))
def test_every_variable_with_a_default_is_documented(name: str) -> None:
    """The page shows how it is written."""
    assert any(f"{name}=" in text for text in PAGES.values())


def sources() -> Iterator[Path]:
    """Yield the Python files that may read an operator's or a developer's environment."""
    for name in PROGRAMS:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def variables_in(source: str) -> set[str]:
    """Return the names of the variables that a file looks up in an environment."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(value=owner, slice=ast.Constant(value=str(name))):
                pass
            case ast.Call(
                func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=str(name)), *_]
            ):
                pass
            case _:
                continue
        if ast.unparse(owner).lower().endswith("environ") and re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
            found.add(name)
    return found


def variables() -> set[str]:
    """Return every variable of our own that a program or a script reads."""
    read = {name for path in sources() for name in variables_in(path.read_text(encoding="utf-8"))}
    script = (ROOT / "tools" / "set_up.sh").read_text(encoding="utf-8")
    read |= set(re.findall(r"\$\{([A-Z_]+):-", script))
    return {name for name in read - OF_OTHERS if not name.startswith(WHOSE)}


def test_the_variables_of_the_programs_are_found() -> None:
    """The search sees both ways of reading one."""
    assert variables_in("a = environ['ONE']\nb = os.environ.get('TWO', '')\nc = words['THREE']") == {
        "ONE",
        "TWO",
    }
    assert {"BEDROCK_URL", "PORT_OFFSET", "STRICT", "CONFIG", "STAGE", "APPROVE", "THOROUGH"} <= variables()


@pytest.mark.parametrize("name", sorted(variables()))
def test_every_variable_that_a_program_reads_is_documented(name: str) -> None:
    """A page has it in code."""
    assert any(
        re.search(rf"`[^`]*\b{name}\b[^`]*`|^\$ [^\n]*\b{name}=", text, re.MULTILINE)
        for text in PAGES.values()
    )


def options(path: str) -> list[str]:
    """Return the options of a command line."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return sorted(
        {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"--[a-z][a-z-]+", node.value)
        }
    )


@pytest.mark.parametrize("option", options("local/bedrock/__main__.py"))
def test_every_option_of_the_stand_in_is_documented(option: str) -> None:
    """`docs/local.md` has a row for it."""
    assert re.search(rf"^\| `[^|]*{option}[ `]", PAGES["docs/local.md"], re.MULTILINE)


@pytest.mark.parametrize("option", options("operating/arguments.py"))
def test_every_option_of_the_operators_commands_is_a_word_of_make(option: str) -> None:
    """So the documented variables are all that there is."""
    assert option.removeprefix("--").replace("-", "_").upper() in words_of_make()
