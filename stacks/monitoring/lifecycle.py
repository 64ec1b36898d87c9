"""The function that asks Bedrock once a day about the listed models, and may do little else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations

from imagegen.models.lifecycle_check import asked_in
from imagegen.models.registry import ModelRef
from stacks.functions import SERVICE, Function

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sns as sns
    from constructs import Construct

    from stacks.stage import StageConfig


class LifecycleCheck(Function):
    """Runs `imagegen.lifecycle_handler` every day."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        code: lambda_.Code,
        models: Sequence[ModelRef],
        key: kms.Key | None,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            config=config,
            code=code,
            handler="imagegen.lifecycle_handler.lambda_handler",
            description="Compares what Bedrock says of the models of imagegen with what this release knows.",
            environment={
                "STAGE": config.name,
                "MODELS": ",".join(config.models),
                "POWERTOOLS_SERVICE_NAME": SERVICE,
                "POWERTOOLS_METRICS_NAMESPACE": SERVICE,
                "POWERTOOLS_LOG_LEVEL": config.log_level,
            },
            key=key,
            # It asks about a few models, each within seconds, and Bedrock may be slow.
            timeout=60,
            memory_mb=256,
        )
        partition = Stack.of(self).partition
        asked = [
            f"arn:{partition}:bedrock:{region}::foundation-model/{ref.model.id}"
            for ref, region in asked_in(models)
        ]
        if asked:
            self.allow(
                iam.PolicyStatement(
                    sid="ReadListedModels",
                    actions=["bedrock:GetFoundationModel"],
                    resources=list(dict.fromkeys(asked)),
                )
            )
        events.Rule(
            self,
            "Daily",
            description="Checks the lifecycles of the models of imagegen.",
            schedule=events.Schedule.rate(Duration.days(1)),
            targets=[targets.LambdaFunction(self.function)],
        )
        # A run that failed three times writes no metric, so no alarm would tell of it. An alarm on errors would be one
        # more that is paid for.
        self.function.configure_async_invoke(retry_attempts=2, on_failure=destinations.SnsDestination(topic))
