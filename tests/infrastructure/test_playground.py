"""The playground in an account: who may read the page, what the browser is told, and the way to the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import assertions

from local.page_server import security_headers
from stacks import playground_site as site
from stacks.stage import StageError
from tests.support.synthesis import ROOT, STAGES, stage_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from stacks.playground_stack import PlaygroundStack
    from tests.support.synthesis import Synthesized

API = "PublishOutputRefHttpRestApi"


@pytest.fixture(scope="module")
def template(playground: PlaygroundStack) -> assertions.Template:
    """Return the template of the playground's stack."""
    return assertions.Template.from_stack(playground)


def only(template: assertions.Template, type_: str) -> dict[str, Any]:
    """Return the properties of the only resource of a type."""
    (found,) = template.find_resources(type_).values()
    properties: dict[str, Any] = found["Properties"]
    return properties


@pytest.fixture(scope="module")
def distribution(template: assertions.Template) -> dict[str, Any]:
    """Return the configuration of the distribution."""
    config: dict[str, Any] = only(template, "AWS::CloudFront::Distribution")["DistributionConfig"]
    return config


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_no_playground_unless_it_asks_for_one(stage: str) -> None:
    """A page on the web is the operator's decision."""
    assert not stage_config(stage).playground


@pytest.mark.parametrize(
    "auth",
    [
        "api_auth=iam",
        "api_auth=cognito user_pool_arn=arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_C",
    ],
)
def test_a_page_that_sends_keys_needs_keys(auth: str) -> None:
    """The refusal is one sentence."""
    with pytest.raises(StageError, match=r"^playground needs api_auth key, not (iam|cognito), because .+\.$"):
        stage_config("dev", f"playground=true {auth}")


def test_only_the_distribution_reads_the_bucket(template: assertions.Template) -> None:
    """No part of it is public, and plain http is refused."""
    bucket = only(template, "AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    statements = only(template, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    (allowed,) = [each for each in statements if each["Effect"] == "Allow"]
    assert (allowed["Principal"], allowed["Action"]) == (
        {"Service": "cloudfront.amazonaws.com"},
        "s3:GetObject",
    )
    assert "AWS:SourceArn" in allowed["Condition"]["StringEquals"]
    assert any(
        each["Effect"] == "Deny" and each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for each in statements
    )
    control = only(template, "AWS::CloudFront::OriginAccessControl")["OriginAccessControlConfig"]
    assert (control["SigningBehavior"], control["SigningProtocol"]) == ("always", "sigv4")


def test_the_api_is_behind_the_same_host_and_nothing_of_it_is_cached(distribution: dict[str, Any]) -> None:
    """All headers but Host are passed on: API Gateway knows its API by the host."""
    (behaviour,) = distribution["CacheBehaviors"]
    assert behaviour["PathPattern"] == "/v1/*"
    assert set(behaviour["AllowedMethods"]) >= {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}
    # AWS's managed policies: CachingDisabled and AllViewerExceptHostHeader.
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert behaviour["ViewerProtocolPolicy"] == "https-only"
    (origin,) = [each for each in distribution["Origins"] if each["Id"] == behaviour["TargetOriginId"]]
    assert API in json.dumps(origin["DomainName"])
    assert ".execute-api.us-east-1." in json.dumps(origin["DomainName"])
    assert "OriginPath" not in origin
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginReadTimeout"] > stage_config("dev").gateway_timeout


def test_the_page_comes_by_https_and_its_index_by_the_address_alone(distribution: dict[str, Any]) -> None:
    """Plain http is redirected."""
    assert distribution["DefaultRootObject"] == "index.html"
    assert distribution["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert distribution["DefaultCacheBehavior"]["ResponseHeadersPolicyId"]


def test_the_headers_are_those_of_this_machine(template: assertions.Template) -> None:
    """Only the origin of the images differs, and the API is the page's own origin."""
    policy = only(template, "AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    secure = policy["SecurityHeadersConfig"]
    local = security_headers(aws="IMAGES", tls=True)
    parts = secure["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Join"][1]
    words = "".join(part if isinstance(part, str) else "BUCKET" for part in parts)
    assert words.replace("https://BUCKET", "IMAGES") == local["Content-Security-Policy"]
    assert secure["ContentTypeOptions"] == {"Override": True}
    assert secure["FrameOptions"]["FrameOption"] == local["X-Frame-Options"]
    assert secure["ReferrerPolicy"]["ReferrerPolicy"] == local["Referrer-Policy"]
    assert secure["StrictTransportSecurity"]["AccessControlMaxAgeSec"] == site.TRANSPORT_SECONDS
    custom = {each["Header"]: each["Value"] for each in policy["CustomHeadersConfig"]["Items"]}
    assert custom == {name: local[name] for name in ("Cross-Origin-Opener-Policy", "Permissions-Policy")}


def test_the_whole_page_is_uploaded_and_removed_with_the_stack(template: assertions.Template) -> None:
    """The folder `web`, each file of the libraries, and the configuration; a browser asks for each anew."""
    upload = only(template, "Custom::CDKBucketDeployment")
    assert len(upload["SourceObjectKeys"]) == 1 + len(site.VENDOR) + 1
    assert upload["SystemMetadata"] == {"cache-control": "no-cache"}
    assert (upload["Prune"], upload["RetainOnDelete"]) == (True, False)
    assert site.files(ROOT).keys() >= {"index.html", *site.VENDOR}


def test_the_address_is_an_output(template: assertions.Template) -> None:
    """Whoever deploys it finds it there."""
    assert set(template.to_json()["Outputs"]) == {"PlaygroundUrl"}


def test_the_page_may_save_images_and_other_pages_still_may_not_call_the_api(
    synthesized: Callable[..., Synthesized],
) -> None:
    """Saving reads the image by its URL, which the bucket allows to all pages; the API's own CORS stays off."""
    stage = synthesized("dev", "playground=true")
    (rule,) = stage.one("AWS::S3::Bucket")["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedOrigins"] == ["*"]
    assert not [
        each
        for each in stage.resources("AWS::ApiGateway::Method")
        if each["Properties"]["HttpMethod"] == "OPTIONS"
    ]
    assert "CorsConfiguration" not in synthesized("dev").one("AWS::S3::Bucket")
