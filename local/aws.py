"""Makes AWS clients of the emulator, for the tools and tests on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from local.emulator import CREDENTIALS, REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef


def client_options(*, endpoint_url: str, ca_bundle: Path | None) -> dict[str, Any]:
    """Return the keyword arguments of `boto3.client(service, **options)`, with nothing of the operator's account."""
    return {
        "endpoint_url": endpoint_url,
        "region_name": REGION,
        "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        "verify": str(ca_bundle) if ca_bundle else None,
        # An empty dict, unlike None, keeps the operator's proxy out of a connection over loopback.
        "config": Config(proxies={}, retries={"total_max_attempts": 3}, s3={"addressing_style": "path"}),
    }


def described_stack(name: str, client: "CloudFormationClient") -> "StackTypeDef | None":
    """Return what CloudFormation says of a stack, or None if there is none."""
    try:
        found = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        # CloudFormation has no error code for a missing stack, only this sentence.
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found
