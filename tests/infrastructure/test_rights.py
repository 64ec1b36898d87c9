"""The ledger: every call that the functions make is allowed, every right is used, and what must be denied is denied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore import xform_name

from imagegen.models.registry import ModelRef, resolve
from stacks.service_data import KEPT_OPERATIONS
from tests.support.adapter_calls import STREAMING, direct, methods
from tests.support.call_ledger import REGION, Ledger, one_of
from tests.support.denied_calls import DENIED, Denied
from tests.support.hardened import KMS
from tests.support.iam import Call, Decision, decide, like, matches
from tests.support.ledger_scenario import exercise, exercise_the_daily_check
from tests.support.synthesis import as_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized
    from tests.support.template_values import Deployment

FUNCTIONS: Final = ("Api", "Worker", "HttpAuthorizer")


@dataclass(frozen=True, kw_only=True)
class Account:
    """A stage after its functions have done everything that they do."""

    stage: Synthesized
    ledger: Ledger
    deployment: Deployment

    def statements(self, function: str) -> list[dict[str, Any]]:
        """Return the statements of a function's role, without references."""
        found: list[dict[str, Any]] = self.deployment.value(self.stage.statements(function))
        return found

    def policy_of(self, resource: str) -> list[dict[str, Any]]:
        """Return the statements of the resource policies that are about a resource, without references."""
        found: list[dict[str, Any]] = []
        for type_ in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
            for each in self.stage.resources(type_):
                statements = self.deployment.value(each["Properties"]["PolicyDocument"]["Statement"])
                found += [
                    one for one in statements if any(like(arn, resource) for arn in as_list(one["Resource"]))
                ]
        return found

    def decide(self, function: str, call: Call) -> Decision:
        """Decide about a call of a function."""
        return decide(call, role=self.statements(function), resource=self.policy_of(call.resource))

    def refused(self, function: str) -> list[str]:
        """Return the calls of a function that it may not make."""
        calls = self.ledger.of(function, deployment=self.deployment)
        assert calls
        return [str(call) for call in calls if not self.decide(function, call).allowed]

    def unused(self, function: str) -> list[str]:
        """Return the rights of a function that none of its calls uses."""
        calls = self.ledger.of(function, deployment=self.deployment)
        return [
            f"{action} on {resource} through {service}"
            for statement in self.statements(function)
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
            for service in as_list(
                statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", "none")
            )
            if not any(
                matches(call, {**statement, "Action": action, "Resource": resource})
                and call.context.get("kms:ViaService", "none") == service
                for call in calls
            )
        ]


@pytest.fixture(
    scope="module", params=[None, KMS, "webhooks=false tracing=true"], ids=["dev", "kms", "traces"]
)
def account(synthesized: Callable[..., Synthesized], request: pytest.FixtureRequest) -> Account:
    """Let the functions of a stage do everything that they do."""
    stage = synthesized("dev", request.param)
    ledger, deployment = exercise(stage)
    return Account(stage=stage, ledger=ledger, deployment=deployment)


@pytest.fixture(scope="module")
def daily_check(monitoring: Synthesized) -> Account:
    """Let the function of the monitoring do what it does."""
    ledger, deployment = exercise_the_daily_check(monitoring)
    return Account(stage=monitoring, ledger=ledger, deployment=deployment)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_call_that_a_function_makes_is_allowed(account: Account, function: str) -> None:
    """By exactly one statement, so that no right is given twice."""
    assert account.refused(function) == []
    calls = account.ledger.of(function, deployment=account.deployment)
    assert {len(account.decide(function, call).by) for call in calls} == {1}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_right_is_used(account: Account, function: str) -> None:
    """Each action of each statement, on each of its resources, through each service that a condition names."""
    assert account.unused(function) == []


def test_the_daily_check_may_do_what_it_does_and_nothing_else(daily_check: Account) -> None:
    """It asks Bedrock about the listed models, and writes its log."""
    assert daily_check.refused("Lifecycle") == []
    assert daily_check.unused("Lifecycle") == []


def test_every_call_in_the_source_is_in_the_ledger(account: Account, daily_check: Account) -> None:
    """A new call of an adapter needs a step in the scenario, and a row in the table of actions."""
    expected = set(methods())
    if not account.stage.config.webhooks:
        expected.remove("get_secret_value")
    operations = account.ledger.operations | daily_check.ledger.operations
    # The zip's botocore knows no other operation.
    assert all(
        xform_name(name) in direct() or name in KEPT_OPERATIONS[service] for service, name in operations
    )
    assert {xform_name(name) for _, name in operations} == expected - {STREAMING}
    assert not any(ref.model.streams for ref in map(_resolved, account.stage.config.models))


def _resolved(entry: str) -> ModelRef:
    return resolve(entry, region=REGION)


@pytest.mark.parametrize("denied", DENIED, ids=str)
def test_what_must_be_denied_is_denied(synthesized: Callable[..., Synthesized], denied: Denied) -> None:
    """Each is one step beyond what the function does."""
    stage = synthesized("dev", KMS)
    account = Account(stage=stage, ledger=Ledger(), deployment=denied.deployment(stage))
    call = denied.call(account.deployment)
    assert not account.decide(denied.function, call).allowed


def test_at_least_thirty_calls_are_tried_in_vain() -> None:
    """They are all different."""
    assert len({str(denied) for denied in DENIED}) == len(DENIED) >= 30


def test_the_bucket_denies_even_a_function_with_every_right(synthesized: Callable[..., Synthesized]) -> None:
    """Plain HTTP and an old signature are denied by the bucket itself."""
    stage = synthesized("dev", None)
    account = Account(stage=stage, ledger=Ledger(), deployment=DENIED[0].deployment(stage))
    bucket = account.deployment.arn(str(one_of(account.deployment, "AWS::S3::Bucket")))
    everything = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    contexts = (
        ({"aws:SecureTransport": "true", "s3:signatureAge": "3600000"}, True),
        ({"aws:SecureTransport": "true", "s3:signatureAge": "3600001"}, False),
        ({"aws:SecureTransport": "false", "s3:signatureAge": "1"}, False),
    )
    for context, allowed in contexts:
        call = Call(action="s3:GetObject", resource=f"{bucket}/images/a/b.png", context=context)
        policy = account.policy_of(call.resource)
        assert decide(call, role=everything, resource=policy).allowed is allowed
