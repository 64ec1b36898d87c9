"""Gives the emulated API Gateway an address that every client can reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from local.aws import client_options

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient

DOMAIN = "127.0.0.1"
BASE_PATH = "v1"


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """One REST API on the emulator."""

    client: "APIGatewayClient"
    endpoint_url: str
    api_id: str

    def address(self) -> str:
        """Map the API to a path of 127.0.0.1 and return that base URL, which ends in the base path."""
        # `<id>.execute-api.localhost` works only if the resolver knows names under localhost. Those of curl and of
        # browsers do; Python's does not on most Linux machines. To the emulator, 127.0.0.1 is a custom domain name.
        mapping = {"domainName": DOMAIN, "basePath": BASE_PATH}
        try:
            found = self.client.get_base_path_mapping(**mapping)
        except ClientError:
            self._create_domain()
        else:
            if found["restApiId"] == self.api_id:
                return f"{self.endpoint_url}/{BASE_PATH}"
            self.client.delete_base_path_mapping(**mapping)
        self.client.create_base_path_mapping(**mapping, restApiId=self.api_id, stage=BASE_PATH)
        return f"{self.endpoint_url}/{BASE_PATH}"

    def _create_domain(self) -> None:
        if DOMAIN not in {domain["domainName"] for domain in self.client.get_domain_names()["items"]}:
            self.client.create_domain_name(domainName=DOMAIN, endpointConfiguration={"types": ["REGIONAL"]})


def connect(*, endpoint_url: str, ca_bundle: Path | None, outputs: Mapping[str, str]) -> Gateway:
    """Return the gateway of the deployed stack."""
    options = client_options(endpoint_url=endpoint_url, ca_bundle=ca_bundle)
    return Gateway(
        client=boto3.client("apigateway", **options),
        endpoint_url=endpoint_url,
        api_id=outputs["ApiId"],
    )
