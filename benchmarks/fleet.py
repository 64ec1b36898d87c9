"""Starts the stand-ins of AWS and the environments that are measured against them, and stops them again."""

import contextlib
import datetime as dt
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contenders import contenders
from benchmarks.environments import Contender, Environment
from benchmarks.installed import Installed
from local import certificates
from tools.checkout import CHECKOUT


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The functions that can be started, and the stand-ins that they talk to."""

    installed: Installed
    contenders: Mapping[str, Contender]
    services: httpx.Client

    def start(self, name: str, **variables: str) -> Environment:
        """Start an environment of one contender; `variables` replace some of its own."""
        contender = self.contenders[name]
        changed = Contender(
            name=contender.name,
            handler=contender.handler,
            folders=contender.folders,
            variables={**contender.variables, **variables},
        )
        return Environment(changed, python=self.installed.python, client=self.installed.client)

    def control(self, **wanted: Any) -> dict[str, int]:
        """Set what the stand-ins do (`image_bytes`, `model_seconds`), and return the calls counted until now."""
        counted: dict[str, int] = self.services.post("/_control", json=wanted).raise_for_status().json()
        return counted


@contextmanager
def fleet(
    installed: Installed, *, module: str = "benchmarks.aws_stand_ins", arguments: Sequence[str] = ()
) -> Iterator[Fleet]:
    """Run the stand-ins, over TLS with certificates of their own, until the block ends; `module` serves them."""
    # The stand-ins of `growth` import the service's adapters to fill their tables.
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT / "lambda"), str(CHECKOUT)])}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        files = certificates.ensure(Path(folder), now=dt.datetime.now(dt.UTC))
        command = [sys.executable, "-m", module, str(files.certificate), str(files.key), *arguments]
        process = stack.enter_context(
            subprocess.Popen(command, cwd=CHECKOUT, env=environ, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(process.kill)
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        address = process.stdout.readline().strip()
        trusted = ssl.create_default_context(cafile=files.authority)
        services = stack.enter_context(
            httpx.Client(base_url=address, verify=trusted, trust_env=False, timeout=30)
        )
        yield Fleet(
            installed=installed,
            contenders=contenders(installed, address=address, authority=files.authority),
            services=services,
        )
