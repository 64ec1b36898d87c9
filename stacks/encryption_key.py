"""The customer-managed key of a stage with `encryption` `kms`, and the rights to use it through AWS's services."""

from __future__ import annotations

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.retention import removal_policy
from stacks.stage import StageConfig, stack_name

PENDING_DAYS = 30
"""For so long a key that is deleted can be brought back: the longest that KMS offers."""
DATA_KEY_HOURS = 1
"""How long SQS uses one data key, before it asks KMS for another one."""


class EncryptionKey(Construct):
    """One key, rotated every year, for images, records, messages, logs and the webhook secret."""

    def __init__(self, scope: Construct, construct_id: str, *, config: StageConfig) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            description=f"Encrypts what imagegen keeps, stage {config.name}.",
            enable_key_rotation=True,
            # Who loses the key loses the data. So it stays where the data stays.
            removal_policy=removal_policy(config),
            pending_window=Duration.days(PENDING_DAYS),
        )
        self.key.add_to_resource_policy(self._encrypt_logs(config))

    def decrypt(self, *services: str) -> iam.PolicyStatement:
        """Return the right to let these services decrypt, such as `s3`; nothing else can be decrypted with it.

        S3 needs it for a presigned URL too, which reads with the right of its signer. SQS needs it to send as well,
        because it checks the new data key. DynamoDB needs it for each call, because it decrypts the table's key.
        """
        return self._through("DecryptThroughServices", "kms:Decrypt", services)

    def encrypt(self, *services: str) -> iam.PolicyStatement:
        """Return the right to let these services encrypt: S3 an object, SQS a message."""
        return self._through("EncryptThroughServices", "kms:GenerateDataKey", services)

    def _through(self, sid: str, action: str, services: tuple[str, ...]) -> iam.PolicyStatement:
        region = Stack.of(self).region
        return iam.PolicyStatement(
            sid=sid,
            actions=[action],
            resources=[self.key.key_arn],
            conditions={
                "StringEquals": {
                    "kms:ViaService": [f"{service}.{region}.{Aws.URL_SUFFIX}" for service in services]
                }
            },
        )

    def _encrypt_logs(self, config: StageConfig) -> iam.PolicyStatement:
        # As CloudWatch Logs asks for it, and only for the groups of this stage: its user guide, "Encrypt log data in
        # CloudWatch Logs using AWS Key Management Service".
        stack = Stack.of(self)
        groups = stack.format_arn(
            service="logs",
            resource=f"log-group:{stack_name(config.name)}-*",
        )
        return iam.PolicyStatement(
            sid="EncryptLogs",
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.{Aws.URL_SUFFIX}")],
            actions=[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
            ],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
