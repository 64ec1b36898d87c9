"""The secret that the worker signs call-backs with."""

from __future__ import annotations

import string
from typing import cast

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

# Standard Webhooks reads a secret as base64 of 24 to 64 bytes; 64 letters and digits are 48 bytes.
LENGTH = 64


class WebhookSecret(Construct):
    """The secret that signs call-backs: Secrets Manager generates it, and only the worker may read it."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.Key | None) -> None:
        super().__init__(scope, construct_id)
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description="Signs the call-backs of imagegen; receivers verify them with the same secret.",
            # Punctuation is named twice: the emulator's CloudFormation reads only the list of characters.
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=LENGTH, exclude_punctuation=True, exclude_characters=string.punctuation
            ),
        )
        child = cast("secretsmanager.CfnSecret", secret.node.default_child)
        if key:
            # Not `encryption_key`, with which CDK would let everybody in the account make grants for the key.
            child.kms_key_id = key.key_arn
        # Not `secret.secret_arn`, which is the emulator's name of the secret: its strict mode would refuse the right.
        self.arn = child.attr_id

    def read(self) -> iam.PolicyStatement:
        """Return the right to read the secret."""
        return iam.PolicyStatement(
            sid="ReadWebhookSecret", actions=["secretsmanager:GetSecretValue"], resources=[self.arn]
        )
