"""The zips hold what is listed here, and every function runs with that alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.bundle import sizes
from stacks.service_data import CALLED_BY_BOTOCORE, KEPT_OPERATIONS
from stacks.zip_contents import AUTHORIZER, REMOVED
from tests.support.environment import ENVIRONMENT
from tests.support.events import event
from tests.support.zip_imports import imports, modules

PACKAGES: Final = {
    *("annotated_types", "aws_lambda_powertools", "botocore", "dateutil", "jmespath", "pybase64"),
    *("pydantic", "pydantic_core", "six", "standardwebhooks", "typing_extensions"),
    *("typing_inspection", "urllib3"),
}
"""The packages of the service's zip besides our own."""
LARGEST: Final = 8_000_000
"""Bytes of the zip, everything included."""
LARGEST_AUTHORIZER: Final = 100_000
GUARDED: Final = {
    (
        "aws_lambda_powertools.event_handler.api_gateway",
        "aws_lambda_powertools.event_handler.openapi.swagger_ui",
    ): ("only in `enable_swagger`"),
    ("dateutil.tz.tz", "dateutil.zoneinfo"): "only in `gettz`, for a zone that the system does not have",
    ("pydantic._internal._generate_schema", "pydantic.v1"): "only for a class with `__get_validators__`",
    ("urllib3", "urllib3.contrib.emscripten"): "only in a browser",
}
"""Imports of removed modules that remain in the zip's modules, and why they never run."""
RUN: Final = """
import importlib, json, sys
sys.path[:] = [sys.argv[1], *(path for path in sys.path if "site-packages" not in path)]
from types import SimpleNamespace
handler = importlib.import_module("imagegen." + sys.argv[2])
loaded = sorted({
    module.__file__[len(sys.argv[1]) + 1:]
    for module in list(sys.modules.values()) if (getattr(module, "__file__", None) or "").startswith(sys.argv[1])
})
context = SimpleNamespace(
    function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="id",
    get_remaining_time_in_millis=lambda: 29000,
)
reply = handler.lambda_handler(json.loads(sys.argv[3]), context)
print(json.dumps({"loaded": loaded, "reply": reply}))
"""
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}
IMPORTED: Final = (
    "stability.stable-diffusion-xl-v1@arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
)
"""A model whose lifecycle is the operator's own, so that Bedrock need not be asked."""
EVENTS: Final[dict[str, dict[str, Any]]] = {
    "api_handler": event("POST", "/text-to-image", {"text_prompts": [{"text": "tea"}], "steps": 9}),
    "worker_handler": {"Records": [{"messageId": "message-1", "body": "id-1", "eventSource": "aws:sqs"}]},
    "lifecycle_handler": {},
    "authorizer_handler": event("GET", "/models"),
}
"""Requests that reach no service of AWS: the worker finds no credentials to sign its first call with."""


def run(content: Path, handler: str) -> dict[str, Any]:
    """Load a handler from a zip alone, give it a request, and return its reply and the files that it loaded."""
    environment = {
        **ENVIRONMENT,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **({} if handler == "worker_handler" else CREDENTIALS),
        "KEY_TABLE_NAME": "keys",
        "URL_SUFFIX": "amazonaws.com",
        "POWERTOOLS_METRICS_NAMESPACE": "imagegen",
    }
    if handler == "lifecycle_handler":
        environment["MODELS"] = IMPORTED
    done = subprocess.run(  # noqa: S603 - this interpreter and a program of our own
        [sys.executable, "-S", "-c", RUN, str(content), handler, json.dumps(EVENTS[handler])],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answered: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answered


def test_the_api_function_replies_from_the_zip(built: Path) -> None:
    """The function needs no package of this environment."""
    reply = run(built, "api_handler")["reply"]
    assert reply["statusCode"] == 400
    assert json.loads(reply["body"])["code"] == "invalid_parameter"


def test_the_worker_replies_from_the_zip(built: Path) -> None:
    """A message whose record cannot be read comes back."""
    reply = run(built, "worker_handler")["reply"]
    assert reply == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}


def test_the_check_of_the_lifecycles_replies_from_the_zip(built: Path) -> None:
    """The model is in order, so nothing is found."""
    assert run(built, "lifecycle_handler")["reply"] == {"findings": 0}


@pytest.mark.parametrize("zip_", ["built", "built_authorizer"])
def test_the_authorizer_replies_from_its_zip(zip_: str, request: pytest.FixtureRequest) -> None:
    """A request without a key is denied. It would also run from the service's zip."""
    reply = run(request.getfixturevalue(zip_), "authorizer_handler")["reply"]
    assert reply["policyDocument"]["Statement"][0]["Effect"] == "Deny"


