"""Shows what was found: line by line as it is found, or all of it as one JSON object."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from operating.doctor.checks import WIDTH
from operating.doctor.examined import Examined
from operating.doctor.finding import SEVERITIES, Finding

_SEVERITY_WIDTH = max(map(len, SEVERITIES))


class Report(Protocol):
    """Where the findings go."""

    def begin(self, examined: Examined) -> None:
        """Say what is examined."""

    def announce(self, sentence: str) -> None:
        """Say beforehand what is about to be done."""

    def add(self, finding: Finding) -> None:
        """Take one finding."""

    def end(self, examined: Examined, findings: Sequence[Finding]) -> None:
        """Sum up."""


class AsText:
    """For a person: one line a finding, and its remedy below it, as it is typed."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def begin(self, examined: Examined) -> None:
        """Say what is examined."""
        account = f" in the account {examined.identity.account}" if examined.identity.account else ""
        self._say(f"The stage {examined.stage}{account}, {examined.region}:")

    def announce(self, sentence: str) -> None:
        """Say it."""
        self._say(sentence)

    def add(self, finding: Finding) -> None:
        """Show one finding."""
        self._say(f"{finding.severity:{_SEVERITY_WIDTH}}  {finding.check:{WIDTH}}  {finding.sentence}")
        if finding.remedy and finding.severity != "ok":
            self._say(f"{'':{_SEVERITY_WIDTH}}  {'':{WIDTH}}  $ {finding.remedy}")

    def end(self, examined: Examined, findings: Sequence[Finding]) -> None:
        """Count the findings."""
        del examined
        counted = Counter(finding.severity for finding in findings)
        words = [
            f"{counted[severity]} {severity}{'s' if counted[severity] > 1 else ''}"
            for severity in ("problem", "warning")
            if counted[severity]
        ]
        self._say(f"Found {' and '.join(words)}." if words else "Found no problem.")


class AsJson:
    """For a program: one object at the end."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def begin(self, examined: Examined) -> None:
        """Say nothing yet."""

    def announce(self, sentence: str) -> None:
        """Say it where a person sees it, and no program reads it."""
        print(sentence, file=sys.stderr, flush=True)

    def add(self, finding: Finding) -> None:
        """Say nothing yet."""

    def end(self, examined: Examined, findings: Sequence[Finding]) -> None:
        """Write the object."""
        report: dict[str, Any] = {
            "stage": examined.stage,
            "account": examined.identity.account or None,
            "region": examined.region,
            "deployed": examined.deployed is not None,
            "ok": not any(finding.severity == "problem" for finding in findings),
            "findings": [finding.to_json() for finding in findings],
        }
        self._say(json.dumps(report, indent=2))
