"""Moto's CloudFormation, which nobody here wrote, creates and deletes what it knows of each stage."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.parsers import ResponseParserError

from tests.support.synthesis import STAGES

if TYPE_CHECKING:
    from tests.support.synthesis import Synthesized

REGION: Final = "us-east-1"
STACK: Final = "imagegen"
UNKNOWN: Final = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Stage",
    "AWS::CDK::Metadata",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
}
"""What moto's CloudFormation does not know."""
LEFT_OUT: Final = f"arn:aws:secretsmanager:{REGION}:111122223333:secret:left-out"
"""Stands for each of them where another resource names it; moto reads the ARNs in policies."""


def is_known(resource: Mapping[str, Any]) -> bool:
    """Say whether moto can create a resource: not a method that the gateway answers by itself, such as a preflight."""
    return resource["Type"] not in UNKNOWN and (
        resource.get("Properties", {}).get("Integration", {}).get("Type") != "MOCK"
    )


def without_unknown(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template without the resources that moto does not know, and without the outputs, which name some."""
    left_out = {id_ for id_, each in template["Resources"].items() if not is_known(each)}

    def known(value: Any) -> Any:
        if isinstance(value, list):
            return [known(each) for each in value]
        if not isinstance(value, dict):
            return value
        named = value.get("Ref") or value.get("Fn::GetAtt", [None])[0]
        return LEFT_OUT if named in left_out else {key: known(each) for key, each in value.items()}

    resources = {id_: known(each) for id_, each in template["Resources"].items() if id_ not in left_out}
    for each in resources.values():
        depends = each.pop("DependsOn", [])
        each["DependsOn"] = [
            id_ for id_ in ([depends] if isinstance(depends, str) else depends) if id_ in resources
        ]
    return {**template, "Resources": resources, "Outputs": {}, "Rules": {}}


@dataclass(frozen=True, kw_only=True)
class Created:
    """A stage as moto has created it; `resources` are names by logical id."""

    stage: Synthesized
    resources: Mapping[str, str]

    def name(self, type_: str, *, named: str) -> str:
        """Return the name of a resource."""
        return self.resources[self.stage.logical_id(type_, named=named)]


def client(service: str) -> Any:
    """Return a client of moto's account."""
    return boto3.client(service, region_name=REGION)


@pytest.fixture(scope="module", params=STAGES)
def created(request: pytest.FixtureRequest, synthesized: Callable[[str], Synthesized]) -> Iterator[Created]:
    """Create each stage in turn."""
    # Here, because it takes a second in every process that collects this module.
    from moto import mock_aws  # noqa: PLC0415

    stage = synthesized(request.param)
    template = without_unknown(stage.template)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
        upload_code(stage)
        cloudformation = client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        listed = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        summaries = [each for page in listed for each in page["StackResourceSummaries"]]
        yield Created(
            stage=stage,
            resources={each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries},
        )


def upload_code(stage: Synthesized) -> None:
    """Store a zip under the name of the functions' code."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("placeholder.py", "")
    codes = {json.dumps(each["Properties"]["Code"]) for each in stage.resources("AWS::Lambda::Function")}
    s3 = client("s3")
    for code in map(json.loads, codes):
        s3.create_bucket(Bucket=code["S3Bucket"])
        s3.put_object(Bucket=code["S3Bucket"], Key=code["S3Key"], Body=archive.getvalue())


def test_everything_that_moto_knows_is_created(created: Created) -> None:
    """And what it does not know is what is listed here."""
    known = without_unknown(created.stage.template)["Resources"]
    assert created.resources.keys() == known.keys()


def test_the_functions_have_their_settings_and_their_queues(created: Created) -> None:
    """Memory, time-out and environment arrive, and each queue's function is the one that the template names."""
    functions = client("lambda")
    for id_, each in created.stage.template["Resources"].items():
        if each["Type"] == "AWS::Lambda::Function":
            found = functions.get_function_configuration(FunctionName=created.resources[id_])
            wanted = each["Properties"]
            assert (found["MemorySize"], found["Timeout"]) == (wanted["MemorySize"], wanted["Timeout"])
            assert found["Environment"]["Variables"].keys() == wanted["Environment"]["Variables"].keys()
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == len(created.stage.resources("AWS::Lambda::EventSourceMapping"))


def test_each_queue_hands_its_dead_letters_to_a_queue_that_exists(created: Created) -> None:
    """A queue of dead letters has none of its own."""
    sqs = client("sqs")
    attributes = {
        url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for url in sqs.list_queues()["QueueUrls"]
    }
    arns = {each["QueueArn"]: url for url, each in attributes.items()}
    assert len(attributes) == len(created.stage.resources("AWS::SQS::Queue"))
    targets = [json.loads(each["RedrivePolicy"]) for each in attributes.values() if "RedrivePolicy" in each]
    assert targets
    assert all("RedrivePolicy" not in attributes[arns[each["deadLetterTargetArn"]]] for each in targets)


def test_the_gateway_has_every_method(created: Created) -> None:
    """Those of the open routes stand beside the one that passes everything else on."""
    gateway = client("apigateway")
    (api,) = gateway.get_rest_apis()["items"]
    found = [
        method
        for each in gateway.get_resources(restApiId=api["id"], limit=500)["items"]
        for method in each.get("resourceMethods", {})
    ]
    methods = created.stage.resources("AWS::ApiGateway::Method")
    wanted = [each["Properties"]["HttpMethod"] for each in methods if is_known(each)]
    assert sorted(found) == sorted(wanted)


def test_the_table_has_its_keys_and_its_indexes(created: Created) -> None:
    """Moto's table is as the template describes it."""
    wanted = created.stage.one("AWS::DynamoDB::Table", named="Generations")
    table = client("dynamodb").describe_table(
        TableName=created.name("AWS::DynamoDB::Table", named="Generations")
    )["Table"]
    assert table["KeySchema"] == wanted["KeySchema"]
    assert {each["IndexName"]: each["KeySchema"] for each in table["GlobalSecondaryIndexes"]} == {
        each["IndexName"]: each["KeySchema"] for each in wanted["GlobalSecondaryIndexes"]
    }


def test_the_stack_can_be_deleted_unless_its_tables_are_protected(created: Created) -> None:
    """Moto passes over the policy that keeps a table, so the table's own protection is what refuses."""
    if created.stage.config.retain_data:
        # Moto writes this refusal in a format that the client of CloudFormation cannot read.
        with pytest.raises(ResponseParserError, match="DeletionProtectionEnabled is set to True"):
            client("cloudformation").delete_stack(StackName=STACK)
        return
    client("cloudformation").delete_stack(StackName=STACK)
    assert client("dynamodb").list_tables()["TableNames"] == []
    assert client("lambda").list_functions()["Functions"] == []
    assert client("sqs").list_queues().get("QueueUrls", []) == []