def test_the_zip_of_the_authorizer_holds_what_its_handler_loads_and_nothing_else(
    built_authorizer: Path,
) -> None:
    """Each part that is listed is loaded, and no package; the list is in `stacks/zip_contents.py`."""
    loaded = set(run(built_authorizer, "authorizer_handler")["loaded"])
    assert {name.partition("/")[0].partition(".")[0] for name in loaded} == {"imagegen"}
    ours = {name.removeprefix("imagegen/") for name in loaded if name.startswith("imagegen/")}
    parts = AUTHORIZER.parts or ()
    assert [part for part in parts if not any(f"{name}/".startswith(f"{part}/") for name in ours)] == []
    assert top_level(built_authorizer) == {"imagegen"}


def top_level(content: Path) -> set[str]:
    """Return the names of what can be imported from a zip."""
    found = {path.name.partition(".")[0] for path in content.iterdir() if path.suffix != ".dist-info"}
    return found - {"__pycache__"}


def test_the_zip_holds_the_listed_packages(built: Path) -> None:
    """A new package is listed here, so that somebody sees it; it costs every cold start."""
    assert top_level(built) == PACKAGES | {"imagegen"}


def test_botocore_describes_only_the_operations_that_are_called(built: Path) -> None:
    """Its folder of data has these files and no other."""
    data = built / "botocore" / "data"
    files = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    shared = {"_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"}
    assert {name for name in files if "/" not in name} == shared
    services = {name.partition("/")[0] for name in files - shared}
    assert services == set(KEPT_OPERATIONS)
    assert {re.sub(r"^[^/]+/[0-9-]+/", "", name) for name in files - shared} == {
        *("endpoint-rule-set-1.json", "service-2.json", "service-2.sdk-extras.json"),
    }
    for service, operations in KEPT_OPERATIONS.items():
        (path,) = (data / service).glob("*/service-2.json")
        described = json.loads(path.read_text())["operations"]
        assert set(described) == operations | CALLED_BY_BOTOCORE.get(service, frozenset())


def test_what_is_removed_is_in_the_packages(built: Path) -> None:
    """A line that removes nothing would hide that a package has moved what it names."""
    for name in REMOVED:
        top = find_spec(name.partition("/")[0])
        assert top is not None
        assert top.origin is not None
        assert (Path(top.origin).parent.parent / name).exists(), name
        assert not (built / name).exists()


def test_no_module_that_is_held_imports_what_was_removed(built: Path) -> None:
    """Not even within a function, unless the list says why that line never runs."""
    removed = {name.removesuffix(".py").replace("/", ".") for name in REMOVED}
    found = {
        (importer, name)
        for importer, imported in imports(built).items()
        for name in removed
        if any(each == name or each.startswith(f"{name}.") for each in imported)
    }
    assert found == set(GUARDED)


def test_the_authorizers_modules_import_only_what_its_zip_holds(built: Path, built_authorizer: Path) -> None:
    """Not even within a function."""
    missing = modules(built) - modules(built_authorizer)
    found = {
        (importer, name)
        for importer, imported in imports(built_authorizer).items()
        for name in imported & missing
    }
    assert found == set()


def test_every_package_keeps_its_licence(built: Path) -> None:
    """Whatever is removed of a package, its metadata has the licences that came with it."""
    ours = {path.name: path for path in built.glob("*.dist-info")}
    installed = Path(str(find_spec("botocore").origin)).parent.parent  # type: ignore[union-attr]  # it is installed
    pattern = re.compile("licen[cs]e|notice|copying", re.IGNORECASE)
    for name, path in ours.items():
        expected = {p.name for p in (installed / name).rglob("*") if p.is_file() and pattern.search(p.name)}
        assert {p.name for p in path.rglob("*") if p.is_file() and pattern.search(p.name)} == expected
    assert len(ours) == len(PACKAGES)


@pytest.mark.parametrize(("zip_", "bound"), [("built", LARGEST), ("built_authorizer", LARGEST_AUTHORIZER)])
def test_the_zip_is_small(zip_: str, bound: int, request: pytest.FixtureRequest) -> None:
    """The size is that of this machine's zip with bytecode, at the highest compression."""
    shares = sizes(request.getfixturevalue(zip_))
    assert sum(shares.values()) <= bound, shares
