"""The settings that harden a stage add what they say, for all that the stage has, and nothing without them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import assertions

from imagegen.http import surface
from stacks.encryption_key import PENDING_DAYS
from stacks.firewall import ONLY_COUNTED
from stacks.stage import StageError
from tests.support.hardened import BOUNDARY, CERTIFICATE, DOMAIN, HARDENED, KMS, NAMED, WAF
from tests.support.synthesis import (
    as_list,
    build,
    build_monitoring,
    build_playground,
    stage_config,
    synthesize,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.synthesis import Resource, Synthesized

BUCKETS = "AWS::S3::Bucket"


@pytest.fixture
def hardened(synthesized: Callable[..., Synthesized]) -> Synthesized:
    """Return the template of `dev` with every setting of this module on."""
    return synthesized("dev", HARDENED)


def key_of(stage: Synthesized) -> dict[str, Any]:
    """Return the reference to the stage's key."""
    return {"Fn::GetAtt": [stage.logical_id("AWS::KMS::Key"), "Arn"]}


def images(stage: Synthesized) -> Resource:
    """Return the bucket of the images."""
    return stage.one(BUCKETS, named="ImagesBucket")


def rights(stage: Synthesized, function: str, action: str) -> list[Resource]:
    """Return the statements of a function's role that name an action."""
    return [each for each in stage.statements(function) if action in as_list(each["Action"])]


def services(statement: Resource) -> set[str]:
    """Return the services through which a statement allows the key."""
    ((operator, condition),) = statement["Condition"].items()
    ((key, names),) = condition.items()
    assert (operator, key) == ("StringEquals", "kms:ViaService")
    return {str(each["Fn::Join"][1][0]).partition(".")[0] for each in as_list(names)}


@pytest.mark.parametrize(
    "type_",
    [
        "AWS::KMS::Key",
        "AWS::WAFv2::WebACL",
        "AWS::WAFv2::WebACLAssociation",
        "AWS::ApiGateway::DomainName",
        "AWS::ApiGateway::BasePathMapping",
        "AWS::Route53::RecordSet",
    ],
)
def test_a_stage_without_the_settings_has_none_of_their_resources(
    any_stage: Synthesized, hardened: Synthesized, type_: str
) -> None:
    """Each of them costs money, or names something that only the operator has."""
    assert any_stage.resources(type_) == []
    assert len(hardened.resources(type_)) == 1


def test_one_key_of_the_stage_encrypts_all_that_it_keeps(hardened: Synthesized) -> None:
    """Images, records, API keys, messages, logs and the secret: nothing is left out."""
    key = key_of(hardened)
    (rule,) = images(hardened)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"},
    }
    tables = hardened.resources("AWS::DynamoDB::Table")
    assert [each["Properties"]["SSESpecification"] for each in tables] == [
        {"KMSMasterKeyId": key, "SSEEnabled": True, "SSEType": "KMS"}
    ] * 2
    for type_, count, name in (
        ("AWS::SQS::Queue", 4, "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", 4, "KmsKeyId"),
        ("AWS::SecretsManager::Secret", 1, "KmsKeyId"),
    ):
        assert [each["Properties"][name] for each in hardened.resources(type_)] == [key] * count


