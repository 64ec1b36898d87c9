"""Who may know whom: a module imports its own layer and those below it, and importing it does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "lambda"

LAYERS = (
    # the words that everybody uses
    ("imagegen", "contract", "errors", "field_errors", "prompts", "webhook_urls"),
    # what is pure: the record, the models, the request's schema and its readers
    ("generations", "images", "models", "parameters", "schema", "settings", "strict_json"),
    # what the use case needs from outside
    ("deadline", "observability", "ports"),
    # the real ones
    ("adapters",),
    # the use case
    ("attempts", "calls", "generate", "ledger", "series"),
    # what is HTTP, or the queue's event
    ("bodies", "compat", "exchange", "identity", "openapi", "openapi_routes", "representations", "responses"),
    ("api", "api_compat", "worker"),
    ("wiring",),
    ("api_handler", "worker_handler"),
)
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
ADAPTERS = RANKS["adapters"]
HANDLERS = LAYERS[-1]

TALKS_TO_THE_OUTSIDE = {
    "boto3",
    "botocore",
    "http",
    "os",
    "random",
    "secrets",
    "socket",
    "ssl",
    "subprocess",
    "time",
    "urllib3",
}
POWERTOOLS = "aws_lambda_powertools"
KNOWS_POWERTOOLS = {"api", "exchange", "observability", "worker", *HANDLERS}


def name_of(path: Path) -> str:
    """Return a module's name, without the package's."""
    parts = path.relative_to(ROOT / "imagegen").with_suffix("").parts
    return ".".join(parts).removesuffix("__init__").rstrip(".") or "imagegen"


MODULES = {name_of(path): path for path in sorted((ROOT / "imagegen").rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    """Return a module's syntax."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports_of(module: str) -> Iterator[str]:
    """Yield what a module imports, for types too: our own modules without the package's name."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            ours = {name.removeprefix("imagegen.") for name in whole} & set(MODULES)
            yield from ours or {node.module.removeprefix("imagegen.")}


def layer_of(module: str) -> int:
    """Return the rank of the layer that a module is in."""
    return RANKS[module.partition(".")[0]]


def test_every_module_has_its_layer() -> None:
    """A new one is given its place here."""
    assert {module.partition(".")[0] for module in MODULES} == set(RANKS)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_upward(module: str) -> None:
    """The use case and what is above it know adapters only by their ports."""
    ours = [name for name in imports_of(module) if name in MODULES]
    assert [name for name in ours if layer_of(name) > layer_of(module)] == []
    above_adapters_and_below_wiring = ADAPTERS < layer_of(module) < RANKS["wiring"]
    assert not (above_adapters_and_below_wiring and any(layer_of(name) == ADAPTERS for name in ours))


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("adapters.")])
def test_adapters_do_not_know_each_other(module: str) -> None:
    """Each of them is one border."""
    assert [name for name in imports_of(module) if name.startswith("adapters")] == []


@pytest.mark.parametrize("module", [name for name in MODULES if layer_of(name) < RANKS["wiring"]])
def test_only_adapters_talk_to_the_outside(module: str) -> None:
    """Time and chance are ports, too."""
    roots = {name.partition(".")[0] for name in imports_of(module)}
    assert layer_of(module) == ADAPTERS or not roots & TALKS_TO_THE_OUTSIDE


@pytest.mark.parametrize("module", MODULES)
def test_powertools_are_known_where_lambda_is(module: str) -> None:
    """Not in the use case, the models or the compatibility shapes."""
    roots = {name.partition(".")[0] for name in imports_of(module)}
    assert module in KNOWS_POWERTOOLS or POWERTOOLS not in roots


@pytest.mark.parametrize("module", [name for name in MODULES if name not in HANDLERS])
def test_only_the_handlers_touch_the_environment(module: str) -> None:
    """They pass it on to the settings, which are given it as a mapping."""
    names = {node.attr for node in ast.walk(tree_of(module)) if isinstance(node, ast.Attribute)}
    assert not names & {"environ", "environb", "getenv"}


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program over the package in a process whose environment is empty."""
    return subprocess.run(  # noqa: S603 - it runs what is written here
        [
            sys.executable,
            "-I",
            "-W",
            "error",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}",
        ],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_importing_a_module_does_nothing() -> None:
    """No variable is needed for it, no client is made, no connection opened, nothing printed."""
    names = [f"imagegen.{name}" for name in MODULES if name not in {*HANDLERS, "imagegen"}]
    done = run(
        "def audit(event, arguments):\n"
        "    if event in {'socket.connect', 'socket.getaddrinfo', 'subprocess.Popen', 'os.system'}:\n"
        "        raise SystemExit(event)\n"
        "sys.addaudithook(audit)\n"
        "import importlib\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "import botocore.client\n"
        "import gc\n"
        "assert not [one for one in gc.get_objects() if isinstance(one, botocore.client.BaseClient)]\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_that_is_not_configured_says_so_when_it_is_imported(handler: str) -> None:
    """And names everything that is missing, so that one deployment repairs it."""
    done = run(f"import imagegen.{handler}")
    assert done.returncode == 1
    assert "misconfigured: The environment cannot be used: BUCKET_NAME is missing; " in done.stderr
    assert "WEBHOOK_SECRET_ARN is missing." in done.stderr
