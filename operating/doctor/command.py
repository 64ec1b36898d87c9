"""Runs the checks of one stage, one after the other. What one of them cannot find out ends no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from imagegen.errors import Misconfigured
from local.variables import switch
from operating.doctor import deployment
from operating.doctor.checks import AFTER, BEFORE, CLOCK, IDENTITY, PROOF, STACK, Row
from operating.doctor.examined import Check, Examined
from operating.doctor.finding import Finding, skipped
from operating.doctor.identity import Identity
from operating.doctor.proof import announcement, proof
from operating.doctor.refusals import FAILURES, UNREADABLE, finding_of
from operating.doctor.report import AsJson, AsText, Report

_UNASKED = "AWS is not asked without credentials."


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the operator has asked for: `prove` makes one paid image, `as_json` is for programs."""

    stage: str
    environ: Mapping[str, str]
    as_json: bool = False
    prove: bool = False
    say: Callable[[str], None] = print

    @classmethod
    def of(cls, *, stage: str, as_json: bool, prove: bool, environ: Mapping[str, str]) -> Wish:
        """Return what options and variables ask for together.

        Raises:
            LocalError: a variable is neither 1 nor 0.
        """
        return cls(
            stage=stage,
            environ=environ,
            as_json=as_json or switch("JSON", environ.get("JSON", "").strip()),
            prove=prove or switch("PROVE", environ.get("PROVE", "").strip()),
        )


def doctor(wish: Wish) -> int:
    """Examine a stage, and return the exit status: 1 if there is a problem.

    Raises:
        LocalError: the stage is not described as it has to be, so that there is nothing to examine.
    """
    # Only here, because it loads the CDK, in a process of Node.js. The checks themselves do not need it.
    from operating.doctor import preparing  # noqa: PLC0415

    report: Report = AsJson(wish.say) if wish.as_json else AsText(wish.say)
    with preparing.web(wish.stage, wish.environ) as web:
        examined = preparing.prepare(wish.stage, wish.environ, web=web)
        return run(examined, report=report, prove=wish.prove)


def run(examined: Examined, *, report: Report, prove: bool = False) -> int:
    """Run the checks, hand each finding to the report, and return the exit status."""
    findings: list[Finding] = []
    examined = replace(examined, identity=Identity.of(partial(examined.client, "sts")))
    report.begin(examined)

    def take(found: Iterator[Finding]) -> None:
        for finding in found:
            findings.append(finding)
            report.add(finding)

    take(look(IDENTITY.name, IDENTITY.look, examined))
    # Also what is seen before a deployment depends on it: what the stage reserves already is not free.
    examined, found = _with_deployment(examined)
    for row in BEFORE:
        take(_row(row, examined))
    take(iter(found))
    if examined.deployed is not None:
        for row in AFTER:
            take(_row(row, examined))
    if prove:
        if examined.deployed is not None and examined.caller is not None:
            report.announce(announcement(examined))
        take(look(PROOF, proof, examined))
    report.end(examined, findings)
    return int(any(finding.severity == "problem" for finding in findings))


def look(name: str, check: Check, examined: Examined) -> Iterator[Finding]:
    """Yield what a check finds, under its name; if it fails, that is a finding as well."""
    is_empty = True
    try:
        for finding in check(examined):
            is_empty = False
            yield replace(finding, check=name)
        if is_empty:
            yield replace(skipped("There is nothing to look at."), check=name)
    except (*FAILURES, *UNREADABLE) as error:
        yield replace(finding_of(error, examined), check=name)


def _row(row: Row, examined: Examined) -> Iterator[Finding]:
    if examined.is_local and row.locally:
        yield replace(skipped(row.locally), check=row.name)
    elif not examined.identity.is_usable and row is not CLOCK:
        yield replace(skipped(_UNASKED), check=row.name)
    else:
        yield from look(row.name, row.look, examined)


def _with_deployment(examined: Examined) -> tuple[Examined, list[Finding]]:
    """Look what is deployed; without that nothing more can be examined, and the findings say why."""
    rest = ", ".join(row.name for row in AFTER)
    if not examined.identity.is_usable:
        return examined, [replace(skipped(_UNASKED), check=STACK)]
    try:
        found = deployment.find(examined)
        if found is None:
            sentence = f"There is no stack {examined.stack} yet. These wait for a deployment: {rest}."
            return examined, [replace(skipped(sentence, examined.deploy()), check=STACK)]
        examined = replace(examined, deployed=found)
    except (*FAILURES, *UNREADABLE) as error:
        # Nothing else of the deployed service is examined then, so this must not look like success.
        return examined, [replace(finding_of(error, examined), check=STACK, severity="problem")]
    try:
        return replace(examined, deployed=deployment.with_settings(examined)), []
    except (*FAILURES, *UNREADABLE, Misconfigured):
        return examined, []  # the check of the settings says so
