"""An audit passes only if each locked package was looked up and is good; one of nothing has failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tools.audit import (
    Audit,
    Done,
    audit_node,
    audit_python,
    check_node,
    check_python,
    check_signatures,
    failed,
)
from tools.pins import Pin

HASH = "a" * 64
ONE, TWO = (Pin(name=name, version="1.0", hashes=(HASH,)) for name in ("one", "two"))
LOCK = (
    f"one==1.0 \\\n    --hash=sha256:{HASH}\n"
    f"two==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:{HASH}\n"
    f"two==2.0 ; sys_platform != 'win32' \\\n    --hash=sha256:{HASH}\n"
)
GOOD = {"name": "One", "version": "1.0", "vulns": []}
GOOD_TOO = {"name": "two", "version": "1.0", "vulns": []}
BAD_TOO = {**GOOD_TOO, "vulns": [{"id": "CVE-2026-1", "fix_versions": ["1.1", "2.0"]}]}
SKIPPED = {"name": "two", "skip_reason": "Dependency not found on PyPI"}
NOBODY = "2 of 2 packages were not looked up: one 1.0, two 1.0."


def reported(*dependencies: Mapping[str, Any], status: int = 0) -> Done:
    """Return what pip-audit says about these packages."""
    return Done(status=status, out=json.dumps({"dependencies": dependencies, "fixes": []}), err="ERROR: no\n")


def test_an_audit_that_looked_every_package_up_passes() -> None:
    """The names are compared as an index compares them."""
    audit = check_python("a lock", pins=[ONE, TWO], reports=[reported(GOOD, GOOD_TOO)])
    assert audit == Audit(subject="a lock", looked_up=2, problems=[])
    assert not failed([audit])


@pytest.mark.parametrize(
    ("report", "problems"),
    [
        (reported(), [NOBODY]),
        (Done(status=0, out=""), ["pip-audit reported nothing: it gave no reason", NOBODY]),
        (
            Done(status=1, out="", err="WARNING: x\nERROR: one: not found\n\n"),
            ["pip-audit reported nothing: ERROR: one: not found", NOBODY],
        ),
        (
            Done(status=0, out="No known vulnerabilities found"),
            ["pip-audit reported nothing: it gave no reason", NOBODY],
        ),
        (reported(GOOD), ["1 of 2 packages were not looked up: two 1.0."]),
        (reported(GOOD, SKIPPED), ["1 of 2 packages were not looked up: two 1.0."]),
        (
            reported(GOOD, {**GOOD_TOO, "version": "1.1"}),
            ["1 of 2 packages were not looked up: two 1.0."],
        ),
        (reported(GOOD, BAD_TOO, status=1), ["two 1.0 has CVE-2026-1, mended in 1.1, 2.0."]),
        (reported(GOOD, GOOD_TOO, status=2), ["pip-audit failed: ERROR: no"]),
    ],
)
def test_whatever_was_not_looked_up_or_is_not_good_fails_the_audit(report: Done, problems: list[str]) -> None:
    """Whatever the exit status was."""
    audit = check_python("a lock", pins=[ONE, TWO], reports=[report])
    assert audit.problems == problems
    assert failed([audit])


def test_an_audit_of_an_empty_lock_has_failed() -> None:
    """Nothing pinned and nothing looked up are as many, and yet no audit."""
    for audit in (
        check_python("a lock", pins=[], reports=[]),
        check_python("a lock", pins=[], reports=[reported()]),
        check_node(Done(status=0, out=node_report(total=0)), packages=[]),
        check_signatures(Done(status=0, out=""), packages=[]),
    ):
        assert audit.looked_up == 0
        assert "so there was nothing to audit." in audit.problems[0]
        assert failed([audit])


def test_no_audit_at_all_has_failed() -> None:
    """So has one that looked nothing up and yet has no problem."""
    assert failed([])
    assert failed([Audit(subject="a lock", looked_up=0, problems=[])])


def index(*, of: Sequence[str]) -> Callable[[Sequence[str]], Done]:
    """Return a pip-audit that knows some packages, and skips what it does not know; it reads what it is given."""

    def run(command: Sequence[str]) -> Done:
        assert {"--strict", "--require-hashes", "--disable-pip"} < set(command)
        lines = Path(command[-1]).read_text(encoding="utf-8").splitlines()
        names = [line.split()[0].partition("==")[::2] for line in lines]
        assert len(dict(names)) == len(names), "pip-audit takes each package once"
        assert all(line.endswith(f" --hash=sha256:{HASH}") for line in lines)
        known = [{"name": name, "version": version, "vulns": []} for name, version in names if name in of]
        return reported(*known)

    return run


def test_pins_for_other_systems_are_looked_up_as_well(tmp_path: Path) -> None:
    """pip-audit would leave out a pin whose marker does not hold here, and refuse a package that is pinned twice."""
    (tmp_path / "lock").write_text(LOCK, encoding="utf-8")
    (audit,) = audit_python(["lock"], run=index(of=["one", "two"]), root=tmp_path)
    assert audit == Audit(subject="lock", looked_up=3, problems=[])
    (audit,) = audit_python(["lock"], run=index(of=["one"]), root=tmp_path)
    assert audit.problems == ["2 of 3 packages were not looked up: two 1.0, two 2.0."]


def node_report(*, total: int, **vulnerabilities: Mapping[str, str]) -> str:
    """Return what `npm audit --json` writes."""
    return json.dumps({"vulnerabilities": vulnerabilities, "metadata": {"dependencies": {"total": total}}})


@pytest.mark.parametrize(
    ("report", "problems"),
    [
        (Done(status=0, out=node_report(total=2)), []),
        (Done(status=0, out=node_report(total=0)), ["npm audit looked 0 of 2 packages up."]),
        (Done(status=1, out=node_report(total=2), err="npm error x"), ["npm audit failed: npm error x"]),
        (
            Done(status=1, out=json.dumps({"message": "405 Method Not Allowed"})),
            ["npm audit reported nothing: 405 Method Not Allowed."],
        ),
        (Done(status=0, out="found 0 vulnerabilities"), ["npm audit reported nothing: it gave no reason."]),
        (
            Done(status=1, out=node_report(total=2, two={"severity": "high"})),
            ["two has a vulnerability of severity high: `npm audit` says in which versions."],
        ),
    ],
)
def test_npms_report_has_to_cover_the_lock(report: Done, problems: list[str]) -> None:
    """Its own count says so."""
    audit = check_node(report, packages=[ONE, TWO])
    assert audit.problems == problems
    assert failed([audit]) == bool(problems)


SIGNED = "audited 2 packages in 1s\n\n2 packages have verified registry signatures\n"


@pytest.mark.parametrize(
    ("report", "problems"),
    [
        (Done(status=0, out=SIGNED), []),
        (
            Done(status=0, out="audited 1 package in 0s\n\n1 package has a verified registry signature\n"),
            ["npm audit signatures looked 1 of 2 packages up."],
        ),
        (Done(status=0, out=""), ["npm audit signatures looked 0 of 2 packages up."]),
        (Done(status=1, out=SIGNED, err="npm error y"), ["npm audit signatures failed: npm error y"]),
    ],
)
def test_npm_has_to_verify_as_many_signatures_as_there_are_packages(
    report: Done, problems: list[str]
) -> None:
    """It says only in words how many it has verified."""
    audit = check_signatures(report, packages=[ONE, TWO])
    assert audit.problems == problems
    assert failed([audit]) == bool(problems)


def test_npm_is_asked_for_vulnerabilities_and_for_signatures() -> None:
    """The lock of this checkout is what both reports are compared with."""
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> Done:
        asked.append(command)
        return Done(status=0, out=node_report(total=0))

    audits = list(audit_node(run=run))
    assert asked == [("npm", "audit", "--json"), ("npm", "audit", "signatures")]
    assert [audit.looked_up for audit in audits] == [0, 0]
    assert failed(audits)
