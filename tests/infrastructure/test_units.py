"""The template makes the bucket, the table, the queues and the secret as they should be."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any

import pytest

from stacks.log_group import RETENTION
from stacks.stage import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized


QUEUES = ("JobsQueue", "JobsDeadLetters", "JobsCallBacks", "JobsDeadCallBacks")


def denials(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of a resource policy that deny."""
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return [statement for statement in statements if statement["Effect"] == "Deny"]


def test_every_retention_of_logs_that_a_stage_may_set_is_known_to_the_cdk() -> None:
    """The list has no retention that a stage may not set."""
    assert tuple(RETENTION) == SETTINGS["log_retention_days"].choices


def test_the_bucket_is_private(any_stage: Synthesized) -> None:
    """No access list, no policy and no object can open the bucket."""
    bucket = any_stage.one("AWS::S3::Bucket")
    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert "AccessControl" not in bucket


def test_the_bucket_is_encrypted(any_stage: Synthesized) -> None:
    """The template names S3's own keys explicitly."""
    encryption = any_stage.one("AWS::S3::Bucket")["BucketEncryption"]
    (rule,) = encryption["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


def test_the_bucket_policy_only_denies(any_stage: Synthesized) -> None:
    """The policy lets nobody in; rights come from roles and presigned URLs."""
    statements = any_stage.one("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Deny"}


@pytest.mark.parametrize(
    "condition",
    [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericGreaterThan": {"s3:signatureAge": "3600000"}},
    ],
)
def test_the_bucket_denies_plain_http_and_old_signatures(
    any_stage: Synthesized, condition: dict[str, Any]
) -> None:
    """The denial holds for everybody, for every action, and for the bucket with everything in it."""
    (denial,) = [
        statement
        for statement in denials(any_stage.one("AWS::S3::BucketPolicy"))
        if statement["Condition"] == condition
    ]
    arn = {"Fn::GetAtt": [any_stage.logical_id("AWS::S3::Bucket"), "Arn"]}
    assert denial["Action"] == "s3:*"
    assert denial["Principal"] == {"AWS": "*"}
    assert denial["Resource"] == [arn, {"Fn::Join": ["", [arn, "/*"]]}]


def test_images_expire_and_unfinished_uploads_are_removed(any_stage: Synthesized) -> None:
    """Images expire after the stage's retention, and unfinished uploads after a day."""
    rules = any_stage.one("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert {
        "Id": "expire-images",
        "Status": "Enabled",
        "Prefix": "images/",
        "ExpirationInDays": any_stage.config.image_retention_days,
    } in rules
    assert {
        "Id": "abort-unfinished-uploads",
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    } in rules


@pytest.mark.parametrize("origins", ["https://a.example,https://b.example", "*"])
def test_pages_of_any_origin_may_read_what_a_url_gives_them(
    synthesized: Callable[..., Synthesized], origins: str
) -> None:
    """After a redirect the origin is `null`, and the URL is the right to read. Without origins there is no rule."""
    (rule,) = synthesized("dev", f"cors_origins={origins}").one("AWS::S3::Bucket")["CorsConfiguration"][
        "CorsRules"
    ]
    assert rule["AllowedOrigins"] == ["*"]
    assert rule["AllowedMethods"] == ["GET", "HEAD"]
    assert "CorsConfiguration" not in synthesized("dev", None).one("AWS::S3::Bucket")


def test_the_table_has_one_key_and_two_indexes(any_stage: Synthesized) -> None:
    """The index of a caller's history holds whole items, and the index of due records holds keys only."""
    table = any_stage.one("AWS::DynamoDB::Table", named="Generations")
    indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert indexes["by_owner"]["KeySchema"] == [
        {"AttributeName": "owner", "KeyType": "HASH"},
        {"AttributeName": "created_at", "KeyType": "RANGE"},
    ]
    assert indexes["by_owner"]["Projection"] == {"ProjectionType": "ALL"}
    assert indexes["by_due"]["KeySchema"] == [
        {"AttributeName": "due_shard", "KeyType": "HASH"},
        {"AttributeName": "due_at", "KeyType": "RANGE"},
    ]
    assert indexes["by_due"]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert {attribute["AttributeType"] for attribute in table["AttributeDefinitions"]} == {"S"}


def test_the_table_is_paid_by_request_encrypted_recoverable_and_forgets(any_stage: Synthesized) -> None:
    """The table removes an item when its `expires_at` has passed."""
    table = any_stage.one("AWS::DynamoDB::Table", named="Generations")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize("type_", ["AWS::S3::Bucket", "AWS::DynamoDB::Table"])
def test_production_keeps_its_data_and_development_does_not(
    prod: Synthesized, dev: Synthesized, type_: str
) -> None:
    """The data of prod stays if the stack is deleted or a resource is replaced, but not if its creation fails."""
    for kept, dropped in zip(prod.resources(type_), dev.resources(type_), strict=True):
        assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == (
            "RetainExceptOnCreate",
            "Retain",
        )
        assert (dropped["DeletionPolicy"], dropped["UpdateReplacePolicy"]) == ("Delete", "Delete")


def test_the_table_of_production_cannot_be_deleted_by_mistake(prod: Synthesized, dev: Synthesized) -> None:
    """Deletion protection follows `retain_data`."""
    assert prod.one("AWS::DynamoDB::Table", named="Generations")["DeletionProtectionEnabled"] is True
    assert (
        dev.one("AWS::DynamoDB::Table", named="Generations").get("DeletionProtectionEnabled", False) is False
    )


def test_every_log_belongs_to_the_stack_and_goes_with_it(any_stage: Synthesized) -> None:
    """Each function and the access log write to a group of the stack, and nothing may make another one."""
    groups = {
        name
        for name, each in any_stage.template["Resources"].items()
        if each["Type"] == "AWS::Logs::LogGroup"
    }
    policies = {each["DeletionPolicy"] for each in any_stage.resources("AWS::Logs::LogGroup")}
    functions = any_stage.resources("AWS::Lambda::Function")
    written = {each["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for each in functions}
    access = any_stage.one("AWS::ApiGateway::Stage")["AccessLogSetting"]["DestinationArn"]
    assert policies == {"Delete"}
    assert written < groups
    assert (
        groups - written == {access["Fn::GetAtt"][0]}
        if "Fn::GetAtt" in access
        else len(groups - written) == 1
    )
    assert "logs:CreateLogGroup" not in json.dumps(any_stage.template)


def test_nothing_but_data_and_the_role_of_the_gateways_logs_outlives_the_stack(
    any_stage: Synthesized,
) -> None:
    """The role and its entry in the account serve every API of the region (docs/configuration.md)."""
    kept = {
        each["Type"]
        for each in any_stage.template["Resources"].values()
        if each.get("DeletionPolicy", "Delete") != "Delete"
    }
    data = {"AWS::S3::Bucket", "AWS::DynamoDB::Table"} if any_stage.config.retain_data else set()
    assert kept == data | {"AWS::ApiGateway::Account", "AWS::IAM::Role"}


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_are_encrypted_and_hidden_for_six_time_outs(any_stage: Synthesized, queue: str) -> None:
    """So no second worker gets a message that a worker still holds."""
    properties = any_stage.one("AWS::SQS::Queue", named=queue)
    assert properties["SqsManagedSseEnabled"] is True
    assert properties["VisibilityTimeout"] == 6 * any_stage.config.function_timeout


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_deny_plain_http(any_stage: Synthesized, queue: str) -> None:
    """The denial holds for everybody and for every action."""
    logical_id = any_stage.logical_id("AWS::SQS::Queue", named=queue)
    (policy,) = [
        resource["Properties"]
        for resource in any_stage.resources("AWS::SQS::QueuePolicy")
        if resource["Properties"]["Queues"] == [{"Ref": logical_id}]
    ]
    (denial,) = denials(policy)
    assert denial["Action"] == "sqs:*"
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denial["Principal"] == {"AWS": "*"}


def test_a_message_gets_fifty_deliveries_and_then_waits_two_weeks(any_stage: Synthesized) -> None:
    """The dead-letter queue keeps a message longer than the queue, because the message's age goes on."""
    queue = any_stage.one("AWS::SQS::Queue", named="JobsQueue")
    dead_letters = any_stage.one("AWS::SQS::Queue", named="JobsDeadLetters")
    target = any_stage.logical_id("AWS::SQS::Queue", named="JobsDeadLetters")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [target, "Arn"]},
        "maxReceiveCount": 50,
    }
    assert queue["MessageRetentionPeriod"] == 4 * 86_400
    assert dead_letters["MessageRetentionPeriod"] == 14 * 86_400


def test_a_call_back_gets_fifty_deliveries_and_then_waits_two_weeks(any_stage: Synthesized) -> None:
    """Its dead letters are there for people to look at; nothing consumes them."""
    queue = any_stage.one("AWS::SQS::Queue", named="JobsCallBacks")
    target = any_stage.logical_id("AWS::SQS::Queue", named="JobsDeadCallBacks")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [target, "Arn"]},
        "maxReceiveCount": 50,
    }
    dead = any_stage.one("AWS::SQS::Queue", named="JobsDeadCallBacks")
    assert dead["MessageRetentionPeriod"] == 14 * 86_400


