"""What CloudFormation calls to make, change and delete the resources of a template, by the rights of their types."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stacks.deployment_rights import RIGHTS
from tests.support.iam import Call

if TYPE_CHECKING:
    from tests.support.template_values import Deployment

_CFN_LINT: Final = importlib.util.find_spec("cfnlint")
assert _CFN_LINT is not None
SCHEMAS: Final = Path(str(_CFN_LINT.origin)).parent / "data" / "schemas"
"""The CloudFormation registry's schemas of resource types, which cfn-lint brings along."""
HANDLERS: Final = ("create", "read", "update", "delete")
REGION: Final = "us-east-1"
GATEWAY: Final = f"arn:aws:apigateway:{REGION}::/"
EXAMPLES: Final[Mapping[str, str]] = {
    "Alarms": f"arn:aws:cloudwatch:{REGION}:ACCOUNT:alarm:imagegen-dev-faults",
    "Anomalies": "*",
    "Budgets": "arn:aws:budgets::ACCOUNT:budget/imagegen-dev-month",
    "Dashboards": "arn:aws:cloudwatch::ACCOUNT:dashboard/imagegen-dev",
    "KindsOfShifting": f"arn:aws:codedeploy:{REGION}:ACCOUNT:deploymentconfig:CodeDeployDefault.LambdaAllAtOnce",
    "ListAlarms": f"arn:aws:cloudwatch:{REGION}:ACCOUNT:alarm:*",
    "MetricFilters": f"arn:aws:logs:{REGION}:ACCOUNT:log-group:imagegen-dev-HttpAccessLogs",
    "Queries": "*",
    "Shifting": f"arn:aws:codedeploy:{REGION}:ACCOUNT:deploymentgroup:imagegen-dev-ApiDeployment/imagegen-dev-Group",
    "Topics": f"arn:aws:sns:{REGION}:ACCOUNT:imagegen-dev-monitoring-Alarms",
    "ChangesOfRecords": "arn:aws:route53:::change/C0123456789",
    "CreateKeys": "*",
    "Distributions": "arn:aws:cloudfront::ACCOUNT:distribution/E0123456789",
    "EventSources": "*",
    "FirewallOfTheGateway": f"{GATEWAY}restapis/0a1b2c3d4e/stages/v1",
    "Gateway": f"{GATEWAY}restapis/0a1b2c3d4e/resources",
    "GatewayDomains": f"{GATEWAY}domainnames/images.example.com/basepathmappings",
    "Layers": f"arn:aws:lambda:{REGION}:ACCOUNT:layer:UploadAwsCliLayerDA5A6ED1:1",
    "ListLogGroups": "*",
    "OriginAccessControls": "arn:aws:cloudfront::ACCOUNT:origin-access-control/E0123456789",
    "RandomSecrets": "*",
    "ReadAssets": f"arn:aws:s3:::cdk-hnb659fds-assets-ACCOUNT-{REGION}/0a1b2c3d.zip",
    "Records": "arn:aws:route53:::hostedzone/Z0123456789ABC",
    "ResponseHeaders": "arn:aws:cloudfront::ACCOUNT:response-headers-policy/0a1b2c3d",
    "TagsOfEventSources": f"arn:aws:lambda:{REGION}:ACCOUNT:event-source-mapping:0a1b2c3d",
    "UploadOfThePage": f"arn:aws:lambda:{REGION}:ACCOUNT:function:imagegen-dev-playground-CustomCDKBucketDeployment",
}
"""The resource of a grant whose service does not know it by this project's names."""
OWNERS: Final[Mapping[str, str]] = {
    "AWS::IAM::Policy": "Roles",
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Lambda::EventInvokeConfig": "FunctionName",
    "AWS::Lambda::Permission": "FunctionName",
    "AWS::Lambda::Version": "FunctionName",
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SQS::QueuePolicy": "Queues",
}
"""The property that names the resource which a type is a part of."""
CONTEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "EventSources": {
        "lambda:FunctionArn": f"arn:aws:lambda:{REGION}:ACCOUNT:function:imagegen-dev-WorkerFunction"
    },
    "UseKeysForTablesAndSecrets": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"},
}


@cache
def permissions_of_handlers(type_: str) -> frozenset[str]:
    """Return the actions that the registry's handlers of a type name."""
    files = json.loads((SCHEMAS / "providers" / f"{REGION}.json").read_text(encoding="utf-8"))
    schema = json.loads((SCHEMAS / "resources" / f"{files[type_]}.json").read_text(encoding="utf-8"))
    handlers: Mapping[str, Any] = schema["handlers"]
    named = (handlers[name]["permissions"] for name in HANDLERS if name in handlers)
    return frozenset(action for actions in named for action in actions)


def calls_to_deploy(deployment: Deployment) -> Iterator[Call]:
    """Yield each action of each grant on each resource of a template, as CloudFormation makes it."""
    resources = deployment.template["Resources"]
    for logical_id, resource in resources.items():
        for grant in RIGHTS[resource["Type"]]:
            for action in grant.actions:
                for context in _contexts(grant.sid, logical_id, deployment=deployment):
                    arn = _arn(grant.sid, logical_id, deployment=deployment)
                    yield Call(action=action, resource=arn, context=context)


def _arn(sid: str, logical_id: str, *, deployment: Deployment) -> str:
    type_ = deployment.type_of(logical_id)
    if sid in EXAMPLES:
        return EXAMPLES[sid].replace("ACCOUNT", deployment.account)
    if sid.startswith("PassRoles"):
        return f"arn:aws:iam::{deployment.account}:role/imagegen-dev-ApiRole-1"
    if type_ == "AWS::SecretsManager::Secret":
        return deployment.name(logical_id)
    owner = _owner(logical_id, type_, deployment=deployment)
    return deployment.arn(owner).removesuffix(":*")


def _owner(logical_id: str, type_: str, *, deployment: Deployment) -> str:
    if type_ not in OWNERS:
        return logical_id
    named = deployment.template["Resources"][logical_id]["Properties"][OWNERS[type_]]
    first = named[0] if isinstance(named, list) else named
    return str(first["Ref"] if "Ref" in first else first["Fn::GetAtt"][0])


def _contexts(sid: str, logical_id: str, *, deployment: Deployment) -> Iterator[dict[str, str]]:
    properties = deployment.template["Resources"][logical_id].get("Properties", {})
    context = {
        key: value.replace("ACCOUNT", deployment.account) for key, value in CONTEXTS.get(sid, {}).items()
    }
    if "PermissionsBoundary" in properties:
        context["iam:PermissionsBoundary"] = str(properties["PermissionsBoundary"])
    elif deployment.type_of(logical_id) == "AWS::IAM::Policy":
        role = deployment.template["Resources"][_owner(logical_id, "AWS::IAM::Policy", deployment=deployment)]
        if "PermissionsBoundary" in role["Properties"]:
            context["iam:PermissionsBoundary"] = str(role["Properties"]["PermissionsBoundary"])
    if sid.startswith("PassRoles"):
        service = deployment.type_of(logical_id).split("::")[1].lower()
        yield {**context, "iam:PassedToService": f"{service}.amazonaws.com"}
    elif sid == "ManagedPoliciesOfRoles":
        for arn in properties.get("ManagedPolicyArns", []):
            yield {**context, "iam:PolicyARN": str(deployment.value(arn))}
    else:
        yield context
