"""Times `make up`, and runs the stand-in of the model for the parts that measure a whole stack."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.fleet import Fleet
from benchmarks.results import Figure, single
from local import life_cycle
from local.ports import free_offset
from local.variables import Variables
from tools.checkout import CHECKOUT

MODEL = "stability.stable-diffusion-xl-v1"
FOLDER = CHECKOUT / ".build" / "bench"


def measure(_: Fleet) -> list[Figure]:
    """Time `make up` twice, and take the stack down again."""
    with instant_model() as url:
        variables = Variables(bedrock_url=url, folder=FOLDER, port_offset=free_offset())
        try:
            # The second `up` has nothing to do, and shows what that costs.
            names = ("make up, packages installed", "make up, again")
            return [single(name, _up(variables), unit="s", compared=False) for name in names]
        finally:
            life_cycle.down(FOLDER)


@contextmanager
def instant_model() -> Iterator[str]:
    """Run the stand-in with one picture for each size, and yield its address."""
    command = [sys.executable, "-m", "local.bedrock", "--port", "0", "--instant", "--alive", MODEL]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def _up(variables: Variables) -> float:
    began = time.perf_counter()
    life_cycle.up(variables)
    return time.perf_counter() - began
