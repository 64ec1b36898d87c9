"""The deployed stack of a stage: what deleting it takes away, what AWS keeps, and how its bucket is emptied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, WaiterError

from local.aws import described_stack
from operating.clients import client
from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackResourceSummaryTypeDef, WaiterConfigTypeDef
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

BUCKET: Final = "AWS::S3::Bucket"
TABLE: Final = "AWS::DynamoDB::Table"
KEY: Final = "AWS::KMS::Key"
FUNCTION: Final = "AWS::Lambda::Function"
LOG_GROUP: Final = "AWS::Logs::LogGroup"
ALIAS: Final = "AWS::Lambda::Alias"
API_FUNCTION: Final = "ApiFunction"
WITH_MODELS: Final = (API_FUNCTION, "WorkerFunction")
"""How the logical ids of the functions begin that call models; the authorizer calls none."""
IDENTIFIERS: Final[Mapping[str, str]] = {BUCKET: "BucketName", TABLE: "TableName", KEY: "KeyId"}
"""What holds data, or what alone can decrypt it, and the property by which `cdk import` finds it."""
SALT_VARIABLE: Final = "OWNER_SALT"
KEPT: Final = ("Retain", "RetainExceptOnCreate")
_GONE: Final = ("NoSuchBucket", "ResourceNotFoundException", "NotFoundException", "KMSInvalidStateException")
_PATIENCE: Final[WaiterConfigTypeDef] = {"Delay": 5, "MaxAttempts": 720}
"""For an hour, every five seconds: CloudFront takes minutes to switch a distribution off."""
DELETED_AT_ONCE: Final = 1000  # the most objects that one request of S3 deletes


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource of the deployed stack; `kept` says whether it stays when the stack is deleted."""

    logical_id: str
    name: str
    type: str
    kept: bool

    @property
    def holds_data(self) -> bool:
        """Whether an operator would miss it."""
        return self.type in IDENTIFIERS


@dataclass(frozen=True, kw_only=True)
class DeployedStack:
    """A stack as CloudFormation has it, which may differ from what the checkout describes."""

    id: str
    name: str
    status: str
    owner_salt: str
    """What the stack hashes the owners of generations with."""
    resources: Sequence[Resource]

    @property
    def region(self) -> str:
        """The region of the stack."""
        return self.id.split(":")[3]

    @property
    def account(self) -> str:
        """The account of the stack."""
        return self.id.split(":")[4]

    @property
    def kept(self) -> Sequence[Resource]:
        """What stays when the stack is deleted."""
        return [each for each in self.resources if each.kept]

    @property
    def data_kept(self) -> Sequence[Resource]:
        """The tables, buckets and keys that stay."""
        return [each for each in self.kept if each.holds_data]

    @property
    def data_deleted(self) -> Sequence[Resource]:
        """The tables, buckets and keys that are deleted with everything in them."""
        return [each for each in self.resources if each.holds_data and not each.kept]


@dataclass(frozen=True, kw_only=True)
class Account:
    """The operator's account in one region; `options` are keyword arguments of `boto3.client`."""

    options: Mapping[str, Any]

    def find(self, name: str) -> DeployedStack | None:
        """Return the stack of that name, or None if there is none."""
        return _find(name, client("cloudformation", self.options))

    def delete(self, stack: DeployedStack) -> None:
        """Delete a stack without the CDK, which deletes only what it describes, and wait until it is gone.

        Raises:
            LocalError: CloudFormation could not delete it.
        """
        delete_stack(stack, client("cloudformation", self.options))

    def empty(self, bucket: str) -> int:
        """Delete every object of a bucket, with all its versions, and return how many there were.

        Raises:
            LocalError: S3 refused to delete one.
        """
        return _empty(bucket, client("s3", self.options))

    def remove_if_empty(self, resource: Resource) -> bool:
        """Delete a table or a bucket that has nothing in it, or a key, and say whether it is gone."""
        if not resource.name:  # CloudFormation has never made it
            return True
        try:
            if resource.type == KEY:
                client("kms", self.options).schedule_key_deletion(KeyId=resource.name)
                return True
            if resource.type == TABLE:
                return _remove_table_if_empty(resource.name, client("dynamodb", self.options))
            client("s3", self.options).delete_bucket(Bucket=resource.name)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "BucketNotEmpty":
                return False
            if code not in _GONE:
                raise
        return True