def test_the_webhook_secret_is_generated_in_the_form_that_receivers_expect(any_stage: Synthesized) -> None:
    """The secret has 64 letters and digits, which are base64 of 48 bytes; its value is not in the template."""
    secret = any_stage.one("AWS::SecretsManager::Secret")
    assert secret["GenerateSecretString"] == {
        "ExcludeCharacters": string.punctuation,
        "ExcludePunctuation": True,
        "PasswordLength": 64,
    }
    assert "SecretString" not in secret


def test_the_worker_may_read_the_secret_by_its_arn(any_stage: Synthesized) -> None:
    """`Id` is the ARN on AWS and on the emulator; `Ref` is a mere name there, which the strict mode refuses."""
    arn = {"Fn::GetAtt": [any_stage.logical_id("AWS::SecretsManager::Secret"), "Id"]}
    (right,) = [each for each in any_stage.statements("Worker") if each.get("Sid") == "ReadWebhookSecret"]
    assert right["Resource"] == arn
    assert any_stage.outputs["WebhookSecretArn"]["Value"] == arn


def test_without_webhooks_there_is_no_secret(synthesized: Callable[..., Synthesized]) -> None:
    """The template has neither the secret nor the right to read it."""
    stage = synthesized("dev", "webhooks=false")
    assert stage.resources("AWS::SecretsManager::Secret") == []
    assert "secretsmanager" not in json.dumps(stage.template["Resources"])
