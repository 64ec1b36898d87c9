"""Each room imports only the rooms that it may, and importing a module does nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from imagegen.http import surface
from tests.support.environment import AUTHORIZERS_ENVIRONMENT, ENVIRONMENT

ROOT = Path(__file__).parents[2] / "lambda"

FLOORS = (
    ("errors",),
    ("authorizer_settings", "contracts", "keys", "settings"),
    ("models",),
    ("generations",),
    ("adapters", "http", "worker"),
    ("wiring",),
    ("api_handler", "authorizer_handler", "lifecycle_handler", "worker_handler"),
)
"""The rooms of `lambda/imagegen`, lowest floor first. A room is a folder, or a module of its own."""

HANDLERS = FLOORS[-1]

PLACE = {"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "imagegen"}
"""Variables that a function has besides its settings."""

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "settings": {"errors"},
    "authorizer_settings": {"errors"},
    "keys": set(),
    "contracts": {"errors"},
    "models": {"contracts", "errors"},
    "generations": {"models", "contracts", "errors"},
    "adapters": {"generations", "keys", "models", "contracts", "errors"},
    "http": {"generations", "models", "contracts", "errors"},
    "worker": {"generations", "errors"},
    "wiring": {"adapters", "generations", "models", "settings", "errors"},
    "api_handler": {"adapters", "http", "settings", "wiring"},
    "authorizer_handler": {"adapters", "authorizer_settings", "keys"},
    "lifecycle_handler": {"adapters", "models", "settings"},
    "worker_handler": {"adapters", "generations", "settings", "wiring", "worker"},
}
"""Which other rooms each room may import."""

MODULE_RULES = (
    # a pattern of modules, and a pattern of what they must not import: modules of ours, or packages of others
    ("contracts.generation_request", r"pydantic|.*\.schema"),
    (r"contracts\.\w+\.parameters", r"pydantic|.*\.schema"),
    (r"contracts\.\w+\.reading", "pydantic"),
    (r"models(\.\w+)?", r"contracts\.(?!\w+\.parameters$).*"),
    (r"generations(\.\w+)?", r"contracts\.(?!generation_request$|\w+\.parameters$).*"),
    (r"generations(\.\w+)?", "boto3|botocore|pydantic|aws_lambda_powertools"),
    (r"adapters\.(?!dynamodb|bedrock|direct|key_table)\w+", r"adapters\.(?!direct\b)\w+"),
    (r"adapters\.dynamodb(\.\w+)?", r"adapters\.(?!dynamodb\b).+"),
    (r"adapters\.bedrock(\.\w+)?", r"adapters\.(?!bedrock\b|direct\b).+"),
    (r"adapters\.direct(\.\w+)?", r"adapters\.(?!direct\b).+"),
    (
        r"adapters\.direct\.(connection|connections|resending|signature|table_calls)",
        r"(boto3|botocore|urllib3)\b.*|adapters\.direct\.(\w+_client|session)$",
    ),
    (r"adapters\.key_table(\.\w+)?", r"adapters\.(?!key_table\b|direct\b).+"),
    (
        r"adapters\.key_table\.(?!table$)\w+",
        r"(boto3|botocore|urllib3)\b.*|adapters\.key_table\.table|adapters\.direct\.(\w+_client|session)$",
    ),
    (r"http\.compat\.(?!openai)\w+", r"http\.compat\..+"),
    (r"http\.compat\.openai(\.\w+)?", r"http\.compat\.(?!openai\b).+"),
    (
        "(?!adapters|api_handler|authorizer_handler|lifecycle_handler|worker_handler|wiring).*",
        "boto3|botocore|urllib3",
    ),
    ("(?!adapters).*", "http|random|secrets|socket|ssl|subprocess|time"),
    ("(?!adapters|http.app|http.reply|worker|api_handler|lifecycle_handler).*", "aws_lambda_powertools"),
    ("(?!api_handler|authorizer_handler|lifecycle_handler|worker_handler).*", "os"),
)
"""Imports that a module must not have, whatever its room may. Only adapters use time, chance and sockets."""


def name_of(path: Path) -> str:
    """Return the name of a module without the package's name."""
    parts = path.relative_to(ROOT / "imagegen").with_suffix("").parts
    return ".".join(parts).removesuffix("__init__").rstrip(".") or "imagegen"


MODULES = {name_of(path): path for path in sorted((ROOT / "imagegen").rglob("*.py"))}
INSIDE = [name for name in MODULES if name != "imagegen"]


