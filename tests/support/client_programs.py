"""Programs of other people's clients (`tests/clients`): each makes one picture with a base URL and an API key alone."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.packages import node_of, node_packages, python_packages

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack

FOLDER: Final = Path(__file__).parents[1] / "clients"
TIMEOUT: Final = 300
"""In seconds. Some packages take many seconds to import on a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One client: its package's list, and a program that takes a prompt and prints what its client returned.

    Attributes:
        name: Its folder, such as `python/openai-3`.
        refused_key: What the program prints, besides the sentence, if the API key is wrong: the client's own exception.
        refused_prompt: Likewise, if the prompt is empty.
    """

    name: str
    refused_key: str
    refused_prompt: str

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return FOLDER / self.name

    def install(self) -> list[str]:
        """Install the packages, and return the command without its prompt."""
        if self.name.startswith("python/"):
            return [str(python_packages(self.folder / "requirements.txt")), str(self.folder / "picture.py")]
        installed = node_packages(self.folder / "package.json")
        # Node.js looks for packages beside the program, so the program is copied to them.
        program = shutil.copy(self.folder / "picture.mjs", installed)
        return [node_of(installed), str(program)]

    def run(self, stack: Stack, *, key: str, prompt: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run the program in `folder`, with an environment that has only the base URL, the key and what it trusts."""
        return subprocess.run(  # noqa: S603 - the programs of this checkout
            [*self.install(), prompt],
            cwd=folder,
            env=environment(stack, key=key, home=folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )


def environment(stack: Stack, *, key: str, home: Path) -> dict[str, str]:
    """Return the variables that these clients read: where the service is, the key, and the strict mode's authority."""
    where = {
        "OPENAI_BASE_URL": stack.state.api_url,
        "OPENAI_API_KEY": key,
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
        "NO_PROXY": "*",
        **where,
        **(dict.fromkeys(trust, authority) if authority else {}),
    }


def picture(printed: str, *, anonymous: httpx.Client) -> bytes:
    """Return the picture that a program printed as its last line: a URL, or base64."""
    last = printed.strip().splitlines()[-1]
    if last.startswith("http"):
        return anonymous.get(last).raise_for_status().content
    return base64.b64decode(last, validate=True)
