"""Floor (a), for the start: importing the SDK, and making the two clients that every such function needs."""

from typing import Any

import boto3

bedrock = boto3.client("bedrock-runtime")
s3 = boto3.client("s3")


def lambda_handler(_: dict[str, Any], __: object) -> dict[str, Any]:
    """Do nothing."""
    return {"statusCode": 200}
