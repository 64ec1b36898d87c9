"""What `make deploy` and `make destroy` ask of an account, on the emulator; `tests/deployments` runs them whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from local.emulator import REGION
from operating import stack as operating_stack
from operating.stack import Account, Resource

if TYPE_CHECKING:
    from tests.support.bare_emulator import Emulator

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
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Role": "arn:aws:iam::000000000000:role/any",
                    "Code": {"ZipFile": "handler = None"},
                    "Environment": {"Variables": {"OWNER_SALT": "salt-of-before"}},
                },
            },
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
    assert found.owner_salt == "salt-of-before"
    assert account.find("imagegen-not-deployed") is None
    account.delete(found)
    assert account.find("imagegen-told") is None


@pytest.mark.parametrize("type_", ["AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::S3::Bucket"])
@pytest.mark.parametrize("name", ["", "imagegen-gone-already"])
def test_what_is_gone_already_counts_as_removed(emulator: Emulator, type_: str, name: str) -> None:
    """The roll-back may have removed it, or never made it."""
    account = Account(options=emulator.aws())
    assert account.remove_if_empty(Resource(logical_id="Data", name=name, type=type_, kept=True))


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


def test_a_key_is_only_scheduled_to_be_deleted(emulator: Emulator) -> None:
    """KMS waits 30 days; whoever asks again, or has asked by hand, changes nothing."""
    keys = boto3.client("kms", **emulator.aws())
    key = keys.create_key()["KeyMetadata"]["KeyId"]
    account = Account(options=emulator.aws())
    resource = Resource(logical_id="Key", name=key, type="AWS::KMS::Key", kept=True)
    assert account.remove_if_empty(resource)
    assert keys.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert account.remove_if_empty(resource)
