"""What CloudFormation may do to deploy this project: the rights for each type of resource.

A type's rights follow from the permissions that its handlers name in the CloudFormation registry. What a handler names
and this project never needs is left out; a test compares each row with the registry. Resources are limited to this
project's names wherever the service knows them by name: Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "imagegen-*"
"""The names that CloudFormation makes for resources of this project's stacks: they begin with the stack's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Actions on resources.

    Resources have the fields `{partition}`, `{region}` and `{account}`. `condition` is an IAM condition with the same
    fields.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, str | tuple[str, ...]]] = field(default_factory=dict)


def _of(service: str, actions: str) -> tuple[str, ...]:
    return tuple(f"{service}:{action}" for action in actions.split())


def _named(service: str, *resources: str) -> tuple[str, ...]:
    return tuple(f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}" for resource in resources)


_PASS_ROLES: Final = Grant(
    sid="PassRoles",
    actions=("iam:PassRole",),
    resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",),
    condition={"StringEquals": {"iam:PassedToService": ("apigateway.amazonaws.com", "lambda.amazonaws.com")}},
)
_GATEWAY: Final = Grant(
    sid="Gateway",
    actions=_of("apigateway", "DELETE GET PATCH POST PUT"),
    # The service knows APIs and domains by ids of its own.
    resources=tuple(
        f"arn:{{partition}}:apigateway:{{region}}::/{path}"
        for path in ("account", "restapis", "restapis/*", "tags/*")
    ),
)
_DOMAINS: Final = Grant(
    sid="GatewayDomains",
    actions=_of("apigateway", "DELETE GET PATCH POST PUT"),
    resources=tuple(
        f"arn:{{partition}}:apigateway:{{region}}::/{path}" for path in ("domainnames", "domainnames/*")
    ),
)
_ASSETS: Final = Grant(
    sid="ReadAssets",
    actions=("s3:GetObject",),
    resources=("arn:{partition}:s3:::cdk-*-assets-{account}-{region}/*",),
)
_OF_ROLES: Final = _of(
    "iam",
    "CreateRole DeleteRole DeleteRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies "
    "PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription",
)
ROLES: Final = Grant(
    sid="Roles", actions=_OF_ROLES, resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",)
)
"""A stage with a permissions boundary may make and change roles with that boundary only."""
WITH_BOUNDARY: Final = _of(
    "iam", "AttachRolePolicy CreateRole DeleteRolePolicy DetachRolePolicy PutRolePolicy"
)
"""The actions for which IAM knows the boundary of the role."""
MANAGED: Final = Grant(
    sid="ManagedPoliciesOfRoles",
    actions=_of("iam", "AttachRolePolicy DetachRolePolicy"),
    resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",),
)
"""Only the managed policies of the templates may be attached."""
_INLINE: Final = Grant(
    sid="InlinePoliciesOfRoles",
    actions=_of("iam", "DeleteRolePolicy GetRolePolicy PutRolePolicy"),
    resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",),
)
_SECRETS: Final = Grant(
    sid="Secrets",
    actions=_of(
        "secretsmanager", "CreateSecret DeleteSecret DescribeSecret TagResource UntagResource UpdateSecret"
    ),
    # A secret's name begins with its logical id, and not with the name of the stack.
    resources=_named("secretsmanager", f"secret:{PREFIX}", "secret:WebhooksSecret*"),
)
_KEYS: Final = (
    Grant(sid="CreateKeys", actions=("kms:CreateKey",), resources=("*",)),
    Grant(
        sid="Keys",
        actions=_of(
            "kms",
            "DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation GetKeyPolicy "
            "GetKeyRotationStatus ListResourceTags PutKeyPolicy ScheduleKeyDeletion TagResource UntagResource "
            "UpdateKeyDescription",
        ),
        # The service knows keys by ids of its own.
        resources=_named("kms", "key/*"),
    ),
    Grant(
        sid="UseKeysForTablesAndSecrets",
        actions=_of(
            "kms",
            "CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom "
            "ReEncryptTo",
        ),
        resources=_named("kms", "key/*"),
        condition={"StringLike": {"kms:ViaService": ("dynamodb.{region}.*", "secretsmanager.{region}.*")}},
    ),
)
_FIREWALL: Final = Grant(
    sid="Firewall",
    actions=_of(
        "wafv2",
        "CreateWebACL DeleteWebACL GetWebACL ListTagsForResource TagResource UntagResource UpdateWebACL",
    ),
    resources=_named("wafv2", f"regional/webacl/{PREFIX}/*", "regional/managedruleset/*/*"),
)
_ASSOCIATION: Final = Grant(
    sid="FirewallOfTheGateway",
    actions=(
        "apigateway:SetWebACL",
        *_of("wafv2", "AssociateWebACL DisassociateWebACL GetWebACL GetWebACLForResource"),
    ),
    resources=(
        *_named("wafv2", f"regional/webacl/{PREFIX}/*"),
        "arn:{partition}:apigateway:{region}::/restapis/*/stages/*",
    ),
)

