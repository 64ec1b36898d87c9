"""Times `make demo` in a checkout in which nothing is installed, as a newcomer runs it."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.fleet import Fleet
from benchmarks.results import Figure, single
from local.ports import free_offset
from tools.checkout import CHECKOUT
from tools.failures import LocalError

MADE = (
    ".git",
    ".venv",
    "node_modules",
    "cdk.out",
    ".local",
    ".build",
    "out",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
)
TIMEOUT = 600


def measure(_: Fleet) -> list[Figure]:
    """Copy the sources elsewhere, run `make demo` there, and remove the copy.

    Raises:
        LocalError: `make demo` did not make a picture; the message holds its output.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(*MADE))
        environ = {**os.environ, "PORT_OFFSET": str(free_offset())}
        # A newcomer has none of these, and MAKEFLAGS would pass on this make's own options.
        for name in ("IMAGEGEN_LOCAL_DIR", "BEDROCK_URL", "CONFIG", "STRICT", "MAKEFLAGS", "MAKELEVEL"):
            environ.pop(name, None)
        started = time.perf_counter()
        try:
            done = subprocess.run(
                ["make", "demo"],  # noqa: S607 - any make will do
                cwd=copy,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT,
            )
            seconds = time.perf_counter() - started
        finally:
            subprocess.run(["make", "down"], cwd=copy, env=environ, capture_output=True, check=False)  # noqa: S607 - likewise
        if done.returncode != 0 or not list((copy / "out").glob("*.png")):
            raise LocalError(f"{done.stdout}{done.stderr}`make demo` in a fresh copy made no picture.")
    return [
        single(
            "make demo in a fresh checkout, to the picture",
            seconds,
            unit="s",
            must=30.0,
            aim=20.0,
            compared=False,
        )
    ]
