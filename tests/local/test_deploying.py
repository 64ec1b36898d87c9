"""`make deploy` and `make destroy` of a stage for an account, on the emulator: nothing is left of dev."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3

from local.emulator import CREDENTIALS, REGION
from operating import stack as operating_stack
from operating.stack import Account, Resource
from tests.support.local_instances import ENVIRON
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    import pytest

    from tests.support.bare_emulator import Emulator
    from tests.support.deployed_stack import Stack

STAGE = "dev"
NAME = f"imagegen-{STAGE}"


def operate(stack: Stack, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the operator's in a pipeline, where the emulator is the account."""
    own = {name: value for name, value in ENVIRON.items() if not name.startswith("AWS_") and name != "CONFIG"}
    authority = str(stack.ca_bundle) if stack.ca_bundle else ""
    trust = {"NODE_EXTRA_CA_CERTS": authority, "AWS_CA_BUNDLE": authority} if authority else {}
    place = {
        **CREDENTIALS,
        **trust,
        "AWS_ENDPOINT_URL": stack.state.aws_endpoint_url,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        # The tests of the templates run CDK's own check.
        "CDK_VALIDATION": "false",
    }
    return subprocess.run(  # noqa: S603 - this interpreter and a module of ours
        [sys.executable, "-m", "operating", "--stage", STAGE, command],
        cwd=CHECKOUT,
        env={**own, **place, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


def left_of_the_stage(stack: Stack) -> dict[str, list[str]]:
    """Return the names of everything in the account that bears the name of the stack."""

    def names(service: str, call: str, members: str, member: str | None = None) -> list[str]:
        client: Any = boto3.client(service, **stack.aws())
        found = getattr(client, call)().get(members, [])
        return [name for each in found if NAME in (name := each[member] if member else each)]

    return {
        "stacks": [
            each
            for each in names("cloudformation", "list_stacks", "StackSummaries", "StackName")
            if Account(options=stack.aws()).find(each)
        ],
        "buckets": names("s3", "list_buckets", "Buckets", "Name"),
        "tables": names("dynamodb", "list_tables", "TableNames"),
        "logs": names("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "queues": names("sqs", "list_queues", "QueueUrls"),
        "functions": names("lambda", "list_functions", "Functions", "FunctionName"),
        "secrets": names("secretsmanager", "list_secrets", "SecretList", "Name"),
        "rules": names("events", "list_rules", "Rules", "Name"),
        "roles": [
            name for name in names("iam", "list_roles", "Roles", "RoleName") if "CloudWatch" not in name
        ],
    }


def test_a_pipeline_deploys_and_destroys_and_nothing_is_left(stack: Stack) -> None:
    """The bucket is full and has versions, and there is no terminal. The role of the gateway's logs may stay."""
    config = "bundle_platform=host memory_mb=640"
    done = operate(stack, "deploy", CONFIG=config, APPROVE="never")
    assert done.returncode == 0, done.stderr
    outputs = boto3.client("cloudformation", **stack.aws()).describe_stacks(StackName=NAME)["Stacks"][0][
        "Outputs"
    ]
    bucket = next(each["OutputValue"] for each in outputs if each["OutputKey"] == "BucketName")
    fill(boto3.client("s3", **stack.aws()), bucket)
    functions = boto3.client("lambda", **stack.aws()).list_functions()["Functions"]
    memory = {each["MemorySize"] for each in functions if f"{NAME}-Worker" in each["FunctionName"]}
    assert memory == {640}

    done = operate(stack, "destroy", CONFIG=config)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("There is no terminal to confirm at: set APPROVE=never ")
    done = operate(stack, "destroy", CONFIG=config, APPROVE="never")
    assert done.returncode == 0, done.stderr
    assert f"Deleted {VERSIONS} objects from {bucket}." in done.stdout
    assert {what: names for what, names in left_of_the_stage(stack).items() if names} == {}


VERSIONS = 8


def fill(client: Any, bucket: str) -> None:
    """Put objects, versions and a delete marker into a bucket: 8 altogether."""
    client.put_object(Bucket=bucket, Key="images/before-there-were-versions", Body=b"x")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(6):
        client.put_object(Bucket=bucket, Key=f"images/{number % 3}", Body=b"x")
    client.delete_object(Bucket=bucket, Key="images/0")


def test_a_bucket_is_emptied_page_by_page(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions and delete markers count, and S3 deletes only so many at once."""
    monkeypatch.setattr(operating_stack, "DELETED_AT_ONCE", 3)
    client = boto3.client("s3", **emulator.aws())
    bucket = emulator.create_bucket()
    fill(client, bucket)
    account = Account(options=emulator.aws())
    assert account.empty(bucket) == VERSIONS
    assert account.empty(bucket) == 0
    client.delete_bucket(Bucket=bucket)
    assert account.empty(bucket) == 0


def test_the_deployed_template_says_what_is_kept(emulator: Emulator) -> None:
    """Not cdk.json, which may have been changed since."""
    template = {
        "Resources": {
            "Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "RetainExceptOnCreate"},
            "Gone": {"Type": "AWS::SQS::Queue"},
        }
    }
    client = boto3.client("cloudformation", **emulator.aws())
    client.create_stack(StackName="imagegen-told", TemplateBody=json.dumps(template))
    client.get_waiter("stack_create_complete").wait(StackName="imagegen-told", WaiterConfig={"Delay": 1})
    account = Account(options=emulator.aws())
    found = account.find("imagegen-told")
    assert found is not None
    (kept,) = found.kept
    assert kept == Resource(logical_id="Kept", name=kept.name, type="AWS::S3::Bucket", kept=True)
    assert (found.region, found.account, found.data_deleted) == (REGION, "000000000000", [])
    assert account.find("imagegen-not-deployed") is None


def test_only_an_empty_table_and_an_empty_bucket_are_removed(emulator: Emulator) -> None:
    """The table is protected from deletion, as `retain_data` makes it."""
    account = Account(options=emulator.aws())
    tables, s3 = boto3.client("dynamodb", **emulator.aws()), boto3.client("s3", **emulator.aws())
    table, bucket = emulator.create_table(), emulator.create_bucket()
    tables.update_table(TableName=table, DeletionProtectionEnabled=True)
    tables.put_item(TableName=table, Item={"id": {"S": "1"}})
    s3.put_object(Bucket=bucket, Key="images/1", Body=b"x")
    both = [
        Resource(logical_id="Table", name=table, type="AWS::DynamoDB::Table", kept=True),
        Resource(logical_id="Bucket", name=bucket, type="AWS::S3::Bucket", kept=True),
    ]
    assert [account.remove_if_empty(each) for each in both] == [False, False]
    assert tables.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is True
    tables.delete_item(TableName=table, Key={"id": {"S": "1"}})
    s3.delete_object(Bucket=bucket, Key="images/1")
    assert [account.remove_if_empty(each) for each in both] == [True, True]
    assert table not in tables.list_tables()["TableNames"]
    assert bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]
