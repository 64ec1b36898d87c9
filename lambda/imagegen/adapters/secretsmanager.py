"""The secret that call-backs are signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagegen.errors import Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretsManager:
    """One secret of the deployment, by its ARN."""

    def __init__(self, *, client: SecretsManagerClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def read(self) -> str:
        """Return the secret's text.

        Raises:
            Misconfigured: the secret is missing, holds no text, or may not be read.
        """
        try:
            return self._client.get_secret_value(SecretId=self._arn)["SecretString"]
        except Exception as exc:
            raise Misconfigured("The webhook secret cannot be read.") from exc
