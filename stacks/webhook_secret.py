"""The secret that the worker signs call-backs with."""

from __future__ import annotations

import string

from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

# Standard Webhooks reads a secret as base64 of 24 to 64 bytes; 64 letters and digits are 48 bytes.
LENGTH = 64


class WebhookSecret(Construct):
    """The secret that signs call-backs: Secrets Manager generates it, and only the worker may read it."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self._secret = secretsmanager.Secret(
            self,
            "Secret",
            description="Signs the call-backs of imagegen; receivers verify them with the same secret.",
            # Punctuation is named twice: the emulator's CloudFormation reads only the list of characters.
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=LENGTH, exclude_punctuation=True, exclude_characters=string.punctuation
            ),
        )
        self.arn = self._secret.secret_arn

    def read(self) -> iam.PolicyStatement:
        """Return the right to read the secret."""
        return iam.PolicyStatement(
            sid="ReadWebhookSecret", actions=["secretsmanager:GetSecretValue"], resources=[self.arn]
        )
