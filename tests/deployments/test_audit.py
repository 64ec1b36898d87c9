"""The scanners accept every template: dev and prod, each kind of callers, and firewall, domain and key on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import assertions

from stacks.bootstrap_policy import Place, policies
from stacks.checkov_findings import accepted_by_checkov
from stacks.policy_checks import accepted_findings
from tests.support.call_ledger import ACCOUNT, REGION
from tests.support.deployment_calls import calls_to_deploy
from tests.support.hardened import MATRIX
from tests.support.iam import decide
from tests.support.nag import nag_findings
from tests.support.scanners import checkov_findings, lint_findings
from tests.support.synthesis import build, stage_config
from tests.support.template_values import Deployment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.nag import Finding

Case = tuple[str, str | None]


class Audited:
    """One configuration: its template, and what the rule packs of cdk-nag find in it."""

    def __init__(self, case: Case, *, code: Path) -> None:
        stage, overrides = case
        self.config = stage_config(stage, overrides)
        stack = build(stage, code=code, overrides=overrides)
        self.found_by_nag: set[Finding] = nag_findings(stack)
        self.template: dict[str, Any] = dict(assertions.Template.from_stack(stack).to_json())


@pytest.fixture(scope="module")
def audited(code: Path) -> Mapping[Case, Audited]:
    """Synthesize every configuration once, in one process of Node.js."""
    return {case: Audited(case, code=code) for case in MATRIX}


@pytest.fixture(scope="module")
def found_by_checkov(
    audited: Mapping[Case, Audited], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Case, list[tuple[str, str]]]:
    """Scan all templates in one run."""
    names = {f"{number:02}": case for number, case in enumerate(audited)}
    found = checkov_findings(
        {name: audited[case].template for name, case in names.items()},
        folder=tmp_path_factory.mktemp("checkov"),
    )
    return {case: found[name] for name, case in names.items()}


def test_the_matrix_has_every_combination() -> None:
    """Two stages, three kinds of callers, and three settings that are on or off."""
    assert len(set(MATRIX)) == 2 * 3 * 2**3


@pytest.mark.parametrize("case", MATRIX)
def test_cdk_nag_finds_what_is_accepted(audited: Mapping[Case, Audited], case: Case) -> None:
    """Each acceptance is used, and nothing else is found."""
    one = audited[case]
    assert one.found_by_nag == {(each.path, each.id) for each in accepted_findings(one.config)}


@pytest.mark.parametrize("case", MATRIX)
def test_checkov_finds_what_is_accepted(
    audited: Mapping[Case, Audited], found_by_checkov: Mapping[Case, list[tuple[str, str]]], case: Case
) -> None:
    """Each acceptance is used, and nothing else is found."""
    accepted = accepted_by_checkov(audited[case].config)
    assert found_by_checkov[case] == sorted((each.resource, each.id) for each in accepted)


@pytest.mark.parametrize("case", MATRIX)
def test_cfn_lint_finds_nothing(audited: Mapping[Case, Audited], case: Case) -> None:
    """Its experimental rules find nothing either."""
    assert lint_findings(audited[case].template) == []


@pytest.mark.parametrize("case", MATRIX)
def test_the_policy_for_deployments_is_enough(audited: Mapping[Case, Audited], case: Case) -> None:
    """Made from the template alone, it lets CloudFormation make, change and delete each of its resources."""
    one = audited[case]
    documents = policies([one.template], place=Place(region=REGION, account=ACCOUNT))
    allowed = [statement for document in documents for statement in document["Statement"]]
    deployment = Deployment(template=one.template, stack=f"imagegen-{one.config.name}", account=ACCOUNT)
    calls = list(calls_to_deploy(deployment))
    assert calls
    assert [str(call) for call in calls if not decide(call, role=allowed).allowed] == []
