"""Applies each mutant to a copy of the checkout, and says which ones no test notices: `make mutants`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Final

from tests.mutants import code, infrastructure
from tests.mutants.mutant import ROOT, Mutant

KINDS: Final = {"infrastructure": infrastructure.mutants, "code": code.mutants}
EXPLAINED: Final = code.EXPLAINED
SECONDS: Final = 600
"""A test that hangs because of a defect has noticed it."""
QUIET: Final = ("-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider")


def main() -> int:
    """Run the mutants of one kind or of all; return 1 if one survives that nobody has explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], help="infrastructure, code; without, both")
    parser.add_argument("--only", default="", help="only the mutants whose name or meaning has this word")
    parser.add_argument("--copies", type=int, default=os.cpu_count() or 1, help="how many to run at once")
    arguments = parser.parse_args()
    unexplained = 0
    for kind in arguments.kinds or KINDS:
        chosen = [each for each in KINDS[kind]() if arguments.only in f"{each.key}"]
        survivors = _survivors(chosen, copies=arguments.copies)
        left = [each for each in survivors if each.key not in EXPLAINED]
        unexplained += len(left)
        print(f"{kind}: {len(chosen) - len(survivors)} of {len(chosen)} mutants are noticed by a test.")
        for each in survivors:
            print(f"  SURVIVED {each.key}: {EXPLAINED.get(each.key, each.means)}")
    return 1 if unexplained else 0


def _survivors(mutants: Sequence[Mutant], *, copies: int) -> list[Mutant]:
    survivors: list[Mutant] = []
    said = threading.Lock()
    with _copies(copies) as folders, ThreadPoolExecutor(copies) as pool:

        def run(mutant: Mutant) -> None:
            folder = folders.get()
            try:
                noticed = _is_noticed(mutant, folder)
            finally:
                folders.put(folder)
            with said:
                print(f"{'noticed ' if noticed else 'SURVIVED'}  {mutant.key}", flush=True)
                if not noticed:
                    survivors.append(mutant)

        list(pool.map(run, mutants))
    return survivors


@contextmanager
def _copies(number: int) -> Iterator[Queue[Path]]:
    """Give copies of the checkout as Git has it, with what is not committed yet; its packages are links."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whatever Git is there
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        folders: Queue[Path] = Queue()
        for index in range(number):
            copy = Path(folder) / str(index)
            for name in names:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
            for packages in (".venv", "node_modules"):
                (copy / packages).symlink_to(ROOT / packages)
            folders.put(copy)
        yield folders


def _is_noticed(mutant: Mutant, folder: Path) -> bool:
    file = folder / mutant.file
    source = file.read_text(encoding="utf-8")
    file.write_text(mutant.applied_to(source), encoding="utf-8")
    try:
        return any(_fails(tests, folder) for tests in mutant.tests)
    finally:
        file.write_text(source, encoding="utf-8")


def _fails(tests: Sequence[str], folder: Path) -> bool:
    """Say whether a test fails in the copy.

    Raises:
        RuntimeError: pytest could not run, so nothing is known.
    """
    command = [str(ROOT / ".venv" / "bin" / "python"), "-m", "pytest", *QUIET, *tests]
    try:
        done = subprocess.run(  # noqa: S603 - the checkout's own pytest
            command,
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # noqa: TID251 - what the suite needs
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    # 1: a test failed. 2: the defect keeps the tests from being collected. Anything else is a mistake of ours.
    if done.returncode not in {0, 1, 2}:
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
