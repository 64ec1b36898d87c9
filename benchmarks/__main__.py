"""`make bench` measures the built functions against the floors, and prints the table. It touches no running service.

`ONLY` names parts, separated by spaces; `SAVE=1` writes the figures into `benchmarks/figures.json` and into
`docs/performance.md`. With `ACCOUNT=1` it prints the figures of a deployed stage instead.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks import page
from benchmarks.account import command as account
from benchmarks.fleet import fleet
from benchmarks.installed import BUILT, Installed, install
from benchmarks.parts import PARTS
from benchmarks.results import Figure, committed, table, to_json, worse
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line

FAILURES: Final = (
    LocalError,
    AssertionError,
    BotoCoreError,
    ClientError,
    httpx.HTTPError,
    subprocess.TimeoutExpired,
)
"""What a part may raise where something of the service or of this machine does not do what it should."""
COMMITTED: Final = CHECKOUT / "benchmarks" / "figures.json"
MEASURED: Final = BUILT / "figures.json"


def main(environment: Mapping[str, str]) -> int:
    """Measure, print and compare. Return 1 after a failure, or if a figure became worse."""
    try:
        if account.wished(environment):
            return account.main(environment)
        return _bench(_chosen(environment.get("ONLY", "")), saved=_saved(environment))
    except LocalError as error:
        print(in_one_line(error), file=sys.stderr)
        return 1


def _bench(names: Sequence[str], *, saved: bool) -> int:
    before = committed(COMMITTED)
    installed = install()
    parts, failed = _measured(installed, names)
    figures = [figure for part in parts.values() for figure in part]
    print(table(figures))
    print("\n".join(failed), file=sys.stderr, end="\n" * bool(failed))
    # The committed file holds all figures, and they come from one run.
    target = COMMITTED if saved and not failed else MEASURED
    target.write_text(to_json(parts, about=_about(installed)), encoding="utf-8")
    if target is COMMITTED:
        page.renew(target)
    print(f"The figures are in {target.relative_to(CHECKOUT)}.")
    found = worse(figures, before)
    print(found or "No figure is worse than the committed one by more than 15 %.")
    return 1 if found or failed else 0


def _chosen(only: str) -> list[str]:
    names = only.split() or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise LocalError(f"ONLY names {', '.join(unknown)}; the parts are {', '.join(PARTS)}.")
    return names


def _saved(environment: Mapping[str, str]) -> bool:
    if environment.get("SAVE", "") not in {"", "0", "1"}:
        raise LocalError("SAVE must be 1, to keep the figures, or be left out.")
    if environment.get("SAVE") != "1":
        return False
    if environment.get("ONLY"):
        raise LocalError("SAVE=1 keeps all figures, so it goes without ONLY.")
    return True


def _measured(installed: Installed, names: Sequence[str]) -> tuple[dict[str, list[Figure]], list[str]]:
    """Return the figures of each part, and a sentence for each part that could not be measured."""
    parts: dict[str, list[Figure]] = {}
    failed = []
    with fleet(installed) as running:
        for name in names:
            began = time.monotonic()
            try:
                parts[name] = PARTS[name](running)
            except FAILURES as error:
                # The others took minutes, and are worth having.
                failed.append(f"{name}: {in_one_line(error)}")
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return parts, failed


def _about(installed: Installed) -> dict[str, str]:
    return {
        "python": installed.version,
        "machine": f"{platform.machine()} with {os.cpu_count()} cores",
        "system": platform.system(),
    }


if __name__ == "__main__":
    sys.exit(main(os.environ))