def _remove_table_if_empty(table: str, client: DynamoDBClient) -> bool:
    if client.scan(TableName=table, Limit=1, ConsistentRead=True)["Items"]:
        return False
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    client.get_waiter("table_exists").wait(TableName=table)
    client.delete_table(TableName=table)
    client.get_waiter("table_not_exists").wait(TableName=table)
    return True


def _find(name: str, client: CloudFormationClient) -> DeployedStack | None:
    found = described_stack(name, client)
    if found is None:
        return None
    template = template_of(name, client)
    policies = {id_: each.get("DeletionPolicy") for id_, each in template.get("Resources", {}).items()}
    return DeployedStack(
        id=found["StackId"],
        name=name,
        status=found["StackStatus"],
        owner_salt=_owner_salt(template, id_=found["StackId"]),
        resources=[
            Resource(
                logical_id=each["LogicalResourceId"],
                name=each.get("PhysicalResourceId", ""),
                type=each["ResourceType"],
                kept=policies.get(each["LogicalResourceId"]) in KEPT,
            )
            for each in _resources(name, client)
        ],
    )


def template_of(stack: str, client: CloudFormationClient) -> Mapping[str, Any]:
    """Return the template that a stack was deployed from."""
    body: Any = client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    template: Mapping[str, Any] = json.loads(body) if isinstance(body, str) else body
    return template


def functions_with_models(stack: str, client: CloudFormationClient) -> Mapping[str, str]:
    """Return the names of the stack's functions that call models, by their logical ids."""
    names = names_of(stack, client, type_=FUNCTION)
    return {id_: name for id_, name in names.items() if id_.startswith(WITH_MODELS)}


def names_of(stack: str, client: CloudFormationClient, *, type_: str) -> Mapping[str, str]:
    """Return the names of the stack's resources of one type, by their logical ids."""
    return {
        each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
        for each in _resources(stack, client)
        if each["ResourceType"] == type_
    }


def has_published_version(stack: str, client: CloudFormationClient) -> bool:
    """Return whether callers reach a version of a function, which no change of the function itself reaches."""
    return bool(names_of(stack, client, type_=ALIAS))


def _resources(stack: str, client: CloudFormationClient) -> Iterator[StackResourceSummaryTypeDef]:
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
        for each in page["StackResourceSummaries"]:
            if each["ResourceStatus"] != "DELETE_COMPLETE":
                yield each


def reserved_executions(template: Mapping[str, Any]) -> Mapping[str, int]:
    """Return how many executions a template reserves for each function that has a reservation, by logical ids."""
    numbers = {
        id_: each.get("Properties", {}).get("ReservedConcurrentExecutions")
        for id_, each in template.get("Resources", {}).items()
        if each.get("Type") == FUNCTION
    }
    return {id_: number for id_, number in numbers.items() if isinstance(number, int)}


def delete_stack(stack: DeployedStack, client: CloudFormationClient) -> None:
    """Delete a stack, and wait until it is gone; as `Account.delete`."""
    client.delete_stack(StackName=stack.name)
    try:
        # By its id, because the name of a stack that is gone is unknown.
        client.get_waiter("stack_delete_complete").wait(StackName=stack.id, WaiterConfig=_PATIENCE)
    except WaiterError as error:
        raise LocalError(
            f"CloudFormation could not delete the stack {stack.name}: `aws cloudformation describe-stack-events "
            f"--stack-name {stack.name} --region {stack.region}` says why. Run `make destroy` again afterwards."
        ) from error


def _owner_salt(template: Mapping[str, Any], *, id_: str) -> str:
    """Return the salt that the functions have: a text, or the random part of the stack's id."""
    for resource in template.get("Resources", {}).values():
        variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        if isinstance(variables.get(SALT_VARIABLE), str):
            return str(variables[SALT_VARIABLE])
    return id_.split("/")[2]


def _empty(bucket: str, client: S3Client) -> int:
    deleted = 0
    # Always from the start: a page that begins at a version that is gone may skip others.
    while batch := _some_versions(bucket, client):
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        for error in answer.get("Errors", []):
            raise LocalError(
                f"S3 did not delete {error.get('Key')} from {bucket}: {error.get('Message')} "
                "The stack is unchanged, but the objects that were deleted before are gone."
            )
        deleted += len(batch)
    return deleted


def _some_versions(bucket: str, client: S3Client) -> list[ObjectIdentifierTypeDef]:
    try:
        page = client.list_object_versions(Bucket=bucket, MaxKeys=DELETED_AT_ONCE)
    except ClientError as error:
        # Somebody has already removed it by hand.
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return []
        raise
    # A bucket without versions lists each object as the one version `null`.
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
