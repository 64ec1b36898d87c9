"""Makes AWS clients of the emulator, for the tools and tests on this machine."""

from pathlib import Path
from typing import Any

from botocore.config import Config

from local.emulator import CREDENTIALS, REGION


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
