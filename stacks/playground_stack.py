"""The playground in an account: a private bucket with the page, and a distribution that serves page and API.

See docs/decisions/0071-the-playground-and-the-api-are-one-origin.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment

from imagegen.http import surface
from stacks import playground_site as site
from stacks.log_group import LogGroup
from stacks.permissions_boundary import limit_roles
from stacks.stage import StageConfig, playground_stack_name

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.imagegen_stack import ImagegenStack

LONGEST_REPLY: Final = 60
"""Seconds that CloudFront waits for the API; more needs a raised quota: its developer guide, "Response timeout"."""


class PlaygroundStack(Stack):
    """The page of one stage; `service` is the stack that it calls, `root` the checkout with the page's files."""

    def __init__(
        self, scope: Construct, *, config: StageConfig, service: ImagegenStack, env: Environment, root: Path
    ) -> None:
        super().__init__(
            scope,
            playground_stack_name(config.name),
            env=env,
            description="imagegen: the playground, a web page for people.",
        )
        limit_roles(self, config=config)
        bucket = s3.Bucket(
            self,
            "Page",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            # It holds nothing but copies of the checkout's files, and the upload below removes them.
            removal_policy=RemovalPolicy.DESTROY,
        )
        distribution = self._distribution(bucket, config=config, service=service)
        self._upload(bucket, config=config, root=root)
        CfnOutput(self, "PlaygroundUrl", value=f"https://{distribution.distribution_domain_name}")

    def _distribution(
        self, bucket: s3.Bucket, *, config: StageConfig, service: ImagegenStack
    ) -> cloudfront.Distribution:
        headers = self._headers(images=service.images_origin)
        api = origins.HttpOrigin(
            service.api_host,
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
            read_timeout=Duration.seconds(min(config.gateway_timeout + 1, LONGEST_REPLY)),
        )
        return cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"The playground of imagegen, stage {config.name}.",
            default_root_object=site.INDEX,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                # What the bucket says about caching holds: a browser asks again each time.
                cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=headers,
            ),
            additional_behaviors={
                f"{surface.BASE_PATH}/*": cloudfront.BehaviorOptions(
                    origin=api,
                    # Not redirected: a client would have sent its key in the clear before.
                    viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                    allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                    cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                    # API Gateway knows its API by the host, which is not the viewer's.
                    origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                )
            },
        )

    def _headers(self, *, images: str) -> cloudfront.ResponseHeadersPolicy:
        def custom(name: str, value: str) -> cloudfront.ResponseCustomHeader:
            return cloudfront.ResponseCustomHeader(header=name, value=value, override=True)

        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            comment="The security headers of the playground.",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=site.content_security_policy(sources=(images,)), override=True
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.seconds(site.TRANSPORT_SECONDS), override=True
                ),
            ),
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    custom("Cross-Origin-Opener-Policy", site.OPENER),
                    custom("Permissions-Policy", site.PERMISSIONS),
                ]
            ),
        )

    def _upload(self, bucket: s3.Bucket, *, config: StageConfig, root: Path) -> None:
        """Copy the files into the bucket; CDK's construct does it by a function of its own during a deployment."""
        vendor = {
            name: path for name, path in site.files(root).items() if not path.is_relative_to(root / site.WEB)
        }
        deployment.BucketDeployment(
            self,
            "Upload",
            destination_bucket=bucket,
            sources=[
                deployment.Source.asset(str(root / site.WEB)),
                *(
                    deployment.Source.data(name, path.read_text(encoding="utf-8"))
                    for name, path in vendor.items()
                ),
                deployment.Source.json_data(
                    site.CONFIG, site.config(api_url=surface.BASE_PATH, stage=config.name)
                ),
            ],
            cache_control=[deployment.CacheControl.from_string(site.CACHE_CONTROL)],
            retain_on_delete=False,
            log_group=LogGroup(self, "UploadLogs", config=config),
        )
