"""The table that holds every generation, idempotency key and quota counter."""

from __future__ import annotations

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.retention import removal_policy
from stacks.stage import StageConfig

# The adapter names the indexes and attributes as well: see docs/data.md.
OWNER_INDEX = "by_owner"
DUE_INDEX = "by_due"


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


class GenerationTable(Construct):
    """An item for each generation; one index for a caller's history, and a sparse one for overdue generations."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: StageConfig, key: kms.Key | None
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=_text("id"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED
            if key
            else dynamodb.TableEncryption.AWS_MANAGED,
            encryption_key=key,
            time_to_live_attribute="expires_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=config.retain_data,
            removal_policy=removal_policy(config),
        )
        self.table.add_global_secondary_index(
            index_name=OWNER_INDEX, partition_key=_text("owner"), sort_key=_text("created_at")
        )
        self.table.add_global_secondary_index(
            index_name=DUE_INDEX,
            partition_key=_text("due_shard"),
            sort_key=_text("due_at"),
            # The sweep reads each record again, because the index lags. So the keys are enough.
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )

    def use_items(self) -> iam.PolicyStatement:
        """Return the right to read and write single items. Nothing scans, and only expiry deletes."""
        return iam.PolicyStatement(
            sid="UseGenerations",
            actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            resources=[self.table.table_arn],
        )

    def query(self, index: str) -> iam.PolicyStatement:
        """Return the right to query one index."""
        return iam.PolicyStatement(
            sid="QueryOneIndex",
            actions=["dynamodb:Query"],
            resources=[f"{self.table.table_arn}/index/{index}"],
        )
