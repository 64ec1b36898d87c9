"""Clients that are generated from the API's document compile without a complaint, and their calls work.

`make clients` runs these tests. They install the generators first, so they need the registries.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from apidoc.__main__ import TARGET
from tests.support.client_programs import TIMEOUT, environment
from tests.support.packages import node_of, node_packages, python_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.deployed_stack import Stack, StandIn

GENERATED: Final = Path(__file__).parent / "generated"
PROMPT: Final = "Sri lanka tea plantation."


def run(*command: str | Path, folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a program in `folder`, and return what it printed; it fails with its own words."""
    done = subprocess.run(  # noqa: S603 - the generators and programs of this checkout
        command,
        cwd=folder,
        env=env or {"PATH": os.defpath, "HOME": str(folder), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def node_folder(tool: str, folder: Path) -> tuple[str, Path]:
    """Install the packages of a tool and lay its files into `folder`; return Node.js and the packages."""
    installed = node_packages(GENERATED / tool / "package.json")
    for file in [GENERATED / "tsconfig.json", *(GENERATED / tool).iterdir()]:
        shutil.copy(file, folder)
    shutil.copy(TARGET, folder / "openapi.json")
    # Node.js looks for packages beside the program.
    (folder / "node_modules").symlink_to(installed / "node_modules")
    return shutil.which(node_of(installed)) or "", folder / "node_modules"


def python_client(folder: Path) -> list[str | Path]:
    """Generate with openapi-python-client, and return the command that runs its program."""
    python = python_packages(GENERATED / "openapi-python-client" / "requirements.txt")
    # It formats what it wrote with the `ruff` that it finds.
    env = {"PATH": os.pathsep.join([str(python.parent), os.defpath]), "HOME": str(folder)}
    command: list[str | Path] = [
        "generate",
        "--path",
        TARGET,
        "--meta",
        "none",
        "--output-path",
        "generated_imagegen",
    ]
    said = run(python.parent / "openapi-python-client", *command, folder=folder, env=env)
    assert said == "Generating generated_imagegen\n"
    shutil.copy(GENERATED / "openapi-python-client" / "program.py", folder)
    return [python, folder / "program.py"]


def openapi_fetch(folder: Path) -> list[str | Path]:
    """Generate types with openapi-typescript, check the program's types, and return the command that runs it."""
    node, packages = node_folder("openapi-fetch", folder)
    cli = packages / "openapi-typescript/bin/cli.js"
    said = run(node, cli, "openapi.json", "-o", "schema.d.ts", folder=folder)
    assert "warn" not in said.lower(), said
    assert run(node, packages / "typescript/bin/tsc", "--project", ".", folder=folder) == ""
    return [node, folder / "built/program.js"]


def hey_api(folder: Path) -> list[str | Path]:
    """Generate with @hey-api/openapi-ts, check the types of client and program, and return the command that runs it."""
    node, packages = node_folder("hey-api", folder)
    said = run(node, packages / "@hey-api/openapi-ts/bin/run.js", folder=folder)
    assert "warn" not in said.lower(), said
    assert run(node, packages / "typescript/bin/tsc", "--project", ".", folder=folder) == ""
    return [node, folder / "built/program.js"]


@pytest.mark.parametrize("generate", [python_client, openapi_fetch, hey_api])
def test_a_generated_client_makes_an_image_and_tells_problems(
    generate: Callable[[Path], list[str | Path]], stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """The generator warns about nothing; replies and problems are values of the generated types."""
    command = generate(tmp_path)
    env = environment(stack, key=stack.state.api_key, home=tmp_path)
    shown = json.loads(run(*command, folder=tmp_path, env=env))
    made = shown["made"]
    assert made["id"].startswith("gen_")
    assert made["status"] == "succeeded"
    assert made["created_in"] >= 2026
    assert made["size"] == [1024, 1024]
    assert made["downloaded"] == made["sha256"]
    # A client sends the idempotency key as a header of its own, and pays once.
    assert shown["repeated"] == made
    assert stand_in.calls(prompt=PROMPT)["painted"] == 1
    assert shown["redirect"] == [302, True]
    assert shown["images"] == 1
    assert shown["bad_steps"] == {"code": "invalid_parameter", "status": 400, "fields": ["steps"]}
    assert shown["wrong_key"] == {"code": "unauthorized", "status": 401, "fields": []}


@pytest.mark.parametrize(
    "command",
    [
        ["@redocly/cli/bin/cli.js", "lint", "openapi.json", "--format=json"],
        ["@redocly/cli/bin/cli.js", "lint", "openapi.json", "--format=json", "--extends=recommended-strict"],
    ],
    ids=["recommended", "recommended-strict"],
)
def test_redocly_finds_nothing(command: list[str], tmp_path: Path) -> None:
    """Neither an error nor a warning, by the rules that it recommends."""
    node, packages = node_folder("linters", tmp_path)
    env = {"PATH": os.defpath, "HOME": str(tmp_path), "REDOCLY_TELEMETRY": "off"}
    said = run(node, packages / command[0], *command[1:], folder=tmp_path, env={**env, "NO_COLOR": "1"})
    assert problems_of(said) == []


def problems_of(said: str) -> list[Any]:
    """Return what redocly found: it prints other words around the JSON."""
    found, _ = json.JSONDecoder().raw_decode(said, said.index("{\n"))
    problems: list[Any] = found["problems"]
    assert found["totals"].keys() >= {"errors", "warnings"}
    return problems


def test_spectral_finds_nothing(tmp_path: Path) -> None:
    """Nothing of any severity, by its rules for OpenAPI."""
    node, packages = node_folder("linters", tmp_path)
    cli = packages / "@stoplight/spectral-cli/dist/index.js"
    options = ["--ruleset", "spectral.yaml", "--fail-severity", "hint"]
    said = run(node, cli, "lint", "openapi.json", *options, folder=tmp_path)
    assert said.strip() == "No results with a severity of 'hint' or higher found!"


# "Example" is a choice of Postman's import dialog. Its other choice fills every field with words like <string>, for
# people to replace; the headers are the same.
@pytest.mark.parametrize("resolution", ["Example", "Schema"])
def test_a_postman_collection_switches_no_idempotency_key_on(resolution: str, tmp_path: Path) -> None:
    """A collection's second request would otherwise get the image of the first."""
    _, _, collection = postman_collection(tmp_path, resolution)
    headers = [header for item in posts(collection["item"]) for header in item["request"]["header"]]
    sent = {header["key"] for header in headers if not header.get("disabled")}
    assert sent == {"Content-Type", "Accept", "Prefer"}


def test_the_requests_of_a_postman_collection_make_images(
    stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """With the URL and the key filled in, each request works as it is, and makes a new image each time."""
    node, packages, collection = postman_collection(tmp_path, "Example")
    requests = posts(collection["item"])
    (tmp_path / "posts.json").write_text(json.dumps({**collection, "item": requests}), encoding="utf-8")
    variables = {"baseUrl": stack.state.api_url, "apiKey": stack.state.api_key}
    options = [word for name, value in variables.items() for word in ("--env-var", f"{name}={value}")]
    if stack.ca_bundle:
        options += ["--ssl-extra-ca-certs", str(stack.ca_bundle)]
    newman = packages / "newman/bin/newman.js"
    reports = ["--reporters", "json", "--reporter-json-export", "report.json"]
    run(node, newman, "run", "posts.json", "--iteration-count", "2", *options, *reports, folder=tmp_path)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    answers = [execution["response"] for execution in report["run"]["executions"]]
    assert [answer["code"] for answer in answers] == [200] * 10
    replayed = [header for answer in answers for header in answer["header"] if "Replayed" in header["key"]]
    assert replayed == []
    assert stand_in.calls()["painted"] == 10


def postman_collection(folder: Path, resolution: str) -> tuple[str, Path, dict[str, Any]]:
    """Import the document as Postman does; return Node.js, the packages and the collection."""
    node, packages = node_folder("postman", folder)
    converter = packages / "openapi-to-postmanv2/bin/openapi2postmanv2.js"
    option = f"parametersResolution={resolution}"
    run(node, converter, "-s", "openapi.json", "-o", "collection.json", "-O", option, folder=folder)
    collection: dict[str, Any] = json.loads((folder / "collection.json").read_text(encoding="utf-8"))
    return node, packages, collection


def posts(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the requests of a collection that make images, out of its folders and without saved replies."""
    inner = [request for item in items if "item" in item for request in posts(item["item"])]
    own = [item for item in items if item.get("request", {}).get("method") == "POST"]
    return [*inner, *({"name": item["name"], "request": item["request"]} for item in own)]
