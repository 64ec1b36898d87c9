"""What AWS itself says of the bill: a monthly budget, and unusual costs. Both are about the whole account.

No tag can tell a stage's images apart in the bill, because calls of a foundation model carry no tags: see
docs/decisions/0101-the-budget-is-the-accounts.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_ce as ce

from stacks.stage import StageConfig, stack_name

if TYPE_CHECKING:
    from aws_cdk import aws_sns as sns
    from constructs import Construct

SPENT_PERCENT: Final = 80
FORECAST_PERCENT: Final = 100


def limit_the_month(scope: Construct, *, config: StageConfig, topic: sns.ITopic) -> None:
    """Make the budget, if the stage has one: a message at 80 % of it, and when the forecast passes it."""
    if config.monthly_budget_usd is None:
        return
    thresholds = (("ACTUAL", SPENT_PERCENT), ("FORECASTED", FORECAST_PERCENT))
    budgets.CfnBudget(
        scope,
        "Budget",
        budget=budgets.CfnBudget.BudgetDataProperty(
            budget_name=f"{stack_name(config.name)}-month",
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budgets.CfnBudget.SpendProperty(amount=config.monthly_budget_usd, unit="USD"),
        ),
        notifications_with_subscribers=[
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[
                    budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)
                ],
            )
            for kind, percent in thresholds
        ],
    )


def look_for_anomalies(scope: Construct, *, config: StageConfig, topic: sns.ITopic) -> None:
    """Subscribe to unusual costs, if the stage wants that; make a monitor of the services unless one is named."""
    if config.cost_anomaly_usd is None:
        return
    monitor = config.cost_anomaly_monitor_arn
    if monitor is None:
        monitor = ce.CfnAnomalyMonitor(
            scope,
            "Anomalies",
            monitor_name=f"{stack_name(config.name)}-services",
            monitor_type="DIMENSIONAL",
            monitor_dimension="SERVICE",
        ).attr_monitor_arn
    ce.CfnAnomalySubscription(
        scope,
        "AnomalySubscription",
        subscription_name=f"{stack_name(config.name)}-anomalies",
        monitor_arn_list=[monitor],
        # SNS gets each one at once; only e-mail comes daily or weekly.
        frequency="IMMEDIATE",
        subscribers=[ce.CfnAnomalySubscription.SubscriberProperty(type="SNS", address=topic.topic_arn)],
        threshold_expression=json.dumps(
            {
                "Dimensions": {
                    "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
                    "Values": [f"{config.cost_anomaly_usd:g}"],
                }
            }
        ),
    )
