"""Rooms outside the functions import only what they may: `tools/`, stand-in, painter and `stacks/`."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {
    "apidoc",
    "benchmarks",
    "docsite",
    "estimates",
    "imagegen",
    "local",
    "operating",
    "stacks",
    "tests",
    "tools",
}
# a room, and which modules of ours it may import; a name that ends in a dot allows everything below it
ROOMS = {
    "tools": ("tools.",),
    "docsite": ("docsite.", "tools."),
    "local/painter": ("local.painter.",),
    "local/bedrock": ("local.bedrock.", "local.painter.paint"),
    "estimates": (
        "estimates.",
        "tools.checkout.",
        "tools.failures.",
        "stacks.",
        "imagegen.adapters.dynamodb.DUE_SHARDS",
        "imagegen.generations.",
        "imagegen.models.registry.",
        "imagegen.worker.SWEPT_AT_ONCE",
    ),
    "stacks": (
        "stacks.",
        "tools.failures.in_one_line",
        "tools.registries.uv_environment",
        "imagegen.errors",
        "imagegen.errors.",
        "imagegen.settings",
        "imagegen.settings.",
        "imagegen.models.lifecycle_check.",
        "imagegen.models.registry.",
        "imagegen.http.surface",
        "imagegen.http.problems",
    ),
}


def imports(path: Path) -> Iterator[str]:
    """Yield every name that a file imports, with its module: `from a.b import c` is `a.b.c`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # a relative import keeps its dots, which no room allows
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported_of_ours(files: Iterator[Path]) -> set[tuple[str, str]]:
    """Return pairs of a file and a module of ours that it imports."""
    return {
        (str(path.relative_to(ROOT)), name)
        for path in files
        for name in imports(path)
        if name.partition(".")[0] in OURS | {""}
    }


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_nothing_but_what_it_may(room: str) -> None:
    """The stand-in imports one function of the painter; painter and tools import only themselves."""
    files = list((ROOT / room).rglob("*.py"))
    found = imported_of_ours(iter(files))

    assert files
    assert not {
        (path, name)
        for path, name in found
        if not any(
            name.startswith(allowed) if allowed.endswith(".") else name == allowed for allowed in ROOMS[room]
        )
    }


def test_the_server_uses_the_painter() -> None:
    """The stand-in needs the one import of the painter that the rule allows."""
    assert "local.painter.paint" in {
        name for _, name in imported_of_ours((ROOT / "local" / "bedrock").rglob("*.py"))
    }


def test_the_tools_need_the_standard_library_alone() -> None:
    """The set-up runs before any package is installed."""
    found = {name.partition(".")[0] for path in (ROOT / "tools").rglob("*.py") for name in imports(path)}

    assert found <= {"tools", *sys.stdlib_module_names}


def test_the_service_starts_its_stand_in_as_a_process() -> None:
    """`make up` imports neither the stand-in nor the painter, and of the functions only what makes API keys."""
    found = imported_of_ours((ROOT / "local").glob("*.py"))

    assert not {
        (path, name)
        for path, name in found
        if name.startswith(("local.bedrock", "local.painter", "imagegen"))
        and not name.startswith(("imagegen.keys.", "imagegen.adapters.key_table."))
    }


def test_the_local_service_needs_no_operators_command() -> None:
    """The commands know the local service, for `STAGE=local`; it does not know them."""
    found = imported_of_ours((ROOT / "local").rglob("*.py"))
    assert not [pair for pair in found if pair[1].startswith("operating")]


def test_a_deployment_knows_nothing_of_the_local_service() -> None:
    """The stacks import nothing of `local`, and no target that needs an AWS account runs it."""
    sources = [ROOT / "app.py", *(ROOT / "stacks").rglob("*.py")]
    targets = (ROOT / "Makefile").read_text(encoding="utf-8").split("\n\n")

    assert not {pair for pair in imported_of_ours(iter(sources)) if pair[1].startswith("local")}
    assert [target.partition(":")[0] for target in targets if "-m local" in target] == [
        "demo",
        "up",
        "down",
        "status",
    ]
