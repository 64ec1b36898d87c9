"""Sends the request of an IAM action on a resource, with the rights of whoever a client belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Request = tuple[str, str, Mapping[str, Any]]
"""A service of boto3, a method of its client, and the parameters."""


def _last(arn: str) -> str:
    return arn.rpartition(":")[2]


def _object(arn: str) -> dict[str, str]:
    bucket, _, key = _last(arn).partition("/")
    return {"Bucket": bucket, **({"Key": key} if key else {})}


def _table(arn: str) -> dict[str, str]:
    _, table, *index = _last(arn).split("/")
    return {"TableName": table, **({"IndexName": index[1]} if index else {})}


def _queue(arn: str) -> dict[str, str]:
    _, _, _, region, account, name = arn.split(":")
    return {"QueueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{name}"}


def _group(arn: str) -> dict[str, str]:
    return {"logGroupName": arn.split(":")[6]}


ID: Final = {"id": {"S": "gen_a"}}
QUERY: Final = {
    "KeyConditionExpression": "id = :id",
    "ExpressionAttributeValues": {":id": {"S": "a"}},
}
REQUESTS: Final[Mapping[str, Callable[[str], Request]]] = {
    "dynamodb:BatchWriteItem": lambda arn: (
        "dynamodb",
        "batch_write_item",
        {"RequestItems": {_table(arn)["TableName"]: [{"DeleteRequest": {"Key": ID}}]}},
    ),
    "dynamodb:DeleteItem": lambda arn: ("dynamodb", "delete_item", {**_table(arn), "Key": ID}),
    "dynamodb:DeleteTable": lambda arn: ("dynamodb", "delete_table", _table(arn)),
    "dynamodb:GetItem": lambda arn: ("dynamodb", "get_item", {**_table(arn), "Key": ID}),
    "dynamodb:PutItem": lambda arn: ("dynamodb", "put_item", {**_table(arn), "Item": ID}),
    "dynamodb:Query": lambda arn: ("dynamodb", "query", {**_table(arn), **QUERY}),
    "dynamodb:Scan": lambda arn: ("dynamodb", "scan", _table(arn)),
    "dynamodb:UpdateItem": lambda arn: ("dynamodb", "update_item", {**_table(arn), "Key": ID}),
    "kms:CreateGrant": lambda arn: (
        "kms",
        "create_grant",
        {"KeyId": arn, "GranteePrincipal": "arn:aws:iam::000000000000:root", "Operations": ["Decrypt"]},
    ),
    "kms:ScheduleKeyDeletion": lambda arn: ("kms", "schedule_key_deletion", {"KeyId": arn}),
    "lambda:InvokeFunction": lambda arn: ("lambda", "invoke", {"FunctionName": _last(arn)}),
    "lambda:UpdateFunctionCode": lambda arn: (
        "lambda",
        "update_function_code",
        {"FunctionName": _last(arn), "ZipFile": b"x"},
    ),
    "logs:DeleteLogGroup": lambda arn: ("logs", "delete_log_group", _group(arn)),
    "logs:GetLogEvents": lambda arn: ("logs", "get_log_events", {**_group(arn), "logStreamName": "s"}),
    "logs:PutLogEvents": lambda arn: (
        "logs",
        "put_log_events",
        {**_group(arn), "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]},
    ),
    "s3:DeleteBucket": lambda arn: ("s3", "delete_bucket", _object(arn)),
    "s3:DeleteObject": lambda arn: ("s3", "delete_object", _object(arn)),
    "s3:GetObject": lambda arn: ("s3", "get_object", _object(arn)),
    "s3:ListBucket": lambda arn: ("s3", "list_objects_v2", _object(arn)),
    "s3:PutBucketPolicy": lambda arn: ("s3", "put_bucket_policy", {**_object(arn), "Policy": "{}"}),
    "s3:PutObject": lambda arn: ("s3", "put_object", {**_object(arn), "Body": b"x"}),
    "secretsmanager:GetSecretValue": lambda arn: ("secretsmanager", "get_secret_value", {"SecretId": arn}),
    "secretsmanager:PutSecretValue": lambda arn: (
        "secretsmanager",
        "put_secret_value",
        {"SecretId": arn, "SecretString": "s"},
    ),
    "sqs:PurgeQueue": lambda arn: ("sqs", "purge_queue", _queue(arn)),
    "sqs:ReceiveMessage": lambda arn: ("sqs", "receive_message", _queue(arn)),
    "sqs:SendMessage": lambda arn: ("sqs", "send_message", {**_queue(arn), "MessageBody": "m"}),
    "sqs:SetQueueAttributes": lambda arn: ("sqs", "set_queue_attributes", {**_queue(arn), "Attributes": {}}),
    "sts:AssumeRole": lambda arn: ("sts", "assume_role", {"RoleArn": arn, "RoleSessionName": "session"}),
}
"""The request of each action that the emulator knows."""
