"""What the README shows is run on the deployed stack, as it stands; `make` has tests of its own."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support import documented, front
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from tests.support.deployed_stack import Stack
    from tests.support.documented import Block

BLOCKS: Final = documented.blocks("../README.md")
SAMPLE: Final = CHECKOUT / "tests" / "data" / "seed_sample.py.txt"
PROGRAMS: Final = {
    "pip": 'test "$*" = "install ./client"',  # clients/test_command_line_package.py installs it
    "imagegen": f'PYTHONPATH="{CHECKOUT}/client" exec python3 -m imagegen_client "$@"',
    "xdg-open": 'exec cp "$1" shown.png',  # with which Pillow shows an image
}
DIFFERENT: Final = {"id", "created_at", "url", "expires_at", "bytes", "sha256"}
"""Members that are different in each reply."""


def block(word: str, kind: str = "console") -> Block:
    """Return the only block that has a word."""
    (found,) = (each for each in BLOCKS if each.kind == kind and word in each.text)
    return found


@pytest.fixture
def folder(stack: Stack, tmp_path: Path) -> Path:
    """Return a folder that looks like the checkout to the commands."""
    (tmp_path / ".local").symlink_to(stack.folder)
    (tmp_path / "bin").mkdir()
    for name, line in PROGRAMS.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        program.chmod(0o700)
    return tmp_path


@pytest.fixture
def environ(stack: Stack, folder: Path) -> dict[str, str]:
    """Return the environment of a reader."""
    trusted = {name: str(stack.ca_bundle) for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE")}
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    own = {"PATH": path, "NO_PROXY": "*", "HOME": str(folder), "IMAGEGEN_CONFIG_DIR": str(folder)}
    return {**own, **(trusted if stack.ca_bundle else {})}


def constant(reply: dict[str, Any]) -> dict[str, Any]:
    """Return a reply without what is different in each."""
    return {
        name: [constant(each) for each in value] if name == "artifacts" else value
        for name, value in reply.items()
        if name not in DIFFERENT
    }


def names(reply: dict[str, Any]) -> list[str]:
    """Return the names of all members, in their order."""
    return [*reply, *(name for artifact in reply.get("artifacts", []) for name in artifact)]


def test_the_curl_line_is_replied_to_as_shown(folder: Path, environ: dict[str, str]) -> None:
    """The same members in the same order, with the same values where they can be the same."""
    (printed,) = documented.run([block("curl -sS")], folder, environ)
    reply, shown = json.loads(printed), json.loads(block("artifacts", kind="json").text)
    assert constant(reply) == constant(shown)
    assert names(reply) == names(shown)


def test_the_command_line_saves_the_image(folder: Path, environ: dict[str, str]) -> None:
    """After the block with the address and the key."""
    _, printed = documented.run([block("curl -sS"), block("imagegen ")], folder, environ)
    assert printed == "tea.png\n"
    assert (folder / "tea.png").read_bytes()[:4] == b"\x89PNG"


def test_the_guides_example_runs_with_two_variables(
    folder: Path, environ: dict[str, str], stack: Stack
) -> None:
    """Over https, because boto3 sends a bearer token over nothing else."""
    shutil.copy(SAMPLE, folder)
    text = block("AWS_BEARER_TOKEN_BEDROCK").text
    with front.running(stack, folder=folder / "tls") as service:
        for shown, real in (
            ("https://API_ID.execute-api.REGION.amazonaws.com/v1", service.url),
            ("YOUR_KEY", stack.state.api_key),
        ):
            assert shown in text
            text = text.replace(shown, real)
        variables = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_CA_BUNDLE": str(service.authority)}
        (printed,) = documented.run(
            [replace(block("AWS_BEARER_TOKEN_BEDROCK"), text=text)], folder, {**environ, **variables}
        )
    assert printed.splitlines() == [
        "success",
        "Finished generating text with SDXL model stability.stable-diffusion-xl-v1.",
    ]
    assert (folder / "shown.png").read_bytes()[:4] == b"\x89PNG"
