"""The policy for deployments allows what the templates need, and nothing near it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from operating.deployment_policy import write
from stacks.bootstrap_policy import MAX_POLICIES, MAX_POLICY, Place, UnknownType, policies, size
from stacks.deployment_rights import BASE, OUTPUTS_OF_STACKS, RIGHTS
from stacks.grants import PREFIX
from tests.support.call_ledger import ACCOUNT, REGION
from tests.support.deployment_calls import calls_to_deploy, permissions_of_handlers
from tests.support.hardened import BOUNDARY, HARDENED
from tests.support.iam import Call, decide, like
from tests.support.rights_left_out import LEFT_OUT
from tests.support.synthesis import COGNITO
from tests.support.template_values import Deployment
from tools.failures import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.synthesis import Synthesized

PLACE: Final = Place(region=REGION, account=ACCOUNT)
CASES: Final[Mapping[str, tuple[str, str | None]]] = {
    "dev": ("dev", None),
    "prod": ("prod", None),
    "hardened": ("dev", HARDENED),
    "iam": ("dev", "api_auth=iam"),
    "cognito": ("dev", COGNITO),
    "canary": ("dev", "api_deployment=canary"),
    "snapstart": ("dev", "snapstart=true"),
}
BESIDE: Final = ("monitoring", "playground")
"""The stacks beside the service's own."""
NAMES: Final = ("AlarmName", "DashboardName", "BudgetName", "MonitorName", "SubscriptionName")
NOT_IN_THE_REGISTRY: Final = {"AWS::CDK::Metadata", "Custom::CDKBucketDeployment"}
BEYOND_THE_HANDLERS: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS::KMS::Key": {
        f"kms:{action}": "whoever makes a table or a secret with the key uses it"
        for action in (
            *("CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey"),
            *("GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"),
        )
    },
    "AWS::Lambda::Function": {"lambda:ListTags": "CloudFormation compares tags when it updates a function"},
}
OTHERS: Final = f"{REGION}:{ACCOUNT}"
DENIED: Final[tuple[tuple[str, str, Mapping[str, str]], ...]] = (
    ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/imagegen-me", {}),
    ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/imagegen-me", {}),
    ("iam:CreatePolicy", f"arn:aws:iam::{ACCOUNT}:policy/imagegen-more", {}),
    ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {}),
    ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/admin", {}),
    ("iam:UpdateAssumeRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/admin", {}),
    (
        "iam:AttachRolePolicy",
        f"arn:aws:iam::{ACCOUNT}:role/imagegen-dev-ApiRole-1",
        {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    (
        "iam:PassRole",
        f"arn:aws:iam::{ACCOUNT}:role/imagegen-dev-ApiRole-1",
        {"iam:PassedToService": "ec2.amazonaws.com"},
    ),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/imagegen-dev-ApiRole-1", {}),
    ("s3:CreateBucket", "arn:aws:s3:::someone-elses", {}),
    ("s3:DeleteBucket", "arn:aws:s3:::someone-elses", {}),
    ("s3:PutBucketPolicy", "arn:aws:s3:::someone-elses", {}),
    ("s3:GetObject", "arn:aws:s3:::imagegen-dev-imagesbucket-1/images/a/b.png", {}),
    ("s3:PutObject", f"arn:aws:s3:::cdk-hnb659fds-assets-{ACCOUNT}-{REGION}/0a1b2c3d.zip", {}),
    ("s3:ListBucket", "arn:aws:s3:::imagegen-dev-imagesbucket-1", {}),
    ("dynamodb:GetItem", f"arn:aws:dynamodb:{OTHERS}:table/imagegen-dev-GenerationsTable-1", {}),
    ("dynamodb:Scan", f"arn:aws:dynamodb:{OTHERS}:table/imagegen-dev-HttpKeysTable-1", {}),
    ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{OTHERS}:table/orders", {}),
    ("sqs:ReceiveMessage", f"arn:aws:sqs:{OTHERS}:imagegen-dev-JobsQueue-1", {}),
    ("sqs:DeleteQueue", f"arn:aws:sqs:{OTHERS}:orders", {}),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{OTHERS}:secret:WebhooksSecret14C8806E-1", {}),
    ("secretsmanager:DeleteSecret", f"arn:aws:secretsmanager:{OTHERS}:secret:database", {}),
    ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{OTHERS}:function:orders", {}),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{OTHERS}:function:imagegen-dev-WorkerFunction-1", {}),
    (
        "lambda:CreateEventSourceMapping",
        "*",
        {"lambda:FunctionArn": f"arn:aws:lambda:{OTHERS}:function:orders"},
    ),
    ("logs:DeleteLogGroup", f"arn:aws:logs:{OTHERS}:log-group:orders", {}),
    ("logs:GetLogEvents", f"arn:aws:logs:{OTHERS}:log-group:imagegen-dev-ApiLogs-1:log-stream:1", {}),
    ("events:DeleteRule", f"arn:aws:events:{OTHERS}:rule/nightly", {}),
    ("kms:Decrypt", f"arn:aws:kms:{OTHERS}:key/0a1b2c3d", {}),
    ("kms:Decrypt", f"arn:aws:kms:{OTHERS}:key/0a1b2c3d", {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
    ("apigateway:DELETE", f"arn:aws:apigateway:{REGION}::/apikeys/1", {}),
    ("ssm:PutParameter", f"arn:aws:ssm:{OTHERS}:parameter/cdk-bootstrap/hnb659fds/version", {}),
    (
        "bedrock:InvokeModel",
        "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
        {},
    ),
    ("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:{OTHERS}:alarm:orders", {}),
    ("sns:Publish", f"arn:aws:sns:{OTHERS}:imagegen-dev-monitoring-Alarms-1", {}),
    ("codedeploy:CreateDeployment", f"arn:aws:codedeploy:{OTHERS}:deploymentgroup:orders/all", {}),
    ("ec2:RunInstances", f"arn:aws:ec2:{OTHERS}:instance/*", {}),
    ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/ZOTHER", {}),
    ("cloudformation:CreateStack", f"arn:aws:cloudformation:{OTHERS}:stack/imagegen-dev/1", {}),
)


def statements(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the statements of all policies together."""
    return [statement for document in documents for statement in document["Statement"]]


@pytest.fixture
def templates(
    synthesized: Callable[..., Synthesized], playground_template: dict[str, Any], monitoring: Synthesized
) -> dict[str, dict[str, Any]]:
    """Return a few templates that have, together, every type of resource."""
    found = {name: synthesized(*case).template for name, case in CASES.items()}
    return {**found, "playground": playground_template, "monitoring": monitoring.template}


def named_beside(type_: str) -> set[str]:
    """Return what the handlers of types name that share a statement with this one, such as those of API Gateway."""
    sids = {grant.sid for grant in RIGHTS[type_]}
    sharing = [
        each for each in set(RIGHTS) - NOT_IN_THE_REGISTRY if any(grant.sid in sids for grant in RIGHTS[each])
    ]
    return {action for each in sharing for action in permissions_of_handlers(each)}


@pytest.mark.parametrize("type_", sorted(set(RIGHTS) - NOT_IN_THE_REGISTRY))
def test_a_type_has_what_its_handlers_name_or_a_reason_against_it(type_: str) -> None:
    """CloudFormation's registry says what it calls; a reason that is not needed any more is an error as well."""
    granted = {action for grant in RIGHTS[type_] for action in grant.actions}
    beyond = BEYOND_THE_HANDLERS.get(type_, {})
    left_out = LEFT_OUT.get(type_, {})
    named = permissions_of_handlers(type_)
    excused = {action for action in named for pattern in left_out if like(pattern, action)}
    assert named - granted == excused
    assert granted - named - named_beside(type_) == set(beyond)
    assert {pattern for pattern in left_out if not any(like(pattern, each) for each in named)} == set()
    assert all(len(reason) > 15 for reason in (*left_out.values(), *beyond.values()))


def test_every_type_of_the_templates_has_its_rights(templates: dict[str, dict[str, Any]]) -> None:
    """And no rights are kept for a type that no template has."""
    types = {each["Type"] for template in templates.values() for each in template["Resources"].values()}
    assert types - {"AWS::CDK::Metadata"} == set(RIGHTS) - {"AWS::CDK::Metadata"}
    assert set(LEFT_OUT) <= set(RIGHTS)


@pytest.mark.parametrize("name", [*CASES, *BESIDE])
def test_each_resource_can_be_made_changed_and_deleted(
    templates: dict[str, dict[str, Any]], name: str
) -> None:
    """With the policy that is made of its own template, under the names that CloudFormation gives."""
    template = templates[name]
    stack = f"imagegen-dev-{name}" if name in BESIDE else "imagegen-dev"
    deployment = Deployment(template=template, stack=stack, account=ACCOUNT)
    allowed = statements(policies([template], place=PLACE))
    calls = list(calls_to_deploy(deployment))
    assert len(calls) > 100
    assert [str(call) for call in calls if not decide(call, role=allowed).allowed] == []


def test_every_right_is_for_a_resource_of_the_templates(templates: dict[str, dict[str, Any]]) -> None:
    """No statement is left over, and each allows something that a deployment does."""
    for name, template in templates.items():
        deployment = Deployment(template=template, stack="imagegen-dev", account=ACCOUNT)
        used = {
            statement["Sid"]
            for call in calls_to_deploy(deployment)
            for statement in decide(call, role=statements(policies([template], place=PLACE))).by
        }
        given = {statement["Sid"] for statement in statements(policies([template], place=PLACE))}
        assert given - used == {each.sid for each in BASE} | (
            {OUTPUTS_OF_STACKS.sid} if name in BESIDE else set()
        )


def test_a_name_that_a_template_gives_is_one_that_the_policy_knows(
    templates: dict[str, dict[str, Any]],
) -> None:
    """CloudFormation begins the names that it makes with the stack's; these are the others."""
    text = json.dumps(list(templates.values()))
    names = [name for member in NAMES for name in re.findall(rf'"{member}": "([^"]+)"', text)]
    assert len(names) > 10
    assert [name for name in names if not like(PREFIX, name)] == []


@pytest.mark.parametrize("call", DENIED, ids=lambda call: f"{call[0]} {call[1]} {''.join(call[2].values())}")
def test_what_no_deployment_needs_is_denied(
    templates: dict[str, dict[str, Any]], call: tuple[str, str, Mapping[str, str]]
) -> None:
    """Even with the rights for all stages together."""
    action, resource, context = call
    allowed = statements(policies(templates.values(), place=PLACE))
    found = decide(Call(action=action, resource=resource, context=context), role=allowed)
    assert [statement["Sid"] for statement in found.by] == []


def test_with_a_boundary_no_role_is_made_without_it(templates: dict[str, dict[str, Any]]) -> None:
    """Otherwise a template could make a role with every right, and pass it to a function."""
    allowed = statements(policies([templates["hardened"]], place=PLACE))
    role = f"arn:aws:iam::{ACCOUNT}:role/imagegen-dev-ApiRole-1"
    for action in ("iam:CreateRole", "iam:PutRolePolicy"):
        contexts: list[dict[str, str]] = [
            {"iam:PermissionsBoundary": BOUNDARY},
            {"iam:PermissionsBoundary": f"{BOUNDARY}-2"},
            {},
        ]
        calls = [Call(action=action, resource=role, context=context) for context in contexts]
        assert [decide(call, role=allowed).allowed for call in calls] == [True, False, False]
    assert "iam:PermissionsBoundary" not in json.dumps(policies(templates.values(), place=PLACE))


def test_the_policies_fit_into_iam(templates: dict[str, dict[str, Any]]) -> None:
    """All rights together fit into three policies; each statement has an id of its own."""
    from moto.iam.policy_validation import IAMPolicyDocumentValidator  # noqa: PLC0415 - it takes a second to load

    documents = policies(templates.values(), place=PLACE)
    assert all(size(document) <= MAX_POLICY == 6144 for document in documents)
    assert len(documents) <= 3 < MAX_POLICIES == 10
    sids = [statement["Sid"] for statement in statements(documents)]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    for document in documents:
        IAMPolicyDocumentValidator(json.dumps(document)).validate()


def test_an_unknown_account_is_any() -> None:
    """Without credentials the CDK does not know it."""
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    (document,) = policies([template], place=Place(region=REGION))
    assert f"arn:aws:sqs:{REGION}:*:imagegen-*" in json.dumps(document)


def test_a_type_without_rights_is_one_sentence() -> None:
    """Whoever adds a resource adds its rights."""
    with pytest.raises(
        UnknownType, match=r"^The rights to deploy AWS::Kinesis::Stream are not known: add them to "
    ):
        policies([{"Resources": {"Stream": {"Type": "AWS::Kinesis::Stream"}}}], place=PLACE)


def assembly(folder: Path, *, type_: str = "AWS::SQS::Queue", environment: str) -> Path:
    """Write what `make synth` would write, with one resource."""
    folder.mkdir()
    template = {"Resources": {"Queue": {"Type": type_}}}
    (folder / "imagegen-dev.template.json").write_text(json.dumps(template), encoding="utf-8")
    manifest = {"artifacts": {"Tree": {}, "imagegen-dev": {"environment": environment}}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("environment", "account", "arn"),
    [
        (f"aws://{ACCOUNT}/eu-west-1", ACCOUNT, f"arn:aws:sqs:eu-west-1:{ACCOUNT}:imagegen-*"),
        ("aws://unknown-account/us-gov-west-1", "ACCOUNT", "arn:aws-us-gov:sqs:us-gov-west-1:*:imagegen-*"),
    ],
)
def test_the_command_writes_the_policies_and_says_how_to_use_them(
    tmp_path: Path, environment: str, account: str, arn: str
) -> None:
    """What an earlier run wrote is gone, because more settings had needed more policies."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "imagegen-deployment-9.json").write_text("{}", encoding="utf-8")
    said: list[str] = []
    (path,) = write(
        assembly=assembly(tmp_path / "cdk.out", environment=environment), folder=folder, say=said.append
    )
    assert [each.name for each in folder.iterdir()] == ["imagegen-deployment-1.json"]
    assert arn in path.read_text(encoding="utf-8")
    (text,) = said
    assert (
        f"aws iam create-policy --policy-name imagegen-deployment-1 --policy-document file://{path}" in text
    )
    assert re.search(
        rf"--cloudformation-execution-policies arn:[a-z-]+:iam::{account}:policy/imagegen-", text
    )


def test_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    """Nothing is synthesized yet, or a resource is new."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(LocalError, match=r"has no templates: `make synth` writes them\.$"):
        write(assembly=tmp_path / "empty", folder=tmp_path / "out")
    found = assembly(tmp_path / "new", type_="AWS::Kinesis::Stream", environment="aws://1/us-east-1")
    with pytest.raises(LocalError, match="AWS::Kinesis::Stream"):
        write(assembly=found, folder=tmp_path / "out")
