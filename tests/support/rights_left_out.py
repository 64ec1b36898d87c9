"""What the handlers of CloudFormation's registry name, and the policy for deployments leaves out, each with its reason.

By type and by a pattern of actions, in which `*` stands for any text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEFT_OUT: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS::Budgets::Budget": {"billing:GetBillingViewData": "the budget is about the account's own bill"},
    "AWS::CodeDeploy::DeploymentGroup": {
        "codedeploy:RegisterOnPremisesInstance": "only a function is deployed",
    },
    "AWS::Lambda::Alias": {
        "lambda:*ProvisionedConcurrencyConfig": "no concurrency is provisioned",
    },
    "AWS::Lambda::Version": {
        "lambda:PutFunctionScalingConfig": "the default is kept",
        "lambda:PutProvisionedConcurrencyConfig": "no concurrency is provisioned",
        "lambda:PutRuntimeManagementConfig": "no function pins its runtime",
    },
    "AWS::SNS::Subscription": {"iam:*Role": "nothing is delivered to Firehose, which needs a role"},
    "AWS::SNS::Topic": {
        "iam:*Role": "no delivery is logged, which needs a role",
        "sns:PutDataProtectionPolicy": "no message holds personal data",
    },
    "AWS::ApiGateway::Account": {"iam:GetRole": "it is among the rights of roles"},
    "AWS::ApiGateway::Authorizer": {"iam:PassRole": "no integration has a role"},
    "AWS::ApiGateway::Method": {"iam:PassRole": "no integration has a role"},
    "AWS::ApiGateway::RestApi": {
        "iam:PassRole": "no integration has a role",
        "apigateway:UpdateRestApiPolicy": "the API has no resource policy",
        "s3:GetObject": "the API's document is not read from a bucket",
    },
    "AWS::CloudFront::Distribution": {
        "cloudfront:*ConnectionGroup": "the distribution has one tenant",
        "cloudfront:GetVpcOrigin": "no origin is in a VPC",
        "cloudfront:UpdateDistributionWithStagingConfig": "there is no staging distribution",
    },
    "AWS::DynamoDB::Table": {
        "dynamodb:*Item": "whoever deploys reads and writes no data",
        "dynamodb:Query": "whoever deploys reads no data",
        "dynamodb:Scan": "whoever deploys reads no data",
        "dynamodb:*Import*": "no table is filled from a bucket",
        "dynamodb:*TableReplica": "the tables have no replicas",
        "dynamodb:UpdateContributorInsights": "the tables do not use it",
        "dynamodb:EnableKinesis*": "no table streams",
        "dynamodb:DisableKinesis*": "no table streams",
        "dynamodb:UpdateKinesis*": "no table streams",
        "dynamodb:PutResourcePolicy": "the tables have no policy",
        "dynamodb:DeleteResourcePolicy": "the tables have no policy",
        "iam:CreateServiceLinkedRole": "it is for replicas",
        "kinesis:*": "no table streams",
        "kms:*": "they are among the rights of keys, for a stage that has one",
        "logs:*": "they are for imports",
        "s3:*": "they are for imports",
    },
    "AWS::Events::Rule": {"iam:PassRole": "a rule calls its function without a role"},
    "AWS::IAM::Policy": {
        "iam:*GroupPolicy": "policies belong to roles only",
        "iam:*UserPolicy": "policies belong to roles only",
    },
    "AWS::IAM::Role": {
        "iam:*RolePermissionsBoundary": "a boundary is set when a role is made, and never taken away"
    },
    "AWS::Lambda::EventSourceMapping": {"kms:*": "no source has a filter, so none has an encrypted one"},
    "AWS::Lambda::Function": {
        "ec2:*": "no function is in a VPC",
        "elasticfilesystem:*": "no function has a file system",
        "kms:*": "the functions' environment is encrypted with AWS's key",
        "lambda:DeleteFunctionCodeSigningConfig": "the zip is not signed",
        "lambda:GetCodeSigningConfig": "the zip is not signed",
        "lambda:PutFunctionCodeSigningConfig": "the zip is not signed",
        "lambda:GetLayerVersion": "it is among the rights of layers",
        "lambda:PassCapacityProvider": "no function has instances of its own",
        "lambda:AssociateRuntimeAlias": "no function pins its runtime",
        "lambda:PutRuntimeManagementConfig": "no function pins its runtime",
        "lambda:PublishVersion": "no function has versions",
        "lambda:PutFunctionRecursionConfig": "the default is kept",
        "lambda:PutFunctionScalingConfig": "the default is kept",
        "s3:GetObjectVersion": "the code comes from the bucket of the CDK's assets",
        "s3files:*": "no function has a file system",
    },
    "AWS::Lambda::LayerVersion": {
        "s3:GetObjectVersion": "the code comes from the bucket of the CDK's assets"
    },
    "AWS::Logs::LogGroup": {
        "firehose:*": "no log goes to Firehose",
        "logs:CreateLogDelivery": "API Gateway writes its access log with a role of the account",
        "logs:*ResourcePolic*": "no other service writes into the groups",
        "logs:DeleteDataProtectionPolicy": "no group masks data",
        "logs:PutDataProtectionPolicy": "no group masks data",
        "logs:DeleteIndexPolicy": "no group has an index",
        "logs:PutIndexPolicy": "no group has an index",
        "logs:PutBearerTokenAuthentication": "nobody writes logs with a token",
        "logs:PutLogGroupDeletionProtection": "a group is deleted with its stack",
        "s3:*": "no log goes to a bucket",
    },
    "AWS::Route53::RecordSet": {"route53:ListHostedZones": "the zone is named by its id"},
    "AWS::S3::Bucket": {
        "iam:PassRole": "no bucket is replicated",
        "s3:*Replication": "no bucket is replicated",
        "s3:PutReplicationConfiguration": "no bucket is replicated",
        "s3:CreateBucketMetadata*": "no bucket keeps tables of metadata",
        "s3:DeleteBucketMetadata*": "no bucket keeps tables of metadata",
        "s3:UpdateBucketMetadata*": "no bucket keeps tables of metadata",
        "s3tables:*": "no bucket keeps tables of metadata",
        "s3:DeleteBucketAnalyticsConfiguration": "no bucket is analysed",
        "s3:PutAnalyticsConfiguration": "no bucket is analysed",
        "s3:DeleteBucketCors": "the handler writes an empty rule",
        "s3:DeleteBucketEncryption": "every bucket is encrypted",
        "s3:DeleteBucketLifecycle": "every bucket has a life cycle",
        "s3:DeleteBucketMetricsConfiguration": "no bucket has metrics of requests",
        "s3:PutMetricsConfiguration": "no bucket has metrics of requests",
        "s3:DeleteBucketWebsite": "no bucket is a website",
        "s3:PutBucketWebsite": "no bucket is a website",
        "s3:DeleteObject": "whoever deploys reads and writes no data",
        "s3:ListBucket": "whoever deploys reads no data",
        "s3:PutAccelerateConfiguration": "no bucket is accelerated",
        "s3:PutBucketAbac": "no bucket has rights by tags",
        "s3:Put*Acl": "no bucket has an access list",
        "s3:PutBucketNotification": "no bucket tells of its objects",
        "s3:Put*ObjectLockConfiguration": "no object is locked",
        "s3:PutBucketVersioning": "no bucket has versions",
        "s3:PutIntelligentTieringConfiguration": "no bucket has tiers",
        "s3:PutInventoryConfiguration": "no bucket has an inventory",
    },
    "AWS::SecretsManager::Secret": {
        "secretsmanager:GetSecretValue": "whoever deploys reads no secret",
        "secretsmanager:*Replicat*": "the secret has no replicas",
    },
    "AWS::WAFv2::WebACL": {"payments:*": "no rule group is bought from a vendor"},
    "AWS::WAFv2::WebACLAssociation": {
        "amplify:*": "the firewall is in front of API Gateway only",
        "apprunner:*": "the firewall is in front of API Gateway only",
        "appsync:*": "the firewall is in front of API Gateway only",
        "bedrock-agentcore:*": "the firewall is in front of API Gateway only",
        "cognito-idp:*": "the firewall is in front of API Gateway only",
        "ec2:*": "the firewall is in front of API Gateway only",
        "elasticloadbalancing:*": "the firewall is in front of API Gateway only",
        "wafv2:*PermissionPolicy": "no rule group is shared",
    },
}
"""A type that is not here needs all that its handlers name."""
