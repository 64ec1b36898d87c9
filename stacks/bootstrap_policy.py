"""The policy with which CloudFormation may deploy given templates, and nothing else; it is made from the templates.

It is for `cdk bootstrap --cloudformation-execution-policies`, in place of AdministratorAccess. See
docs/decisions/0109-deployments-have-a-policy-of-their-own.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from stacks.deployment_rights import BASE, MANAGED, OUTPUTS_OF_STACKS, RIGHTS, WITH_BOUNDARY
from stacks.grants import Grant

MAX_POLICY: Final = 6144
"""The most characters of a managed policy, without white space: IAM user guide, "IAM and AWS STS quotas"."""
MAX_POLICIES: Final = 10
"""The most managed policies that a role may have, unless its account asks for more."""
VERSION: Final = "2012-10-17"

Template = Mapping[str, Any]
Statement = dict[str, Any]


class UnknownType(ValueError):
    """A template has a type of resource whose rights are not known; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the templates are deployed; `account` is `*` if it is not known."""

    partition: str = "aws"
    region: str = "*"
    account: str = "*"


def policies(templates: Iterable[Template], *, place: Place) -> list[dict[str, Any]]:
    """Return as few policy documents as the templates' rights fit into.

    Raises:
        UnknownType: `deployment_rights.RIGHTS` lacks a type.
    """
    statements = _statements(list(templates), place=place)
    documents: list[dict[str, Any]] = []
    for statement in statements:
        if (
            not documents
            or size({**documents[-1], "Statement": [*documents[-1]["Statement"], statement]}) > MAX_POLICY
        ):
            documents.append({"Version": VERSION, "Statement": []})
        documents[-1]["Statement"].append(statement)
    return documents


def size(document: Mapping[str, Any]) -> int:
    """Return the characters of a policy as IAM counts them."""
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def _statements(templates: Sequence[Template], *, place: Place) -> list[Statement]:
    grants = {grant.sid: grant for grant in _grants(templates, place=place)}
    zones = sorted(_values(templates, "AWS::Route53::RecordSet", "HostedZoneId", place=place))
    boundary = _boundary_of_every_role(templates)
    found = [
        _statement(grant, place=place, zones=zones)
        for grant in (part for each in grants.values() for part in _bounded(each, boundary))
    ]
    return sorted(found, key=lambda statement: str(statement["Sid"]))


def _grants(templates: Sequence[Template], *, place: Place) -> Iterator[Grant]:
    yield from BASE
    if "Fn::GetStackOutput" in json.dumps(templates):
        yield OUTPUTS_OF_STACKS
    types = {str(each["Type"]) for template in templates for each in template["Resources"].values()}
    if unknown := types - set(RIGHTS):
        raise UnknownType(
            f"The rights to deploy {', '.join(sorted(unknown))} are not known: add them to stacks/deployment_rights.py."
        )
    for type_ in sorted(types):
        yield from (grant for grant in RIGHTS[type_] if grant is not MANAGED)
    attached = _values(templates, "AWS::IAM::Role", "ManagedPolicyArns", place=place)
    if attached:
        condition = {"ArnEquals": {"iam:PolicyARN": tuple(sorted(attached))}}
        yield replace(MANAGED, condition=condition)


def _values(templates: Sequence[Template], type_: str, name: str, *, place: Place) -> set[str]:
    """Return what the resources of a type have as a property, or as the items of one."""
    given = [each.get(name) or [] for each in _properties(templates, type_)]
    lists = [value if isinstance(value, list) else [value] for value in given]
    return {_text(each, partition=place.partition) for values in lists for each in values}


def _properties(templates: Sequence[Template], type_: str) -> list[Mapping[str, Any]]:
    return [
        resource.get("Properties", {})
        for template in templates
        for resource in template["Resources"].values()
        if resource["Type"] == type_
    ]


def _boundary_of_every_role(templates: Sequence[Template]) -> str | None:
    """Return the permissions boundary, if all roles have the same one."""
    found = {each.get("PermissionsBoundary") for each in _properties(templates, "AWS::IAM::Role")}
    return found.pop() if len(found) == 1 else None


def _text(value: Any, *, partition: str) -> str:
    """Return an ARN that the CDK joins of its partition and the rest."""
    if isinstance(value, str):
        return value
    _, parts = value["Fn::Join"]
    return "".join(part if isinstance(part, str) else partition for part in parts)


def _bounded(grant: Grant, boundary: str | None) -> Iterator[Grant]:
    """Yield a grant; with a boundary, what can give a role more rights holds only for roles that have it."""
    bounded = tuple(action for action in grant.actions if action in WITH_BOUNDARY)
    if boundary is None or not bounded:
        yield grant
        return
    others = tuple(action for action in grant.actions if action not in bounded)
    if others:
        yield replace(grant, actions=others)
    wanted = {**grant.condition, "StringEquals": {"iam:PermissionsBoundary": boundary}}
    # A stage that is deployed already gets its boundary by an update.
    added = ("iam:PutRolePermissionsBoundary",) if "iam:CreateRole" in bounded else ()
    yield replace(grant, sid=f"{grant.sid}WithBoundary", actions=(*bounded, *added), condition=wanted)


def _statement(grant: Grant, *, place: Place, zones: Sequence[str]) -> Statement:
    fields = {"partition": place.partition, "region": place.region, "account": place.account}

    def filled(text: str) -> list[str]:
        if "{zone}" in text:
            return [text.format(**fields, zone=zone) for zone in zones]
        return [text.format(**fields)]

    statement: Statement = {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": _one_or_many(sorted(grant.actions)),
        "Resource": _one_or_many([each for resource in grant.resources for each in filled(resource)]),
    }
    if grant.condition:
        statement["Condition"] = {
            operator: {
                key: _one_or_many(
                    [
                        each
                        for text in ((value,) if isinstance(value, str) else value)
                        for each in filled(text)
                    ]
                )
                for key, value in keys.items()
            }
            for operator, keys in grant.condition.items()
        }
    return statement


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
