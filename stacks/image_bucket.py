"""The private bucket of the images."""

from __future__ import annotations

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from imagegen.settings import MAX_URL_TTL
from stacks.access_log_bucket import PREFIX, AccessLogBucket
from stacks.retention import removal_policy
from stacks.stage import StageConfig

IMAGES = "images/"
# S3 counts a signature's age in milliseconds.
MAX_SIGNATURE_AGE_MS = MAX_URL_TTL * 1000


class ImageBucket(Construct):
    """Private, encrypted and TLS-only; objects under `images/` expire, and so do the URLs that read them."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: StageConfig, key: kms.Key | None
    ) -> None:
        super().__init__(scope, construct_id)
        logs = (
            AccessLogBucket(self, "AccessLogs", config=config).bucket if config.bucket_access_logs else None
        )
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            # S3 asks KMS once for many objects, and not once for each.
            bucket_key_enabled=True if key else None,
            server_access_logs_bucket=logs,
            server_access_logs_prefix=PREFIX if logs else None,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire-images", prefix=IMAGES, expiration=Duration.days(config.image_retention_days)
                ),
                s3.LifecycleRule(
                    id="abort-unfinished-uploads", abort_incomplete_multipart_upload_after=Duration.days(1)
                ),
            ],
            # The playground reads images by their URLs, to save them under a name.
            cors=[_download_rule()] if config.cors_origins or config.playground else None,
            removal_policy=removal_policy(config),
        )
        self.bucket.add_to_resource_policy(self._deny_old_signatures())

    def origin(self, addressing_style: str) -> str:
        """Return the origin of the presigned URLs, which pages have to allow."""
        if addressing_style == "path":
            return f"https://s3.{Stack.of(self).region}.{Aws.URL_SUFFIX}"
        return f"https://{self.bucket.bucket_regional_domain_name}"

    def use_images(self) -> iam.PolicyStatement:
        """Return the right to store, read and delete images. A presigned URL reads with the right of its signer."""
        return iam.PolicyStatement(
            sid="UseImages",
            actions=["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            resources=[self.bucket.arn_for_objects(f"{IMAGES}*")],
        )

    def _deny_old_signatures(self) -> iam.PolicyStatement:
        # Without this, whoever may read the bucket could sign a URL that lives for a week.
        return iam.PolicyStatement(
            sid="DenyOldSignatures",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["s3:*"],
            resources=[self.bucket.bucket_arn, self.bucket.arn_for_objects("*")],
            conditions={"NumericGreaterThan": {"s3:signatureAge": str(MAX_SIGNATURE_AGE_MS)}},
        )


def _download_rule() -> s3.CorsRule:
    # From any origin, because a browser that followed the redirect of `/image` sends `Origin: null`. The presigned URL
    # alone gives the right to read: see docs/decisions/0057-any-page-may-read-an-image-by-its-url.md.
    return s3.CorsRule(
        id="download-from-pages",
        allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD],
        allowed_origins=["*"],
        allowed_headers=["*"],
        max_age=3600,
    )
