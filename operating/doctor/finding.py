"""What a check has found: one sentence, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tools.failures import in_one_line

Severity = Literal["ok", "skipped", "warning", "problem"]
SEVERITIES: Final[tuple[Severity, ...]] = ("problem", "warning", "skipped", "ok")
"""From the worst to the best. Only a problem makes the command fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check has seen.

    `skipped` says why something was not looked at. A warning and a problem have a `remedy`, which is a command of a
    shell; a finding of another severity may have one.
    """

    severity: Severity
    sentence: str
    remedy: str = ""
    check: str = ""
    """The name of the check; whoever runs the checks fills it in."""

    def __post_init__(self) -> None:
        if self.severity in {"warning", "problem"} and not self.remedy:
            raise ValueError(f"There is no remedy for: {self.sentence}")

    def to_json(self) -> dict[str, str | None]:
        """Return the members of the JSON report; `remedy` is null if there is none."""
        return {
            "check": self.check,
            "severity": self.severity,
            "sentence": self.sentence,
            "remedy": self.remedy or None,
        }


def fine(sentence: str) -> Finding:
    """Return that all is well."""
    return Finding(severity="ok", sentence=in_one_line(sentence))


def skipped(sentence: str, remedy: str = "") -> Finding:
    """Return that something was not looked at; `remedy` is a command after which it can be."""
    return Finding(severity="skipped", sentence=in_one_line(sentence), remedy=remedy)


def warning(sentence: str, remedy: str) -> Finding:
    """Return something that works today, or that could not be looked at, and that the operator should know."""
    return Finding(severity="warning", sentence=in_one_line(sentence), remedy=remedy)


def problem(sentence: str, remedy: str) -> Finding:
    """Return something that makes a deployment or the service fail."""
    return Finding(severity="problem", sentence=in_one_line(sentence), remedy=remedy)
