"""Who invokes, reads and writes whom, read out of a stack's CloudFormation template.

Nothing here knows a resource by name: arrows follow from IAM policies, event sources, schedules, permissions of API
Gateway, and redrive policies.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tools.failures import LocalError

NODES: Final = frozenset(
    {
        "AWS::ApiGateway::RestApi",
        "AWS::DynamoDB::Table",
        "AWS::Events::Rule",
        "AWS::Lambda::Function",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)
NOT_NODES: Final = frozenset(
    {
        # what the arrows are made of
        "AWS::ApiGateway::Authorizer",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        # parts of the API and its logs
        "AWS::ApiGateway::Account",
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::GatewayResponse",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::Stage",
        "AWS::CDK::Metadata",
        "AWS::Logs::LogGroup",
        # they only deny
        "AWS::S3::BucketPolicy",
        "AWS::SQS::QueuePolicy",
    }
)
BEDROCK: Final = "Bedrock"
"""The node of the models, which no template has as a resource."""
VERBS: Final[Mapping[str, str]] = {
    "bedrock:InvokeModel": "invokes",
    "dynamodb:DeleteItem": "deletes",
    "dynamodb:GetItem": "reads",
    "dynamodb:PutItem": "writes",
    "dynamodb:Query": "queries",
    "dynamodb:UpdateItem": "writes",
    "s3:DeleteObject": "deletes",
    "s3:GetObject": "reads",
    "s3:PutObject": "writes",
    "secretsmanager:GetSecretValue": "reads",
    "sqs:SendMessage": "sends",
}
POLLING: Final = frozenset(
    {"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"}
)
"""What a function needs for its event source: Lambda polls the queue with the function's own rights."""
_HASH: Final = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True, kw_only=True, order=True)
class Arrow:
    """One arrow: who does something to whom, by their logical ids without CDK's hash, and what."""

    source: str
    target: str
    does: str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The nodes by name with their types, and the arrows in order."""

    nodes: Mapping[str, str]
    arrows: tuple[Arrow, ...]


def graph_of(template: Mapping[str, Any]) -> Graph:
    """Read a template.

    Raises:
        LocalError: it has a type of resource, an action or an arrow that this module does not know; a picture
            without it would be wrong.
    """
    resources = template["Resources"]
    types = {logical_id: resource["Type"] for logical_id, resource in resources.items()}
    unknown = sorted(set(types.values()) - NODES - NOT_NODES)
    if unknown:
        raise LocalError(f"docsite/template_graph.py does not know {', '.join(unknown)}.")
    nodes = {_name(logical_id): kind for logical_id, kind in types.items() if kind in NODES}
    found = sorted(
        {
            *_invocations(resources, types),
            *_redrives(resources, types),
            *_rights(resources, types),
        }
    )
    if any(arrow.target == BEDROCK for arrow in found):
        nodes[BEDROCK] = BEDROCK
    pairs = dict.fromkeys((arrow.source, arrow.target) for arrow in found)
    return Graph(
        nodes=nodes,
        arrows=tuple(
            Arrow(
                source=source,
                target=target,
                does=", ".join(a.does for a in found if (a.source, a.target) == (source, target)),
            )
            for source, target in pairs
        ),
    )


def _name(logical_id: str) -> str:
    return _HASH.sub("", logical_id)


def _of_type(resources: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for logical_id, resource in resources.items():
        if resource["Type"] == f"AWS::{kind}":
            yield logical_id, resource.get("Properties", {})


def _references(value: Any) -> set[str]:
    """Return the logical ids that a value of a template refers to."""
    if isinstance(value, list):
        return {found for part in value for found in _references(part)}
    if not isinstance(value, dict):
        return set()
    if set(value) == {"Ref"}:
        return {value["Ref"]}
    if set(value) == {"Fn::GetAtt"}:
        return {value["Fn::GetAtt"][0]}
    return {found for part in value.values() for found in _references(part)}


def _nodes_in(value: Any, types: Mapping[str, str], *, of: frozenset[str] = NODES) -> list[str]:
    return sorted(found for found in _references(value) if types.get(found) in of)


def _invocations(resources: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[Arrow]:
    functions = frozenset({"AWS::Lambda::Function"})
    for _, source in _of_type(resources, "Lambda::EventSourceMapping"):
        (queue,) = _nodes_in(source["EventSourceArn"], types)
        (function,) = _nodes_in(source["FunctionName"], types)
        yield Arrow(source=_name(queue), target=_name(function), does="invokes")
    for rule, properties in _of_type(resources, "Events::Rule"):
        for function in _nodes_in(properties["Targets"], types, of=functions):
            yield Arrow(
                source=_name(rule),
                target=_name(function),
                does=f"invokes at {properties['ScheduleExpression']}",
            )
    asked = {
        function
        for _, one in _of_type(resources, "ApiGateway::Authorizer")
        for function in _nodes_in(one, types, of=functions)
    }
    for _, permission in _of_type(resources, "Lambda::Permission"):
        (function,) = _nodes_in(permission["FunctionName"], types)
        for api in _nodes_in(permission["SourceArn"], types, of=frozenset({"AWS::ApiGateway::RestApi"})):
            does = "asks" if function in asked else "invokes"
            yield Arrow(source=_name(api), target=_name(function), does=does)


def _redrives(resources: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[Arrow]:
    for queue, properties in _of_type(resources, "SQS::Queue"):
        policy = properties.get("RedrivePolicy")
        if policy:
            (dead,) = _nodes_in(policy["deadLetterTargetArn"], types)
            times = policy["maxReceiveCount"]
            yield Arrow(source=_name(queue), target=_name(dead), does=f"after {times} receipts")


def _rights(resources: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[Arrow]:
    functions = {
        role: function
        for function, properties in _of_type(resources, "Lambda::Function")
        for role in _references(properties["Role"])
    }
    for _, policy in _of_type(resources, "IAM::Policy"):
        for role in _references(policy["Roles"]) & set(functions):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield from _of_statement(functions[role], statement, resources, types)


def _of_statement(
    function: str, statement: Mapping[str, Any], resources: Mapping[str, Any], types: Mapping[str, str]
) -> Iterator[Arrow]:
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    for action in actions:
        service, _, name = action.partition(":")
        if service == "logs":
            continue
        nodes = _nodes_in(statement["Resource"], types)
        if service == "sqs" and name in POLLING:
            _check_polled(function, nodes, resources)
        elif action not in VERBS:
            raise LocalError(f"docsite/template_graph.py has no word for {action}.")
        else:
            targets = [BEDROCK] if service == "bedrock" else [_name(node) for node in nodes]
            for target in targets:
                yield Arrow(source=_name(function), target=target, does=VERBS[action])


def _check_polled(function: str, queues: list[str], resources: Mapping[str, Any]) -> None:
    sources = {
        queue
        for _, source in _of_type(resources, "Lambda::EventSourceMapping")
        if function in _references(source["FunctionName"])
        for queue in _references(source["EventSourceArn"])
    }
    if not set(queues) <= sources:
        raise LocalError(f"{function} may receive from {set(queues) - sources}, and is not invoked by it.")