def test_the_key_rotates_and_can_be_brought_back(hardened: Synthesized) -> None:
    """A key that is deleted by mistake can be brought back for as long as KMS allows."""
    key = hardened.one("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    assert key["PendingWindowInDays"] == PENDING_DAYS == 30


def test_the_key_is_kept_with_the_data(code: Path, hardened: Synthesized) -> None:
    """Kept data without its key could not be read."""
    (kept,) = synthesize("prod", code=code, overrides=KMS).resources("AWS::KMS::Key")
    (dropped,) = hardened.resources("AWS::KMS::Key")
    assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert dropped["DeletionPolicy"] == "Delete"


def test_the_key_lets_in_the_account_and_the_stages_own_logs(hardened: Synthesized) -> None:
    """The account's policies decide about everybody else. The logs of other stages cannot use it."""
    account, logs = hardened.one("AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert account["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert logs["Principal"]["Service"]["Fn::Join"][1][0] == "logs.us-east-1."
    assert logs["Condition"] == {
        "ArnLike": {
            "kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:us-east-1:111122223333:log-group:imagegen-dev-*"
        }
    }


@pytest.mark.parametrize(
    ("function", "decrypts", "encrypts"),
    [
        ("Api", {"dynamodb", "s3", "sqs"}, {"s3", "sqs"}),
        ("Worker", {"dynamodb", "s3", "secretsmanager", "sqs"}, {"s3", "sqs"}),
        ("HttpAuthorizer", {"dynamodb"}, set()),
    ],
)
def test_the_functions_use_the_key_only_through_the_services_that_they_call(
    hardened: Synthesized, function: str, decrypts: set[str], encrypts: set[str]
) -> None:
    """No function can decrypt anything by itself, and the authorizer can encrypt nothing."""
    every = [*rights(hardened, function, "kms:Decrypt"), *rights(hardened, function, "kms:GenerateDataKey")]
    assert [services(each) for each in every] == [each for each in (decrypts, encrypts) if each]
    assert {json.dumps(each["Resource"]) for each in every} == {json.dumps(key_of(hardened))}
    assert {action for action in hardened.actions(function) if action.startswith("kms:")} == {
        "kms:Decrypt",
        *(["kms:GenerateDataKey"] if encrypts else []),
    }


def test_without_a_secret_the_worker_decrypts_none(code: Path) -> None:
    """Without call-backs there is no secret to read."""
    stage = synthesize("dev", code=code, overrides=f"{KMS} webhooks=false")
    (statement,) = rights(stage, "Worker", "kms:Decrypt")
    assert services(statement) == {"dynamodb", "s3", "sqs"}


def test_downloads_are_logged_into_a_bucket_of_their_own(hardened: Synthesized) -> None:
    """Only S3's logging of this bucket may write there, and the logs expire with the others."""
    logs = hardened.one(BUCKETS, named="AccessLogs")
    name = hardened.logical_id(BUCKETS, named="AccessLogs")
    assert images(hardened)["LoggingConfiguration"] == {
        "DestinationBucketName": {"Ref": name},
        "LogFilePrefix": "images-bucket/",
    }
    assert set(logs["PublicAccessBlockConfiguration"].values()) == {True}
    # S3 cannot write access logs into a bucket with a key of ours.
    assert "AES256" in json.dumps(logs["BucketEncryption"])
    assert (
        logs["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == hardened.config.log_retention_days
    )
    statements = hardened.one("AWS::S3::BucketPolicy", named="AccessLogs")["PolicyDocument"]["Statement"]
    denied, written = statements
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (written["Action"], written["Principal"]) == (
        "s3:PutObject",
        {"Service": "logging.s3.amazonaws.com"},
    )
    assert written["Condition"]["ArnLike"]["aws:SourceArn"] == {
        "Fn::GetAtt": [hardened.logical_id(BUCKETS, named="ImagesBucket"), "Arn"]
    }


def rules(stage: Synthesized) -> list[Resource]:
    """Return the firewall's rules in their order."""
    found: list[Resource] = stage.one("AWS::WAFv2::WebACL")["Rules"]
    return sorted(found, key=lambda rule: int(rule["Priority"]))


def test_the_firewall_is_in_front_of_the_apis_stage(hardened: Synthesized) -> None:
    """A request that no rule blocks passes."""
    association = hardened.one("AWS::WAFv2::WebACLAssociation")
    assert association["WebACLArn"] == {"Fn::GetAtt": [hardened.logical_id("AWS::WAFv2::WebACL"), "Arn"]}
    assert {"Ref": hardened.logical_id("AWS::ApiGateway::Stage")} in association["ResourceArn"]["Fn::Join"][1]
    assert hardened.one("AWS::WAFv2::WebACL")["DefaultAction"] == {"Allow": {}}
    assert hardened.one("AWS::WAFv2::WebACL")["Scope"] == "REGIONAL"


def test_the_firewall_limits_each_address_first(synthesized: Callable[..., Synthesized]) -> None:
    """The setting says how many requests of one address pass in five minutes."""
    limit, _ = rules(synthesized("dev", f"{WAF} waf_requests=1234"))
    assert limit["Statement"] == {
        "RateBasedStatement": {"AggregateKeyType": "IP", "EvaluationWindowSec": 300, "Limit": 1234}
    }
    assert limit["Action"] == {"Block": {}}


def test_the_firewall_blocks_no_prompt(hardened: Synthesized) -> None:
    """A prompt may have any words and the body 256 KB: each rule of the group that reads a body only counts."""
    _, core = rules(hardened)
    group = core["Statement"]["ManagedRuleGroupStatement"]
    assert (group["VendorName"], group["Name"]) == ("AWS", "AWSManagedRulesCommonRuleSet")
    assert core["OverrideAction"] == {"None": {}}
    assert group["RuleActionOverrides"] == [
        {"Name": name, "ActionToUse": {"Count": {}}} for name in ONLY_COUNTED
    ]
    # The group's rules for bodies, as the AWS WAF developer guide lists them.
    assert {name for name in ONLY_COUNTED if name.endswith("_BODY")} == {
        "CrossSiteScripting_BODY",
        "EC2MetaDataSSRF_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "SizeRestrictions_BODY",
    }


def test_the_firewall_keeps_no_request(hardened: Synthesized) -> None:
    """A sample would show the API key in its headers."""
    acl = hardened.one("AWS::WAFv2::WebACL")
    kept = [acl["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in acl["Rules"])]
    assert [each["SampledRequestsEnabled"] for each in kept] == [False] * 3


def test_the_domain_has_the_paths_of_the_contract(hardened: Synthesized) -> None:
    """The base path of the domain is the stage's name, so that `/v1` is in front of each path on either host."""
    domain = hardened.one("AWS::ApiGateway::DomainName")
    assert domain == {
        "DomainName": DOMAIN,
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "RegionalCertificateArn": CERTIFICATE,
        "SecurityPolicy": "TLS_1_2",
    }
    mapping = hardened.one("AWS::ApiGateway::BasePathMapping")
    assert f"/{mapping['BasePath']}" == surface.BASE_PATH
    assert mapping["Stage"] == {"Ref": hardened.logical_id("AWS::ApiGateway::Stage")}
    assert hardened.outputs["ApiUrl"]["Value"] == f"https://{DOMAIN}{surface.BASE_PATH}"


def test_with_a_domain_the_api_has_no_other_host(hardened: Synthesized, dev: Synthesized) -> None:
    """Otherwise callers could pass the domain by."""
    api = "AWS::ApiGateway::RestApi"
    assert hardened.one(api)["DisableExecuteApiEndpoint"] is True
    assert "DisableExecuteApiEndpoint" not in dev.one(api)


def test_the_domain_is_named_in_its_zone_or_its_target_is_an_output(
    hardened: Synthesized, synthesized: Callable[..., Synthesized]
) -> None:
    """Without a hosted zone of Route 53 the operator makes the record, for which the target is needed."""
    record = hardened.one("AWS::Route53::RecordSet")
    domain = hardened.logical_id("AWS::ApiGateway::DomainName")
    assert (record["HostedZoneId"], record["Name"], record["Type"]) == ("Z0123456789ABC", DOMAIN, "A")
    assert record["AliasTarget"]["DNSName"] == {"Fn::GetAtt": [domain, "RegionalDomainName"]}
    assert "DomainTarget" not in hardened.outputs
    alone = synthesized("dev", NAMED)
    assert alone.resources("AWS::Route53::RecordSet") == []
    assert alone.outputs["DomainTarget"]["Value"] == {
        "Fn::GetAtt": [alone.logical_id("AWS::ApiGateway::DomainName"), "RegionalDomainName"]
    }


def test_a_certificate_of_another_region_is_refused(code: Path) -> None:
    """API Gateway would refuse it in the middle of a deployment."""
    elsewhere = NAMED.replace(":us-east-1:", ":eu-west-1:")
    with pytest.raises(
        StageError, match=r"certificate_arn names a certificate in eu-west-1, .* in us-east-1"
    ):
        build("dev", code=code, overrides=elsewhere)


def test_every_role_has_the_boundary(hardened: Synthesized, dev: Synthesized) -> None:
    """The role by which API Gateway writes logs has it as well."""
    roles = hardened.resources("AWS::IAM::Role")
    assert [role["Properties"]["PermissionsBoundary"] for role in roles] == [BOUNDARY] * 4
    assert all("PermissionsBoundary" not in role["Properties"] for role in dev.resources("AWS::IAM::Role"))


@pytest.fixture(scope="module")
def page(code: Path) -> assertions.Template:
    """Return the template of the playground of a stage with a domain and a boundary."""
    overrides = f"{NAMED} permissions_boundary={BOUNDARY}"
    return assertions.Template.from_stack(build_playground("dev", code=code, overrides=overrides))


def test_the_playground_calls_the_api_at_its_domain(page: assertions.Template) -> None:
    """The API's other host is switched off."""
    (distribution,) = page.find_resources("AWS::CloudFront::Distribution").values()
    origins = distribution["Properties"]["DistributionConfig"]["Origins"]
    assert DOMAIN in [origin["DomainName"] for origin in origins]


def test_every_role_of_the_playground_has_the_boundary(page: assertions.Template) -> None:
    """CDK makes a function there that uploads the page."""
    roles = page.find_resources("AWS::IAM::Role")
    assert roles
    assert {role["Properties"]["PermissionsBoundary"] for role in roles.values()} == {BOUNDARY}


def test_the_monitoring_has_the_boundary_and_the_key_as_well(code: Path) -> None:
    """Its function writes a log of its own."""
    from aws_cdk import assertions  # noqa: PLC0415 - as above

    stack = build_monitoring("dev", code=code, overrides=f"encryption=kms permissions_boundary={BOUNDARY}")
    template = assertions.Template.from_stack(stack)
    roles = template.find_resources("AWS::IAM::Role")
    assert {role["Properties"].get("PermissionsBoundary") for role in roles.values()} == {BOUNDARY}
    groups = template.find_resources("AWS::Logs::LogGroup")
    assert groups
    assert all("KmsKeyId" in group["Properties"] for group in groups.values())


@pytest.mark.parametrize(
    ("stage", "overrides", "sentence"),
    [
        ("dev", f"domain_name={DOMAIN}", "domain_name and certificate_arn must both be set or both be null"),
        ("dev", f"certificate_arn={CERTIFICATE}", "domain_name and certificate_arn must both be set"),
        ("dev", "hosted_zone_id=Z0123456789ABC", "hosted_zone_id must be null if domain_name is null"),
        ("local", WAF, "waf cannot be set in the stage 'local'"),
        ("local", NAMED, "domain_name cannot be set in the stage 'local'"),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(stage: str, overrides: str, sentence: str) -> None:
    """It names the setting, and says what is missing."""
    with pytest.raises(StageError, match=sentence):
        stage_config(stage, overrides)
