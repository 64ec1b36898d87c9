"""`make audit-packages`: looks every locked package up in the databases of vulnerabilities, and proves that it did.

pip-audit and npm have ended with success although they had audited nothing. So what they report is compared with the
lock files: each pinned package must have been looked up, or the audit has failed. It needs the internet.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.checkout import CHECKOUT
from tools.failures import in_one_line
from tools.lock import LOCKS
from tools.pins import Pin, normalized, packages_of, pins_of

SECONDS: Final = 600
"""How long one run of a tool may take."""
_SIGNED: Final = re.compile(r"^(\d+) packages? (?:has a|have) verified registry signatures?$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a tool ended, and what it said."""

    status: int
    out: str
    err: str = ""

    @property
    def last_words(self) -> str:
        """The last line that it wrote about an error."""
        return next((line for line in reversed(self.err.splitlines()) if line.strip()), "it gave no reason")


Run = Callable[[Sequence[str]], Done]


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was audited, and each problem as a sentence; an audit with a problem has failed."""

    subject: str
    looked_up: int
    problems: Sequence[str]


def main() -> int:
    """Audit all lock files, print what was found, and return 1 unless every package was looked up and is good."""
    audits = [*audit_python(LOCKS.values(), run=_run), *audit_node(run=_run)]
    for audit in audits:
        print(f"{audit.subject}: {audit.looked_up} packages looked up, {len(audit.problems)} problems.")
        for problem in audit.problems:
            print(f"  {in_one_line(problem)}", file=sys.stderr)
    return 1 if failed(audits) else 0


def failed(audits: Sequence[Audit]) -> bool:
    """Say whether an audit has a problem, or nothing was audited at all."""
    return not audits or any(audit.problems or audit.looked_up == 0 for audit in audits)


def audit_python(locks: Iterable[str], *, run: Run, root: Path = CHECKOUT) -> Iterator[Audit]:
    """Audit each lock file of Python packages, also what it pins for other systems and versions of Python."""
    for lock in locks:
        text = (root / lock).read_text(encoding="utf-8")
        pins = pins_of(text)
        with tempfile.TemporaryDirectory() as folder:
            files = list(_rounds(pins, folder=Path(folder)))
            reports = [run(_pip_audit(file)) for file in files]
        yield check_python(lock, pins=pins, reports=reports)


def check_python(subject: str, *, pins: Sequence[Pin], reports: Sequence[Done]) -> Audit:
    """Compare what pip-audit has reported with what the lock file pins."""
    problems: list[str] = []
    looked_up: set[tuple[str, str]] = set()
    for report in reports:
        entries = _dependencies(report)
        if entries is None:
            problems.append(f"pip-audit reported nothing: {report.last_words}")
            continue
        for entry in entries:
            if "vulns" not in entry:
                continue  # it was skipped, so the comparison below names it
            looked_up.add((normalized(entry["name"]), entry["version"]))
            problems += [
                f"{entry['name']} {entry['version']} has {each['id']}, "
                f"mended in {', '.join(each.get('fix_versions', ())) or 'no version yet'}."
                for each in entry["vulns"]
            ]
        if report.status != 0 and not any(entry.get("vulns") for entry in entries):
            problems.append(f"pip-audit failed: {report.last_words}")
    wanted = {(pin.name, pin.version) for pin in pins}
    missing = sorted(f"{name} {version}" for name, version in wanted - looked_up)
    if not wanted:
        problems.append("The lock file pins no package, so there was nothing to audit.")
    if missing:
        problems.append(f"{len(missing)} of {len(wanted)} packages were not looked up: {', '.join(missing)}.")
    return Audit(subject=subject, looked_up=len(wanted & looked_up), problems=problems)


def audit_node(*, run: Run, root: Path = CHECKOUT) -> Iterator[Audit]:
    """Audit the packages of npm: their vulnerabilities, and the registry's signatures of what is installed."""
    packages = packages_of((root / "package-lock.json").read_text(encoding="utf-8"))
    yield check_node(run(("npm", "audit", "--json")), packages=packages)
    yield check_signatures(run(("npm", "audit", "signatures")), packages=packages)


def check_node(report: Done, *, packages: Sequence[Pin]) -> Audit:
    """Compare what `npm audit` has reported with what `package-lock.json` pins."""
    subject = "package-lock.json, vulnerabilities"
    read = _json(report.out)
    if not isinstance(read, dict) or "metadata" not in read or "vulnerabilities" not in read:
        words = read["message"] if isinstance(read, dict) and "message" in read else report.last_words
        return Audit(
            subject=subject, looked_up=0, problems=[f"npm audit reported nothing: {str(words).rstrip('.')}."]
        )
    looked_up = int(read["metadata"]["dependencies"]["total"])
    problems = [
        f"{name} has a vulnerability of severity {found.get('severity', 'unknown')}: "
        "`npm audit` says in which versions."
        for name, found in read["vulnerabilities"].items()
    ]
    problems += _too_few(looked_up, packages=packages, tool="npm audit")
    if report.status != 0 and not problems:
        problems.append(f"npm audit failed: {report.last_words}")
    return Audit(subject=subject, looked_up=looked_up, problems=problems)


def check_signatures(report: Done, *, packages: Sequence[Pin]) -> Audit:
    """Compare how many signatures npm has verified with what `package-lock.json` pins."""
    found = _SIGNED.search(report.out)
    looked_up = int(found[1]) if found else 0
    problems = _too_few(looked_up, packages=packages, tool="npm audit signatures")
    if report.status != 0:
        problems.append(f"npm audit signatures failed: {report.last_words}")
    return Audit(subject="package-lock.json, signatures", looked_up=looked_up, problems=problems)


def _too_few(looked_up: int, *, packages: Sequence[Pin], tool: str) -> list[str]:
    if not packages:
        return ["package-lock.json pins no package, so there was nothing to audit."]
    if looked_up < len(packages):
        return [f"{tool} looked {looked_up} of {len(packages)} packages up."]
    return []


def _rounds(pins: Sequence[Pin], *, folder: Path) -> Iterator[Path]:
    """Write the pins without their markers into files that name no package twice."""
    rounds: list[dict[str, Pin]] = []
    for pin in pins:
        free = next((each for each in rounds if pin.name not in each), None)
        if free is None:
            rounds.append(free := {})
        free[pin.name] = pin
    for number, each in enumerate(rounds):
        file = folder / f"requirements-{number}.txt"
        lines = (
            f"{pin.name}=={pin.version} {' '.join(f'--hash=sha256:{digest}' for digest in pin.hashes)}\n"
            for pin in each.values()
        )
        file.write_text("".join(lines), encoding="utf-8")
        yield file


def _pip_audit(file: Path) -> Sequence[str]:
    program = str(CHECKOUT / ".venv" / "supply" / "bin" / "pip-audit")
    options = ("--strict", "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--desc", "off")
    return (program, *options, "--format", "json", "--requirement", str(file))


def _dependencies(report: Done) -> Sequence[Mapping[str, Any]] | None:
    read = _json(report.out)
    return read["dependencies"] if isinstance(read, dict) and "dependencies" in read else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _run(command: Sequence[str]) -> Done:
    try:
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return Done(status=127, out="", err=f"{command[0]} is not installed.")
    except subprocess.TimeoutExpired:
        return Done(status=124, out="", err=f"It took longer than {SECONDS} seconds.")
    return Done(status=done.returncode, out=done.stdout, err=done.stderr)


if __name__ == "__main__":
    sys.exit(main())
