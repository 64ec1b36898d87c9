"""The firewall of a stage with `waf`: AWS WAF in front of the API's stage.

See docs/decisions/0106-the-firewall-never-reads-a-prompt.md.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from stacks.stage import StageConfig, stack_name

RULE_GROUP: Final = "AWSManagedRulesCommonRuleSet"
ONLY_COUNTED: Final = (
    "CrossSiteScripting_BODY",
    "EC2MetaDataSSRF_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    "SizeRestrictions_BODY",
    "NoUserAgent_HEADER",
)
"""Rules of the group that count a request and let it pass: a body is a prompt, and a program may have no name.

The group's rules are listed in the AWS WAF developer guide, "Core rule set (CRS) managed rule group".
"""
WINDOW_SECONDS: Final = 300


class Firewall(Construct):
    """A web ACL in front of the API: AWS's core rule set without its rules for bodies, and a limit for each address."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: StageConfig, stage: apigateway.Stage
    ) -> None:
        super().__init__(scope, construct_id)
        self.acl = wafv2.CfnWebACL(
            self,
            "Acl",
            name=stack_name(config.name),
            description="In front of the API of imagegen.",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_counted("acl"),
            rules=[_limit_for_each_address(config.waf_requests), _core_rules()],
        )
        wafv2.CfnWebACLAssociation(
            self, "Association", resource_arn=stage.stage_arn, web_acl_arn=self.acl.attr_arn
        )


def _limit_for_each_address(requests: int) -> wafv2.CfnWebACL.RuleProperty:
    # First, because whoever is over the limit needs no further look.
    return wafv2.CfnWebACL.RuleProperty(
        name="requests-per-address",
        priority=0,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=requests, evaluation_window_sec=WINDOW_SECONDS
            )
        ),
        visibility_config=_counted("requests-per-address"),
    )


def _core_rules() -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name="core-rules",
        priority=1,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=RULE_GROUP,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(
                        name=name, action_to_use=wafv2.CfnWebACL.RuleActionProperty(count={})
                    )
                    for name in ONLY_COUNTED
                ],
            )
        ),
        visibility_config=_counted("core-rules"),
    )


def _counted(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True,
        metric_name=name,
        # A sampled request shows its headers in the console, and so an API key.
        sampled_requests_enabled=False,
    )
