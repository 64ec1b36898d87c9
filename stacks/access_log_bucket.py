"""The bucket that holds the access logs of the images' bucket, for a stage with `bucket_access_logs`."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.retention import removal_policy
from stacks.stage import StageConfig

PREFIX = "images-bucket/"


class AccessLogBucket(Construct):
    """Private, encrypted and TLS-only; it keeps what S3 writes into it as long as the stage keeps logs.

    S3 can write access logs only into a bucket that is encrypted with its own keys: Amazon S3 user guide, "Enabling
    Amazon S3 server access logging".
    """

    def __init__(self, scope: Construct, construct_id: str, *, config: StageConfig) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(id="expire-logs", expiration=Duration.days(config.log_retention_days)),
                s3.LifecycleRule(
                    id="abort-unfinished-uploads", abort_incomplete_multipart_upload_after=Duration.days(1)
                ),
            ],
            removal_policy=removal_policy(config),
        )