@cache
def tree_of(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports_of(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the modules of ours and the packages of others that a module imports.

    Names of ours come without `imagegen`. Imports that only types need count as well.
    """
    ours, others = set(), set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            root, _, inside = name.partition(".")
            if root != "imagegen":
                others.add(root)
            else:
                ours.add(inside if inside in MODULES else inside.rpartition(".")[0])
    return frozenset(ours), frozenset(others)


def room_of(module: str) -> str:
    """Return the room that a module is in."""
    return module.partition(".")[0]


def arrows() -> set[tuple[str, str]]:
    """Return each pair of a room and another room that it imports."""
    return {
        (room_of(module), room_of(name))
        for module in INSIDE
        for name in imports_of(module)[0]
        if name and room_of(module) != room_of(name)
    }


def test_every_room_has_its_floor() -> None:
    """Whoever adds a room gives it a floor here, and says what it may import."""
    assert {room_of(module) for module in INSIDE} == {room for floor in FLOORS for room in floor}
    assert set(MAY_IMPORT) == {room for floor in FLOORS for room in floor}


def test_the_rules_never_run_back_up() -> None:
    """A room may import only rooms of lower floors, so there is no cycle."""
    floor_of = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    assert [
        (room, other)
        for room, others in MAY_IMPORT.items()
        for other in others
        if floor_of[other] >= floor_of[room]
    ] == []


def test_a_room_imports_what_it_may() -> None:
    """The rules allow each import between two rooms."""
    assert {(room, other) for room, other in arrows() if other not in MAY_IMPORT[room]} == set()


def test_the_house_has_these_numbers() -> None:
    """Whoever adds a room, a floor or an import between rooms changes these numbers."""
    assert (len(MAY_IMPORT), len(FLOORS), len(arrows())) == (15, 7, 39)


@pytest.mark.parametrize(("modules", "forbidden"), MODULE_RULES)
def test_a_module_imports_what_it_may(modules: str, forbidden: str) -> None:
    """Some modules have stricter rules than their room."""
    found = {
        (module, name)
        for module in INSIDE
        if re.fullmatch(modules, module)
        for names in imports_of(module)
        for name in names
        if re.fullmatch(forbidden, name) and not (name == "http" and name in imports_of(module)[0])
    }
    assert found == set()


@pytest.mark.parametrize("module", [name for name in INSIDE if name not in HANDLERS])
def test_only_the_handlers_touch_the_environment(module: str) -> None:
    """The handlers pass the environment to the settings as a mapping."""
    names = {node.attr for node in ast.walk(tree_of(module)) if isinstance(node, ast.Attribute)}
    assert not names & {"environ", "environb", "getenv"}


@pytest.mark.parametrize("module", INSIDE)
def test_nothing_in_the_functions_imports_what_describes_or_deploys_them(module: str) -> None:
    """The deployed zip has only the folder `lambda/`."""
    assert not imports_of(module)[1] & {"apidoc", "docsite", "local", "stacks", "tests", "tools"}


@pytest.mark.parametrize("module", [name for name in INSIDE if room_of(name) != "http"])
def test_only_http_makes_headers(module: str) -> None:
    """An error carries facts such as `retry_after`; only `http` knows the headers for them."""
    texts = {node.value for node in ast.walk(tree_of(module)) if isinstance(node, ast.Constant)}
    if module == "keys.authorizer":
        texts -= {"Allow"}  # an effect in a policy
    assert texts & {*surface.EXPOSED_HEADERS} == set()


@pytest.mark.parametrize("module", INSIDE)
def test_no_exception_is_edited_in_flight(module: str) -> None:
    """Code that learns more about an error raises a new one from the first."""
    caught = {
        node.name
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ExceptHandler) and node.name is not None
    }
    edited = {
        target.value.id
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
    }
    assert caught & edited == set()


def run(program: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in a process that can import the package and has exactly this environment."""
    return subprocess.run(  # noqa: S603 - it runs what is written here
        [
            sys.executable,
            "-I",
            "-W",
            "error",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}",
        ],
        env=dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_importing_a_module_does_nothing() -> None:
    """An import needs no variable, makes no client, opens no connection and prints nothing."""
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


@pytest.mark.parametrize("handler", [name for name in HANDLERS if name != "authorizer_handler"])
def test_a_function_loads_urllib3_before_botocore(handler: str) -> None:
    """Deep inside of botocore's imports it would take 15 ms more."""
    done = run(
        f"import imagegen.{handler}\n"
        "print([name for name in sys.modules if name in {'botocore', 'urllib3'}])",
        {**ENVIRONMENT, **PLACE},
    )
    assert (done.stdout, done.stderr) == ("['urllib3', 'botocore']\n", "")


@pytest.mark.parametrize("handler", HANDLERS)
def test_no_function_loads_boto3(handler: str) -> None:
    """The clients are those of botocore; boto3 and s3transfer would be loaded for nothing."""
    done = run(
        f"import imagegen.{handler}\n"
        "print(sorted(name for name in sys.modules if name.startswith(('boto3', 's3transfer'))))",
        {**ENVIRONMENT, **PLACE, **AUTHORIZERS_ENVIRONMENT},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("handler", [name for name in HANDLERS if name != "authorizer_handler"])
def test_nothing_is_collected_while_a_function_starts(handler: str) -> None:
    """The collector is off before anything large is imported; afterwards it is on, and what was made is set aside."""
    done = run(
        "import gc\n"
        "gc.callbacks.append(lambda *_: print('collected', len(sys.modules)) if 'botocore' in sys.modules else None)\n"
        f"import imagegen.{handler}\n"
        "gc.callbacks.clear()\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 10_000)",
        {**ENVIRONMENT, **PLACE},
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_the_worker_starts_without_the_http_layer() -> None:
    """The worker loads neither pydantic nor `http/`, which make up most of the api function's imports."""
    done = run(
        "import imagegen.worker_handler\n"
        "print(sorted(name for name in sys.modules if name.startswith(('pydantic', 'annotated', 'imagegen.http'))))",
        {**ENVIRONMENT, **PLACE},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_api_starts_without_pydantic() -> None:
    """A well-formed request of our own, Stability's or Bedrock's shape is read without it: decision 123."""
    done = run(
        "import imagegen.api_handler\n"
        "from imagegen.contracts.text_to_image import reading\n"
        "reading.parse({'text_prompts': [{'text': 'tea'}], 'steps': 30})\n"
        "print(sorted(name for name in sys.modules if name.startswith(('pydantic', 'annotated'))))",
        {**ENVIRONMENT, **PLACE},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_authorizer_starts_with_our_own_code_alone() -> None:
    """Every request of a cold deployment waits for it, so it loads no package, no `http/` and no `generations/`."""
    done = run(
        "before = {*sys.modules}\n"
        "import imagegen.authorizer_handler\n"
        "loaded = {name.partition('.')[0] for name in {*sys.modules} - before}\n"
        "print(sorted(loaded - {*sys.stdlib_module_names}))\n"
        "rooms = tuple(f'imagegen.{room}' for room in ('generations', 'http', 'models', 'settings', 'wiring'))\n"
        "print(sorted(name for name in sys.modules if name.startswith(rooms)))\n"
        "print(sorted(name for name in sys.modules if name.startswith('imagegen.adapters.')))",
        AUTHORIZERS_ENVIRONMENT,
    )
    assert done.stderr == ""
    packages, rooms, adapters = done.stdout.splitlines()
    assert (packages, rooms) == ("['imagegen']", "[]")
    assert ast.literal_eval(adapters) == [
        "imagegen.adapters.direct",
        "imagegen.adapters.direct.connection",
        "imagegen.adapters.direct.resending",
        "imagegen.adapters.direct.signature",
        "imagegen.adapters.direct.table_calls",
        "imagegen.adapters.key_table",
        "imagegen.adapters.key_table.items",
        "imagegen.adapters.key_table.look_up",
        "imagegen.adapters.system",
    ]


def test_the_daily_check_starts_without_the_service() -> None:
    """It asks Bedrock about models and does nothing else."""
    done = run(
        "import imagegen.lifecycle_handler\n"
        "heavy = ('pydantic', 'annotated', 'imagegen.http', 'imagegen.keys', 'imagegen.wiring')\n"
        "print(sorted(name for name in sys.modules if name.startswith(heavy)))",
        {"STAGE": "dev", "MODELS": ENVIRONMENT["MODELS"], **PLACE},
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("handler", [name for name in HANDLERS if name in {"api_handler", "worker_handler"}])
def test_a_handler_that_is_not_configured_says_so_when_it_is_imported(handler: str) -> None:
    """The error names every missing variable, so that one deployment repairs all of them."""
    done = run(f"import imagegen.{handler}")
    assert done.returncode == 1
    assert "misconfigured: The environment cannot be used: STAGE is missing; " in done.stderr
    assert "OWNER_SALT is missing." in done.stderr


def test_an_authorizer_that_is_not_configured_says_so_when_it_is_imported() -> None:
    """Its settings are its own; the error has the same form."""
    done = run("import imagegen.authorizer_handler", {"URL_SUFFIX": ""})
    assert done.returncode == 1
    words = "misconfigured: The environment cannot be used: KEY_TABLE_NAME is missing; URL_SUFFIX is empty; "
    assert words in done.stderr
