"""Every finding of checkov is accepted on its resource, and every acceptance has a finding and a reason."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from stacks.checkov_findings import (
    ACCEPTED_IN_THE_PLAYGROUND,
    accepted_by_checkov,
    accepted_in_the_monitoring,
)
from tests.support.hardened import HARDENED
from tests.support.scanners import CHECKOV, checkov_findings
from tests.support.synthesis import COGNITO, ROOT, stage_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from stacks.checkov_findings import AcceptedByCheckov
    from tests.support.scanners import Finding
    from tests.support.synthesis import Synthesized

CASES = {
    "prod": ("prod", None),
    "hardened": ("dev", HARDENED),
    "iam": ("dev", "api_auth=iam webhooks=false reserve_concurrency=false tracing=true"),
    "cognito": ("dev", f"{COGNITO} api_deployment=canary"),
    "snapstart": ("dev", "snapstart=true"),
}
"""A few stages that have, together, each resource and each setting that a check looks at."""
PLAYGROUND = "playground"
MONITORING = "monitoring"
CARELESS = "careless"

# It takes ten seconds and more, and `make audit` scans still more.
pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def found(
    synthesized: Callable[..., Synthesized],
    playground_template: dict[str, Any],
    monitoring: Synthesized,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[Finding]]:
    """Scan all templates at once, and one whose bucket is open to the world."""
    templates = {name: dict(synthesized(*case).template) for name, case in CASES.items()}
    careless = copy.deepcopy(templates["prod"])
    bucket = next(name for name in careless["Resources"] if name.startswith("ImagesBucket4"))
    del careless["Resources"][bucket]["Properties"]["PublicAccessBlockConfiguration"]
    beside = {PLAYGROUND: playground_template, MONITORING: monitoring.template}
    return checkov_findings(
        {**templates, **beside, CARELESS: careless}, folder=tmp_path_factory.mktemp("checkov")
    )


def pairs(accepted: tuple[AcceptedByCheckov, ...]) -> list[Finding]:
    """Return accepted findings as the scanner names them."""
    return sorted((each.resource, each.id) for each in accepted)


@pytest.mark.parametrize("name", CASES)
def test_every_finding_is_accepted_on_its_resource(found: dict[str, list[Finding]], name: str) -> None:
    """Nothing is left over on either side."""
    assert found[name] == pairs(accepted_by_checkov(stage_config(*CASES[name])))


def test_every_finding_in_the_playground_is_accepted(found: dict[str, list[Finding]]) -> None:
    """Most of them are in the function that CDK brings along."""
    assert found[PLAYGROUND] == pairs(ACCEPTED_IN_THE_PLAYGROUND)


def test_every_finding_in_the_monitoring_is_accepted(
    found: dict[str, list[Finding]], monitoring: Synthesized
) -> None:
    """It keeps nobody's data."""
    assert found[MONITORING] == pairs(accepted_in_the_monitoring(monitoring.config))


def test_an_open_bucket_is_found(found: dict[str, list[Finding]]) -> None:
    """Otherwise the scanner would have looked at nothing."""
    new = set(found[CARELESS]) - set(found["prod"])
    assert {("ImagesBucket", id_) for id_ in ("CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56")} <= new


@pytest.mark.parametrize("name", [*CASES, PLAYGROUND, MONITORING])
def test_every_acceptance_has_a_reason_and_none_is_twice(name: str) -> None:
    """A reason is a sentence about this resource."""
    beside = {
        PLAYGROUND: ACCEPTED_IN_THE_PLAYGROUND,
        MONITORING: accepted_in_the_monitoring(stage_config("dev")),
    }
    accepted = beside.get(name) or accepted_by_checkov(stage_config(*CASES[name]))
    assert all(len(each.reason) > 40 and each.reason.endswith(".") for each in accepted)
    assert len(set(pairs(accepted))) == len(accepted)


def test_no_stage_caches_replies(found: dict[str, list[Finding]]) -> None:
    """A cache that satisfied CKV_AWS_120 would give one caller's reply to another."""
    stages = {name for name, each in found.items() if ("HttpRestApiDeploymentStagev1", "CKV_AWS_120") in each}
    assert stages == {*CASES, CARELESS}


def test_the_scanner_is_the_one_that_is_pinned() -> None:
    """`make set-up` installs it into an environment of its own, because it pins versions of its own."""
    pinned = (ROOT / "tools" / "checkov.in").read_text(encoding="utf-8").strip()
    package, version = pinned.split("==")
    installed = list(CHECKOV.parents[1].glob(f"lib/python3.*/site-packages/{package}-{version}.dist-info"))
    assert len(installed) == 1
