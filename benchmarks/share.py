"""Measures our share of a generation of five seconds with the processor time that Lambda gives 512 MB.

Lambda gives a function processor time in proportion to its memory: a whole core at 1,769 MB (Lambda developer guide,
"Configure Lambda function memory"). A control group of Linux gives the environment's process as much, in periods of
20 ms.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.contenders import generation_event
from benchmarks.environments import MEMORY_MB, Environment, served
from benchmarks.fleet import Fleet
from benchmarks.results import Figure, spread
from tools.failures import LocalError

MODEL_SECONDS: Final = 5.0
GENERATIONS: Final = 5
WARM_UP: Final = 5
CORE: Final = MEMORY_MB / 1769
PERIOD_US: Final = 20_000
GROUPS: Final = Path("/sys/fs/cgroup")


def measure(
    fleet: Fleet,
    *,
    model_seconds: float = MODEL_SECONDS,
    generations: int = GENERATIONS,
    groups: Path = GROUPS,
) -> list[Figure]:
    """Return which part of a generation's time is not the model's, in percent.

    Raises:
        LocalError: this system gives nobody a control group, or not this user.
    """
    shares = []
    try:
        with fleet.start("api") as environment, _limited(environment, groups):
            fleet.control(image_bytes=1_800_000, model_seconds=0.0)
            for _ in range(WARM_UP):
                served(environment, generation_event())
            fleet.control(model_seconds=model_seconds)
            for _ in range(generations):
                began = time.perf_counter()
                served(environment, generation_event())
                shares.append(100 * (time.perf_counter() - began - model_seconds) / model_seconds)
    finally:
        fleet.control(model_seconds=0.0)
    name = f"our share of a {model_seconds:g} s generation at {CORE:.2f} core"
    return [spread(name, shares, unit="%", must=1.0, aim=0.7, compared=False)]


@contextmanager
def _limited(environment: Environment, groups: Path) -> Iterator[None]:
    """Limit a process to its part of a core, with version 1 or 2 of control groups (cgroups(7))."""
    quota = int(PERIOD_US * CORE)
    first = (groups / "cpu").is_dir()
    group = (groups / "cpu" if first else groups) / f"imagegen-bench-{os.getpid()}"
    try:
        group.mkdir()
        if first:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        (group / "cgroup.procs").write_text(str(environment.pid))
    except OSError as exc:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise LocalError(
            f"Our share of a generation is not measured: processor time cannot be limited here ({exc.strerror}). It "
            "needs root and control groups of Linux."
        ) from exc
    try:
        yield
    finally:
        environment.close()
        group.rmdir()
