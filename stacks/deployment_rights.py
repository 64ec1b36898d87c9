"""What CloudFormation may do to deploy this project: the rights for each type of resource.

A type's rights follow from the permissions that its handlers name in the CloudFormation registry. What a handler names
and this project never needs is left out; a test compares each row with the registry. Resources are limited to this
project's names wherever the service knows them by name: Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stacks.grants import PREFIX, Grant, actions_of, named
from stacks.watching_rights import WATCHING_RIGHTS

_PASS_ROLES: Final = Grant(
    sid="PassRoles",
    actions=("iam:PassRole",),
    resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",),
    condition={"StringEquals": {"iam:PassedToService": ("apigateway.amazonaws.com", "lambda.amazonaws.com")}},
)
_GATEWAY: Final = Grant(
    sid="Gateway",
    actions=actions_of("apigateway", "DELETE GET PATCH POST PUT"),
    # The service knows APIs and domains by ids of its own.
    resources=tuple(
        f"arn:{{partition}}:apigateway:{{region}}::/{path}"
        for path in ("account", "restapis", "restapis/*", "tags/*")
    ),
)
_DOMAINS: Final = Grant(
    sid="GatewayDomains",
    actions=actions_of("apigateway", "DELETE GET PATCH POST PUT"),
    resources=tuple(
        f"arn:{{partition}}:apigateway:{{region}}::/{path}" for path in ("domainnames", "domainnames/*")
    ),
)
_ASSETS: Final = Grant(
    sid="ReadAssets",
    actions=("s3:GetObject",),
    resources=("arn:{partition}:s3:::cdk-*-assets-{account}-{region}/*",),
)
_OF_ROLES: Final = actions_of(
    "iam",
    "CreateRole DeleteRole DeleteRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies ListRolePolicies "
    "PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription",
)
ROLES: Final = Grant(
    sid="Roles", actions=_OF_ROLES, resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",)
)
"""A stage with a permissions boundary may make and change roles with that boundary only."""
WITH_BOUNDARY: Final = actions_of(
    "iam", "AttachRolePolicy CreateRole DeleteRolePolicy DetachRolePolicy PutRolePolicy"
)
"""The actions for which IAM knows the boundary of the role."""
MANAGED: Final = Grant(
    sid="ManagedPoliciesOfRoles",
    actions=actions_of("iam", "AttachRolePolicy DetachRolePolicy"),
    resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",),
)
"""Only the managed policies of the templates may be attached."""
_INLINE: Final = Grant(
    sid="InlinePoliciesOfRoles",
    actions=actions_of("iam", "DeleteRolePolicy GetRolePolicy PutRolePolicy"),
    resources=(f"arn:{{partition}}:iam::{{account}}:role/{PREFIX}",),
)
_SECRETS: Final = Grant(
    sid="Secrets",
    actions=actions_of(
        "secretsmanager", "CreateSecret DeleteSecret DescribeSecret TagResource UntagResource UpdateSecret"
    ),
    # A secret's name begins with its logical id, and not with the name of the stack.
    resources=named("secretsmanager", f"secret:{PREFIX}", "secret:WebhooksSecret*"),
)
_KEYS: Final = (
    Grant(sid="CreateKeys", actions=("kms:CreateKey",), resources=("*",)),
    Grant(
        sid="Keys",
        actions=actions_of(
            "kms",
            "DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation GetKeyPolicy "
            "GetKeyRotationStatus ListResourceTags PutKeyPolicy ScheduleKeyDeletion TagResource UntagResource "
            "UpdateKeyDescription",
        ),
        # The service knows keys by ids of its own.
        resources=named("kms", "key/*"),
    ),
    Grant(
        sid="UseKeysForTablesAndSecrets",
        actions=actions_of(
            "kms",
            "CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom "
            "ReEncryptTo",
        ),
        resources=named("kms", "key/*"),
        condition={"StringLike": {"kms:ViaService": ("dynamodb.{region}.*", "secretsmanager.{region}.*")}},
    ),
)
_FIREWALL: Final = Grant(
    sid="Firewall",
    actions=actions_of(
        "wafv2",
        "CreateWebACL DeleteWebACL GetWebACL ListTagsForResource TagResource UntagResource UpdateWebACL",
    ),
    resources=named("wafv2", f"regional/webacl/{PREFIX}/*", "regional/managedruleset/*/*"),
)
_ASSOCIATION: Final = Grant(
    sid="FirewallOfTheGateway",
    actions=(
        "apigateway:SetWebACL",
        *actions_of("wafv2", "AssociateWebACL DisassociateWebACL GetWebACL GetWebACLForResource"),
    ),
    resources=(
        *named("wafv2", f"regional/webacl/{PREFIX}/*"),
        "arn:{partition}:apigateway:{region}::/restapis/*/stages/*",
    ),
)

BASE: Final = (
    Grant(
        sid="BootstrapVersion",
        actions=("ssm:GetParameters",),
        resources=named("ssm", "parameter/cdk-bootstrap/*"),
    ),
)
"""What every template needs, whatever it has: its parameter names the version of the bootstrap."""

OUTPUTS_OF_STACKS: Final = Grant(
    sid="OutputsOfStacks",
    actions=("cloudformation:DescribeStacks",),
    resources=named("cloudformation", f"stack/{PREFIX}/*"),
)
"""What a template needs that names the output of another stack."""

_SERVICE_RIGHTS: Final[Mapping[str, tuple[Grant, ...]]] = {
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
            actions=actions_of(
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
            actions=actions_of(
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
            actions=actions_of(
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
            actions=actions_of(
                "dynamodb",
                "CreateTable DeleteTable DescribeContinuousBackups DescribeContributorInsights "
                "DescribeKinesisStreamingDestination DescribeTable DescribeTimeToLive GetResourcePolicy "
                "ListTagsOfResource TagResource UntagResource UpdateContinuousBackups UpdateTable UpdateTimeToLive",
            ),
            resources=named("dynamodb", f"table/{PREFIX}"),
        ),
    ),
    "AWS::Events::Rule": (
        Grant(
            sid="Rules",
            actions=actions_of(
                "events",
                "DeleteRule DescribeRule ListTagsForResource ListTargetsByRule PutRule PutTargets RemoveTargets "
                "TagResource UntagResource",
            ),
            resources=named("events", f"rule/{PREFIX}"),
        ),
    ),
    "AWS::IAM::Policy": (_INLINE,),
    "AWS::IAM::Role": (ROLES, MANAGED),
    "AWS::KMS::Key": _KEYS,
    "AWS::Lambda::EventInvokeConfig": (
        Grant(
            sid="EventInvokeConfigs",
            actions=actions_of(
                "lambda",
                "DeleteFunctionEventInvokeConfig GetFunctionEventInvokeConfig PutFunctionEventInvokeConfig "
                "UpdateFunctionEventInvokeConfig",
            ),
            resources=named("lambda", f"function:{PREFIX}"),
        ),
    ),
    "AWS::Lambda::EventSourceMapping": (
        Grant(
            sid="EventSources",
            actions=actions_of(
                "lambda",
                "CreateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping "
                "UpdateEventSourceMapping",
            ),
            resources=("*",),
            # The service knows sources by ids of its own, but also which function they invoke.
            condition={"ArnLike": {"lambda:FunctionArn": named("lambda", f"function:{PREFIX}")[0]}},
        ),
        Grant(
            sid="TagsOfEventSources",
            actions=actions_of("lambda", "ListTags TagResource UntagResource"),
            resources=named("lambda", "event-source-mapping:*"),
        ),
    ),
    "AWS::Lambda::Function": (
        Grant(
            sid="Functions",
            actions=actions_of(
                "lambda",
                "CreateFunction DeleteFunction DeleteFunctionConcurrency GetFunction "
                "GetFunctionCodeSigningConfig GetFunctionRecursionConfig GetFunctionScalingConfig "
                "GetRuntimeManagementConfig ListTags PutFunctionConcurrency TagResource UntagResource "
                "UpdateFunctionCode UpdateFunctionConfiguration",
            ),
            resources=named("lambda", f"function:{PREFIX}"),
        ),
        _PASS_ROLES,
        _ASSETS,
    ),
    "AWS::Lambda::LayerVersion": (
        Grant(
            sid="Layers",
            actions=actions_of("lambda", "DeleteLayerVersion GetLayerVersion PublishLayerVersion"),
            # The layer of the CDK's upload, whose name is its logical id.
            resources=named("lambda", "layer:UploadAwsCliLayer*"),
        ),
        _ASSETS,
    ),
    "AWS::Lambda::Permission": (
        Grant(
            sid="InvocationRights",
            actions=actions_of("lambda", "AddPermission GetPolicy RemovePermission"),
            resources=named("lambda", f"function:{PREFIX}"),
        ),
    ),
    "AWS::Logs::LogGroup": (
        Grant(
            sid="LogGroups",
            actions=actions_of(
                "logs",
                "AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteRetentionPolicy DescribeIndexPolicies "
                "DisassociateKmsKey GetDataProtectionPolicy ListTagsForResource PutRetentionPolicy TagResource "
                "UntagResource",
            ),
            resources=named("logs", f"log-group:{PREFIX}"),
        ),
        # The service lists groups without a resource.
        Grant(sid="ListLogGroups", actions=("logs:DescribeLogGroups",), resources=("*",)),
    ),
    "AWS::Route53::RecordSet": (
        Grant(
            sid="Records",
            actions=actions_of("route53", "ChangeResourceRecordSets GetHostedZone ListResourceRecordSets"),
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
            actions=actions_of(
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
            actions=actions_of("s3", "DeleteBucketPolicy GetBucketPolicy PutBucketPolicy"),
            resources=(f"arn:{{partition}}:s3:::{PREFIX}",),
        ),
    ),
    "AWS::SQS::Queue": (
        Grant(
            sid="Queues",
            actions=actions_of(
                "sqs",
                "CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl ListQueueTags SetQueueAttributes TagQueue "
                "UntagQueue",
            ),
            resources=named("sqs", PREFIX),
        ),
    ),
    "AWS::SQS::QueuePolicy": (
        Grant(sid="PoliciesOfQueues", actions=("sqs:SetQueueAttributes",), resources=named("sqs", PREFIX)),
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
            resources=named("lambda", f"function:{PREFIX}-CustomCDK*"),
        ),
    ),
}
RIGHTS: Final[Mapping[str, tuple[Grant, ...]]] = {**_SERVICE_RIGHTS, **WATCHING_RIGHTS}
"""The rights by type. A template with a type that is not here cannot be given a policy."""
