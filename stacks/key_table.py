"""The table of the callers' API keys. It holds a digest of each key, never a key."""

from __future__ import annotations

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.retention import removal_policy
from stacks.stage import StageConfig


class KeyTable(Construct):
    """An item for each key. The functions of the service read it; only the operator's commands write it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: StageConfig, key: kms.Key | None
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED
            if key
            else dynamodb.TableEncryption.AWS_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=config.retain_data,
            removal_policy=removal_policy(config),
        )

    def read(self) -> iam.PolicyStatement:
        """Return the right to read single items."""
        return iam.PolicyStatement(
            sid="ReadKeys", actions=["dynamodb:GetItem"], resources=[self.table.table_arn]
        )