BASE: Final = (
    Grant(
        sid="BootstrapVersion",
        actions=("ssm:GetParameters",),
        resources=_named("ssm", "parameter/cdk-bootstrap/*"),
    ),
)
"""What every template needs, whatever it has: its parameter names the version of the bootstrap."""

OUTPUTS_OF_STACKS: Final = Grant(
    sid="OutputsOfStacks",
    actions=("cloudformation:DescribeStacks",),
    resources=_named("cloudformation", f"stack/{PREFIX}/*"),
)
"""What a template needs that names the output of another stack."""

RIGHTS: Final[Mapping[str, tuple[Grant, ...]]] = {
    "AWS::ApiGateway::Account": (_GATEWAY, _PASS_ROLES),
    "AWS::ApiGateway::Authorizer": (_GATEWAY,),
    "AWS::ApiGateway::BasePathMapping": (_DOMAINS,),
    "AWS::ApiGateway::Deployment": (_GATEWAY,),
    "AWS::ApiGateway::DomainName": (_DOMAINS,),
    "AWS::ApiGateway::GatewayResponse": (_GATEWAY,),
    "AWS::ApiGateway::Method": (_GATEWAY,),
    "AWS::ApiGateway::Resource": (_GATEWAY,),
    "AWS::ApiGateway::RestApi": (_GATEWAY,),
    "AWS::ApiGateway::Stage": (_GATEWAY,),
    "AWS::CDK::Metadata": (),
    "AWS::CloudFront::Distribution": (
        Grant(
            sid="Distributions",
            actions=_of(
                "cloudfront",
                "CreateDistribution CreateDistributionWithTags DeleteDistribution GetDistribution "
                "GetDistributionConfig ListTagsForResource TagResource UntagResource UpdateDistribution",
            ),
            resources=("arn:{partition}:cloudfront::{account}:distribution/*",),
        ),
    ),
    "AWS::CloudFront::OriginAccessControl": (
        Grant(
            sid="OriginAccessControls",
            actions=_of(
                "cloudfront",
                "CreateOriginAccessControl DeleteOriginAccessControl GetOriginAccessControl "
                "UpdateOriginAccessControl",
            ),
            resources=("arn:{partition}:cloudfront::{account}:origin-access-control/*",),
        ),
    ),
    "AWS::CloudFront::ResponseHeadersPolicy": (
        Grant(
            sid="ResponseHeaders",
            actions=_of(
                "cloudfront",
                "CreateResponseHeadersPolicy DeleteResponseHeadersPolicy GetResponseHeadersPolicy "
                "UpdateResponseHeadersPolicy",
            ),
            resources=("arn:{partition}:cloudfront::{account}:response-headers-policy/*",),
        ),
    ),
    "AWS::DynamoDB::Table": (
        Grant(
            sid="Tables",
            actions=_of(
                "dynamodb",
                "CreateTable DeleteTable DescribeContinuousBackups DescribeContributorInsights "
                "DescribeKinesisStreamingDestination DescribeTable DescribeTimeToLive GetResourcePolicy "
                "ListTagsOfResource TagResource UntagResource UpdateContinuousBackups UpdateTable UpdateTimeToLive",
            ),
            resources=_named("dynamodb", f"table/{PREFIX}"),
        ),
    ),
    "AWS::Events::Rule": (
        Grant(
            sid="Rules",
            actions=_of(
                "events",
                "DeleteRule DescribeRule ListTagsForResource ListTargetsByRule PutRule PutTargets RemoveTargets "
                "TagResource UntagResource",
            ),
            resources=_named("events", f"rule/{PREFIX}"),
        ),
    ),
    "AWS::IAM::Policy": (_INLINE,),
    "AWS::IAM::Role": (ROLES, MANAGED),
    "AWS::KMS::Key": _KEYS,
    "AWS::Lambda::EventInvokeConfig": (
        Grant(
            sid="EventInvokeConfigs",
            actions=_of(
                "lambda",
                "DeleteFunctionEventInvokeConfig GetFunctionEventInvokeConfig PutFunctionEventInvokeConfig "
                "UpdateFunctionEventInvokeConfig",
            ),
            resources=_named("lambda", f"function:{PREFIX}"),
        ),
    ),
    "AWS::Lambda::EventSourceMapping": (
        Grant(
            sid="EventSources",
            actions=_of(
                "lambda",
                "CreateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping "
                "UpdateEventSourceMapping",
            ),
            resources=("*",),
            # The service knows sources by ids of its own, but also which function they invoke.
            condition={"ArnLike": {"lambda:FunctionArn": _named("lambda", f"function:{PREFIX}")[0]}},
        ),
        Grant(
            sid="TagsOfEventSources",
            actions=_of("lambda", "ListTags TagResource UntagResource"),
            resources=_named("lambda", "event-source-mapping:*"),
        ),
    ),
    "AWS::Lambda::Function": (
        Grant(
            sid="Functions",
            actions=_of(
                "lambda",
                "CreateFunction DeleteFunction DeleteFunctionConcurrency GetFunction "
                "GetFunctionCodeSigningConfig GetFunctionRecursionConfig GetFunctionScalingConfig "
                "GetRuntimeManagementConfig ListTags PutFunctionConcurrency TagResource UntagResource "
                "UpdateFunctionCode UpdateFunctionConfiguration",
            ),
            resources=_named("lambda", f"function:{PREFIX}"),
        ),
        _PASS_ROLES,
        _ASSETS,
    ),
    "AWS::Lambda::LayerVersion": (
        Grant(
            sid="Layers",
            actions=_of("lambda", "DeleteLayerVersion GetLayerVersion PublishLayerVersion"),
            # The layer of the CDK's upload, whose name is its logical id.
            resources=_named("lambda", "layer:UploadAwsCliLayer*"),
        ),
        _ASSETS,
    ),
    "AWS::Lambda::Permission": (
        Grant(
            sid="InvocationRights",
            actions=_of("lambda", "AddPermission GetPolicy RemovePermission"),
            resources=_named("lambda", f"function:{PREFIX}"),
        ),
    ),
    "AWS::Logs::LogGroup": (
        Grant(
            sid="LogGroups",
            actions=_of(
                "logs",
                "AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteRetentionPolicy DescribeIndexPolicies "
                "DisassociateKmsKey GetDataProtectionPolicy ListTagsForResource PutRetentionPolicy TagResource "
                "UntagResource",
            ),
            resources=_named("logs", f"log-group:{PREFIX}"),
        ),
        # The service lists groups without a resource.
        Grant(sid="ListLogGroups", actions=("logs:DescribeLogGroups",), resources=("*",)),
    ),
    "AWS::Route53::RecordSet": (
        Grant(
            sid="Records",
            actions=_of("route53", "ChangeResourceRecordSets GetHostedZone ListResourceRecordSets"),
            resources=("arn:{partition}:route53:::hostedzone/{zone}",),
        ),
        Grant(
            sid="ChangesOfRecords",
            actions=("route53:GetChange",),
            resources=("arn:{partition}:route53:::change/*",),
        ),
    ),
    "AWS::S3::Bucket": (
        Grant(
            sid="Buckets",
            actions=_of(
                "s3",
                "CreateBucket DeleteBucket GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAbac "
                "GetBucketAcl GetBucketCORS GetBucketLogging GetBucketMetadataTableConfiguration "
                "GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls "
                "GetBucketPublicAccessBlock GetBucketTagging GetBucketVersioning GetBucketWebsite "
                "GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration "
                "GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration "
                "ListTagsForResource PutBucketCORS PutBucketLogging PutBucketOwnershipControls "
                "PutBucketPublicAccessBlock PutBucketTagging PutEncryptionConfiguration "
                "PutLifecycleConfiguration TagResource UntagResource",
            ),
            resources=(f"arn:{{partition}}:s3:::{PREFIX}",),
        ),
    ),
    "AWS::S3::BucketPolicy": (
        Grant(
            sid="PoliciesOfBuckets",
            actions=_of("s3", "DeleteBucketPolicy GetBucketPolicy PutBucketPolicy"),
            resources=(f"arn:{{partition}}:s3:::{PREFIX}",),
        ),
    ),
    "AWS::SQS::Queue": (
        Grant(
            sid="Queues",
            actions=_of(
                "sqs",
                "CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl ListQueueTags SetQueueAttributes TagQueue "
                "UntagQueue",
            ),
            resources=_named("sqs", PREFIX),
        ),
    ),
    "AWS::SQS::QueuePolicy": (
        Grant(sid="PoliciesOfQueues", actions=("sqs:SetQueueAttributes",), resources=_named("sqs", PREFIX)),
    ),
    "AWS::SecretsManager::Secret": (
        _SECRETS,
        # The service takes no resource for it.
        Grant(sid="RandomSecrets", actions=("secretsmanager:GetRandomPassword",), resources=("*",)),
    ),
    "AWS::WAFv2::WebACL": (_FIREWALL,),
    "AWS::WAFv2::WebACLAssociation": (_ASSOCIATION,),
    "Custom::CDKBucketDeployment": (
        Grant(
            sid="UploadOfThePage",
            actions=("lambda:InvokeFunction",),
            # The function that the CDK brings along, and no function of the service.
            resources=_named("lambda", f"function:{PREFIX}-CustomCDK*"),
        ),
    ),
}
"""The rights by type. A template with a type that is not here cannot be given a policy."""
