"""Fills in a template's references as CloudFormation does, with names that a deployment could have made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Template = Mapping[str, Any]
SUFFIX_LENGTH: Final = 12


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A template as it was deployed: the physical name and the attributes of each resource."""

    template: Template
    stack: str
    account: str
    region: str = "us-east-1"
    names: Mapping[str, str] = field(default_factory=dict)
    """Names, and of a secret the ARN, that something else has made, by logical id."""

    def value(self, value: Any) -> Any:
        """Return a value of the template without references.

        Raises:
            ValueError: it uses a function or an attribute that is not known here.
        """
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self.reference(argument)
            if function.startswith("Fn::"):
                return self._call(function, argument)
        return {key: self.value(each) for key, each in value.items()}

    def reference(self, logical_id: str) -> str:
        """Return what `Ref` stands for."""
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackName": self.stack,
            "AWS::StackId": f"{self._arn('cloudformation')}:stack/{self.stack}/0a1b2c3d-0000-11ee-aaaa-0123456789ab",
            "AWS::URLSuffix": "amazonaws.com",
        }
        if logical_id in pseudo:
            return pseudo[logical_id]
        parameter = self.template.get("Parameters", {}).get(logical_id)
        if parameter is not None:
            return str(parameter["Default"])
        if self.type_of(logical_id) == "AWS::SNS::Topic":
            return self.arn(logical_id)
        if self.type_of(logical_id) == "AWS::SQS::Queue":
            return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{self.name(logical_id)}"
        return self.name(logical_id)

    def type_of(self, logical_id: str) -> str:
        """Return the type of a resource."""
        return str(self.template["Resources"][logical_id]["Type"])

    def name(self, logical_id: str) -> str:
        """Return the name that CloudFormation makes, or an ARN for what has no name."""
        if logical_id in self.names:
            return self.names[logical_id]
        type_ = self.type_of(logical_id)
        suffix = hashlib.sha256(logical_id.encode()).hexdigest()[:SUFFIX_LENGTH]
        if type_ == "AWS::S3::Bucket":
            return f"{self.stack}-{logical_id}-{suffix}".lower()[:63]
        if type_ == "AWS::SecretsManager::Secret":
            # The only one whose name does not begin with the stack's.
            return f"{self._arn('secretsmanager')}:secret:{logical_id}-{suffix}-AbCdEf"
        if type_ == "AWS::KMS::Key":
            return f"0a1b2c3d-0000-4444-aaaa-{suffix}"
        if type_ == "AWS::ApiGateway::RestApi":
            return suffix[:10]
        return f"{self.stack}-{logical_id}-{suffix.upper()}"

    def arn(self, logical_id: str) -> str:
        """Return the ARN of a resource.

        Raises:
            ValueError: how an ARN of its type looks is not known here.
        """
        name, type_ = self.name(logical_id), self.type_of(logical_id)
        makers: Mapping[str, Callable[[], str]] = {
            "AWS::DynamoDB::Table": lambda: f"{self._arn('dynamodb')}:table/{name}",
            "AWS::Events::Rule": lambda: f"{self._arn('events')}:rule/{name}",
            "AWS::IAM::Role": lambda: f"arn:aws:iam::{self.account}:role/{name}",
            "AWS::KMS::Key": lambda: f"{self._arn('kms')}:key/{name}",
            "AWS::Lambda::Alias": lambda: f"{self.arn(self._function(logical_id))}:live",
            "AWS::Lambda::Function": lambda: f"{self._arn('lambda')}:function:{name}",
            # With the streams of the group.
            "AWS::Logs::LogGroup": lambda: f"{self._arn('logs')}:log-group:{name}:*",
            "AWS::S3::Bucket": lambda: f"arn:aws:s3:::{name}",
            "AWS::SNS::Topic": lambda: f"{self._arn('sns')}:{name}",
            "AWS::SQS::Queue": lambda: f"{self._arn('sqs')}:{name}",
            "AWS::WAFv2::WebACL": lambda: f"{self._arn('wafv2')}:regional/webacl/{self.stack}/0a1b2c3d",
        }
        if type_ not in makers:
            raise ValueError(f"The ARN of {type_} is not known here.")
        return makers[type_]()

    def _function(self, alias: str) -> str:
        return str(self.template["Resources"][alias]["Properties"]["FunctionName"]["Ref"])

    def _arn(self, service: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}"

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Fn::GetAtt":
                logical_id, attribute = argument
                if attribute == "Arn":
                    return self.arn(logical_id)
                if attribute == "Id":
                    return self.name(logical_id)
                raise ValueError(f"The attribute {attribute} is not known here.")
            case "Fn::Join":
                separator, parts = argument
                return separator.join(str(self.value(part)) for part in parts)
            case "Fn::Select":
                index, parts = argument
                return self.value(parts)[int(index)]
            case "Fn::Split":
                separator, text = argument
                return self.value(text).split(separator)
            case _:
                raise ValueError(f"The function {function} is not known here.")
