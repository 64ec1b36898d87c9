"""Programs of other people's clients (`tests/clients`): each makes one picture with a base URL and an API key alone."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.packages import INSTALLED, node_of, node_packages, python_packages

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack

FOLDER: Final = Path(__file__).parents[1] / "clients"
PICTURES: Final = INSTALLED / "pictures"
BACKWARDS: Final = "Sri lanka \u202eaet plantation."
"""Has a bidirectional override, which makes one text look like another."""

TIMEOUT: Final = 300
"""In seconds. Some packages take many seconds to import on a busy machine."""

OFFLINE: Final = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
"""Keeps clients from other servers than this service: they would report their use, or fetch a list of prices."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One client: its package's list, and a program that takes a prompt and prints what its client returned.

    What it prints besides the service's sentence is the client's own exception, or its words for it; the defaults are
    those of OpenAI's packages.

    Attributes:
        name: Its folder, such as `python/openai-3`.
        refused_key: What it prints if the API key is wrong.
        refused_prompt: What it prints if the service refuses the prompt.
        failed: What it prints if the service fails after it may have paid.
        why_not_empty: Why the empty prompt is not one that the service refuses, so that `prompt` is another one.
        mute: Why the client does not show the service's sentence.
    """

    name: str
    refused_key: str = "AuthenticationError"
    refused_prompt: str = "BadRequestError"
    failed: str = "InternalServerError"
    why_not_empty: str = ""
    mute: str = ""

    @property
    def prompt(self) -> str:
        """A prompt that the service refuses before it pays: the empty one, or one that reads backwards."""
        return BACKWARDS if self.why_not_empty else ""

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return FOLDER / self.name

    def install(self, program: str = "picture") -> list[str]:
        """Install the packages, and return the command of one of its programs without its prompt."""
        if self.name.startswith("python/"):
            python = python_packages(self.folder / "requirements.txt")
            return [str(python), str(self.folder / f"{program}.py")]
        installed = node_packages(self.folder / "package.json")
        # Node.js looks for packages beside the program, so the program is copied to them.
        copied = shutil.copy(self.folder / f"{program}.mjs", installed)
        return [node_of(installed), str(copied)]

    def run(self, stack: Stack, *, key: str, prompt: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run the program in `folder`, with an environment that has only the base URL, the key and what it trusts."""
        return run([*self.install(), prompt], stack, key=key, folder=folder)


def run(command: list[str], stack: Stack, *, key: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`, with an environment that has only the base URL, the key and what it trusts."""
    return subprocess.run(  # noqa: S603 - the programs of this checkout, and commands of the system
        command,
        cwd=folder,
        env=environment(stack, key=key, home=folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def keep(png: bytes, *, name: str) -> None:
    """Keep the last picture of a client, for people to look at."""
    file = PICTURES / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png)


def environment(stack: Stack, *, key: str, home: Path) -> dict[str, str]:
    """Return the variables that these clients read: where the service is, the key, and the strict mode's authority."""
    where = {
        "OPENAI_BASE_URL": stack.state.api_url,
        "OPENAI_API_BASE": stack.state.api_url,  # LangChain's name for it
        "OPENAI_API_KEY": key,
        # This client puts the version into its paths itself.
        "STABILITY_API_HOST": stack.state.api_url.removesuffix("/v1"),
        "STABILITY_API_KEY": key,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": stack.state.api_url,
        "AWS_BEARER_TOKEN_BEDROCK": key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "IMAGEGEN_URL": stack.state.api_url,
        "IMAGEGEN_KEY": key,
    }
    authority = str(stack.ca_bundle) if stack.ca_bundle else ""
    trust = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE")
    return {
        # The folder of node, which need not be one of the system's.
        "PATH": os.pathsep.join([str(Path(shutil.which("node") or "").parent), os.defpath]),
        "HOME": str(home),
        "TMPDIR": str(home),
        "NO_PROXY": "*",
        **OFFLINE,
        **where,
        **(dict.fromkeys(trust, authority) if authority else {}),
    }


def picture(printed: str, *, anonymous: httpx.Client) -> bytes:
    """Return the picture that a program printed as its last line: a URL, or base64."""
    last = printed.strip().splitlines()[-1]
    if last.startswith("http"):
        return anonymous.get(last).raise_for_status().content
    return base64.b64decode(last, validate=True)
