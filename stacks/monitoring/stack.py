"""The stack that watches a stage; the emulator's deployment leaves it out.

See docs/decisions/0100-monitoring-is-a-stack-of-its-own.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from stacks.monitoring.alarms import watches
from stacks.monitoring.dashboard import watch
from stacks.monitoring.gateway_errors import count_gateway_errors
from stacks.monitoring.lifecycle import LifecycleCheck
from stacks.monitoring.queries import save_queries
from stacks.monitoring.spending import limit_the_month, look_for_anomalies
from stacks.permissions_boundary import limit_roles
from stacks.stage import StageConfig, monitoring_stack_name

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from stacks.imagegen_stack import ImagegenStack


class MonitoringStack(Stack):
    """The alarms, the dashboard, the log queries and the daily check of one stage; `service` is what it watches."""

    def __init__(
        self,
        scope: Construct,
        *,
        config: StageConfig,
        service: ImagegenStack,
        code: lambda_.Code,
        env: Environment,
    ) -> None:
        super().__init__(
            scope,
            monitoring_stack_name(config.name),
            env=env,
            description="imagegen: alarms, dashboard and log queries.",
        )
        limit_roles(self, config=config)
        topic = self._topic(config)
        self.subjects = watches(config, service=service)
        count_gateway_errors(self, config=config, access_logs=service.http_api.access_logs)
        watch(self, config=config, service=service, topic=topic, subjects=self.subjects)
        check = LifecycleCheck(
            self,
            "Lifecycle",
            config=config,
            code=code,
            models=service.models,
            key=service.encryption_key,
            topic=topic,
        )
        save_queries(self, config=config, service=service)
        limit_the_month(self, config=config, topic=topic)
        look_for_anomalies(self, config=config, topic=topic)
        CfnOutput(self, "AlarmTopicArn", value=topic.topic_arn)
        CfnOutput(self, "LifecycleLogGroup", value=check.log_group.log_group_name)

    def _topic(self, config: StageConfig) -> sns.Topic:
        """Return the topic of everything that an operator is told."""
        topic = sns.Topic(self, "Alarms", display_name=f"imagegen {config.name}", enforce_ssl=True)
        # Budgets and Cost Anomaly Detection need it written down, and so does CloudWatch beside a policy.
        publishers = ["cloudwatch.amazonaws.com"]
        if config.monthly_budget_usd is not None:
            publishers.append("budgets.amazonaws.com")
        if config.cost_anomaly_usd is not None:
            publishers.append("costalerts.amazonaws.com")
        for service in publishers:
            topic.add_to_resource_policy(
                iam.PolicyStatement(
                    sid=f"Publish{service.split('.')[0].capitalize()}",
                    principals=[iam.ServicePrincipal(service)],
                    actions=["sns:Publish"],
                    resources=[topic.topic_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": self.account}},
                )
            )
        if config.alarm_email is not None:
            sns.Subscription(
                self,
                "AlarmEmail",
                topic=topic,
                protocol=sns.SubscriptionProtocol.EMAIL,
                endpoint=config.alarm_email,
            )
        return topic
