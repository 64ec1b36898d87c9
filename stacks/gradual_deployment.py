"""The published version of the api function that the gateway invokes, and how CodeDeploy shifts requests to a new one.

See the AWS CodeDeploy user guide, "Deployments on an AWS Lambda compute platform",
`docs/decisions/0111-only-the-api-function-is-shifted.md` and `docs/decisions/0125-snapstart-is-a-switch.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.setting_types import GRADUAL
from stacks.stage import StageConfig

ALIAS: Final = "live"
"""The alias that the gateway invokes."""
SHIFTS: Final[Mapping[str, codedeploy.ILambdaDeploymentConfig]] = {
    "canary": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
    "linear": codedeploy.LambdaDeploymentConfig.LINEAR_10_PERCENT_EVERY_1_MINUTE,
}
"""How requests are shifted, by the values of `api_deployment`."""


class PublishedVersion(Construct):
    """The version of a function that is published for this code and configuration, and the alias that leads to it.

    The version before it is deleted by the same deployment, so that nothing is paid for its snapshot any more.
    """

    def __init__(self, scope: Construct, construct_id: str, *, function: lambda_.Function) -> None:
        super().__init__(scope, construct_id)
        self.alias = lambda_.Alias(self, "Alias", alias_name=ALIAS, version=function.current_version)


class GradualDeployment(PublishedVersion):
    """A published version with the alarm on its errors, and the deployment group that shifts requests to it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: StageConfig, function: lambda_.Function
    ) -> None:
        super().__init__(scope, construct_id, function=function)
        alarm = self._alarm()
        role = self._role(function)
        group = codedeploy.LambdaDeploymentGroup(
            self,
            "Group",
            application=codedeploy.LambdaApplication(self, "Application"),
            alias=self.alias,
            deployment_config=SHIFTS[config.api_deployment],
            alarms=[alarm],
            # A deployment whose alarm cannot be read must not count as a good one.
            ignore_poll_alarms_failure=False,
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
            # The group would add AWS's policy, by which CodeDeploy could shift every function of the account.
            role=role.without_policy_updates(),
        )
        # CodeDeploy has its rights before it is told to use them.
        group.node.add_dependency(role)

    def _alarm(self) -> cloudwatch.Alarm:
        # It counts crashes, time-outs and starts that fail. A reply that says what went wrong is no error to Lambda.
        errors = self.alias.metric_errors(period=Duration.minutes(1), statistic="Sum")
        return errors.create_alarm(
            self,
            "Errors",
            alarm_description="The api function of imagegen fails; a deployment that is under way is rolled back.",
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # Lambda reports nothing while nobody calls.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _role(self, function: lambda_.Function) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                sid="ShiftTheAlias",
                actions=["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"],
                resources=[function.function_arn, f"{function.function_arn}:{ALIAS}"],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="ReadTheAlarm",
                actions=["cloudwatch:DescribeAlarms"],
                # As in AWS's own policy for CodeDeploy: a right to one alarm may not cover a list of
                # alarms, and a refusal would stop every deployment.
                resources=["*"],
            )
        )
        return role


def handler_of(scope: Construct, *, config: StageConfig, function: lambda_.Function) -> lambda_.IFunction:
    """Return what the gateway invokes: the function itself, or the alias of its published version."""
    # Both have the same id. Otherwise a stage that changes from one to the other would have two aliases of one name
    # for a moment, and Lambda refuses that.
    construct_id = "ApiDeployment"
    if config.api_deployment in GRADUAL:
        return GradualDeployment(scope, construct_id, config=config, function=function).alias
    if config.snapstart:
        return PublishedVersion(scope, construct_id, function=function).alias
    return function
