"""What CloudFormation may do to deploy the monitoring of a stage, and what shifts requests to a new version.

See `stacks/deployment_rights.py`, which has the rights for everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stacks.grants import PREFIX, Grant, actions_of, named

_FUNCTION: Final = named("lambda", f"function:{PREFIX}")
_SHIFTING: Final = (
    Grant(
        sid="Shifting",
        actions=actions_of(
            "codedeploy",
            "CreateApplication CreateDeployment CreateDeploymentGroup DeleteApplication DeleteDeploymentGroup "
            "GetApplication GetApplicationRevision GetDeployment GetDeploymentGroup ListDeployments "
            "ListTagsForResource RegisterApplicationRevision StopDeployment TagResource UntagResource "
            "UpdateDeploymentGroup",
        ),
        resources=named("codedeploy", f"application:{PREFIX}", f"deploymentgroup:{PREFIX}"),
    ),
    Grant(
        sid="KindsOfShifting",
        actions=("codedeploy:GetDeploymentConfig",),
        resources=named("codedeploy", "deploymentconfig:CodeDeployDefault.*"),
    ),
)
_PASS_TO_CODEDEPLOY: Final = Grant(
    sid="PassRolesToCodeDeploy",
    actions=("iam:PassRole",),
    resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",),
    condition={"StringEquals": {"iam:PassedToService": "codedeploy.amazonaws.com"}},
)
_TOPICS: Final = Grant(
    sid="Topics",
    actions=actions_of(
        "sns",
        "CreateTopic DeleteTopic GetDataProtectionPolicy GetSubscriptionAttributes GetTopicAttributes "
        "ListSubscriptionsByTopic ListTagsForResource SetSubscriptionAttributes SetTopicAttributes Subscribe "
        "TagResource Unsubscribe UntagResource",
    ),
    resources=named("sns", PREFIX),
)
_ANOMALIES: Final = Grant(
    sid="Anomalies",
    # The service knows monitors and subscriptions by ids of its own.
    actions=actions_of(
        "ce",
        "CreateAnomalyMonitor CreateAnomalySubscription DeleteAnomalyMonitor DeleteAnomalySubscription "
        "GetAnomalyMonitors GetAnomalySubscriptions ListTagsForResource TagResource UpdateAnomalyMonitor "
        "UpdateAnomalySubscription",
    ),
    resources=("*",),
)

WATCHING_RIGHTS: Final[Mapping[str, tuple[Grant, ...]]] = {
    "AWS::Budgets::Budget": (
        Grant(
            sid="Budgets",
            actions=actions_of(
                "budgets", "ListTagsForResource ModifyBudget TagResource UntagResource ViewBudget"
            ),
            resources=(f"arn:{{partition}}:budgets::{{account}}:budget/{PREFIX}",),
        ),
    ),
    "AWS::CE::AnomalyMonitor": (_ANOMALIES,),
    "AWS::CE::AnomalySubscription": (_ANOMALIES,),
    "AWS::CloudWatch::Alarm": (
        Grant(
            sid="Alarms",
            actions=actions_of(
                "cloudwatch", "DeleteAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource"
            ),
            resources=named("cloudwatch", f"alarm:{PREFIX}"),
        ),
        # The service lists alarms without a name.
        Grant(
            sid="ListAlarms",
            actions=("cloudwatch:DescribeAlarms",),
            resources=named("cloudwatch", "alarm:*"),
        ),
    ),
    "AWS::CloudWatch::Dashboard": (
        Grant(
            sid="Dashboards",
            actions=actions_of(
                "cloudwatch",
                "DeleteDashboards GetDashboard ListTagsForResource PutDashboard TagResource UntagResource",
            ),
            resources=(f"arn:{{partition}}:cloudwatch::{{account}}:dashboard/{PREFIX}",),
        ),
    ),
    "AWS::CodeDeploy::Application": _SHIFTING,
    "AWS::CodeDeploy::DeploymentGroup": (*_SHIFTING, _PASS_TO_CODEDEPLOY),
    "AWS::Lambda::Alias": (
        Grant(
            sid="Aliases",
            actions=actions_of("lambda", "CreateAlias DeleteAlias GetAlias UpdateAlias"),
            resources=_FUNCTION,
        ),
        *_SHIFTING,
    ),
    "AWS::Lambda::Version": (
        Grant(
            sid="Versions",
            actions=actions_of(
                "lambda",
                "DeleteFunction GetFunctionConfiguration GetFunctionScalingConfig GetProvisionedConcurrencyConfig "
                "GetRuntimeManagementConfig ListVersionsByFunction PublishVersion",
            ),
            resources=_FUNCTION,
        ),
    ),
    "AWS::Logs::MetricFilter": (
        Grant(
            sid="MetricFilters",
            actions=actions_of("logs", "DeleteMetricFilter DescribeMetricFilters PutMetricFilter"),
            resources=named("logs", f"log-group:{PREFIX}"),
        ),
    ),
    "AWS::Logs::QueryDefinition": (
        Grant(
            sid="Queries",
            # The service takes no resource for them.
            actions=actions_of("logs", "DeleteQueryDefinition DescribeQueryDefinitions PutQueryDefinition"),
            resources=("*",),
        ),
    ),
    "AWS::SNS::Subscription": (_TOPICS,),
    "AWS::SNS::Topic": (_TOPICS,),
    "AWS::SNS::TopicPolicy": (_TOPICS,),
}
"""The rights by type of what only some stages have."""
