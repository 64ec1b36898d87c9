"""An account on an emulator of its own, with a model to call: a stage is deployed into it as into one of AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3

from local import gateway, processes, stand_in
from local.emulator import CREDENTIALS, REGION
from local.variables import Variables
from operating.stack import Account
from stacks.stage import stack_name
from tests.support import bare_emulator
from tests.support.bare_emulator import Emulator
from tests.support.local_instances import Instance

if TYPE_CHECKING:
    from collections.abc import Mapping

FOREVER: Final = ("CloudWatch", "cdk-", "CDKToolkit")
"""Parts of the names of what stays: the role of the gateway's logs, and what `cdk bootstrap` makes."""


@dataclass(frozen=True, kw_only=True)
class EmulatedAccount:
    """The account, as its operator and its callers reach it."""

    emulator: Emulator
    bedrock_url: str

    @property
    def config(self) -> str:
        """What a stage for an account has to be told, so that it runs on this machine."""
        # The emulator's CloudFormation has neither alarms on expressions nor saved queries.
        own = "monitoring=false bundle_platform=host s3_addressing_style=path"
        return f"{own} bedrock_endpoint_url={self.bedrock_url}"

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment of an operator with credentials for this account."""
        authority = str(self.emulator.ca_bundle) if self.emulator.ca_bundle else ""
        trust = {"NODE_EXTRA_CA_CERTS": authority, "AWS_CA_BUNDLE": authority} if authority else {}
        return {
            **CREDENTIALS,
            **trust,
            "AWS_ENDPOINT_URL": self.emulator.endpoint_url,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def client(self, service: str) -> Any:
        """Return a client of a service, with the operator's rights."""
        return boto3.client(service, **self.emulator.aws())

    def outputs(self, stage: str) -> dict[str, str]:
        """Return the outputs of a stage's stack by name."""
        described = self.client("cloudformation").describe_stacks(StackName=stack_name(stage))
        return {each["OutputKey"]: each["OutputValue"] for each in described["Stacks"][0]["Outputs"]}

    def api_url(self, stage: str) -> str:
        """Return the address of a stage's API, to which requests on this machine lead from now on."""
        return gateway.connect(
            endpoint_url=self.emulator.endpoint_url,
            ca_bundle=self.emulator.ca_bundle,
            outputs=self.outputs(stage),
        ).address()

    def memory(self, stage: str) -> set[int]:
        """Return the memory of the functions that make images."""
        functions = self.client("lambda").list_functions()["Functions"]
        parts = [f"{stack_name(stage)}-{part}" for part in ("Api", "Worker")]
        return {
            each["MemorySize"] for each in functions if any(part in each["FunctionName"] for part in parts)
        }

    def left_of(self, stage: str) -> dict[str, list[str]]:
        """Return the names of everything that bears the name of a stage's stack, by what it is."""
        found = {
            "stacks": [
                each for each in [stack_name(stage)] if Account(options=self.emulator.aws()).find(each)
            ],
            "buckets": self._names(stage, "s3", "list_buckets", "Buckets", "Name"),
            "tables": self._names(stage, "dynamodb", "list_tables", "TableNames"),
            "logs": self._names(stage, "logs", "describe_log_groups", "logGroups", "logGroupName"),
            "queues": self._names(stage, "sqs", "list_queues", "QueueUrls"),
            "functions": self._names(stage, "lambda", "list_functions", "Functions", "FunctionName"),
            "secrets": self._names(stage, "secretsmanager", "list_secrets", "SecretList", "Name"),
            "rules": self._names(stage, "events", "list_rules", "Rules", "Name"),
            "roles": self._names(stage, "iam", "list_roles", "Roles", "RoleName"),
            "apis": self._names(stage, "apigateway", "get_rest_apis", "items", "name"),
        }
        return {what: names for what, names in found.items() if names}

    def _names(
        self, stage: str, service: str, call: str, members: str, member: str | None = None
    ) -> list[str]:
        found = getattr(self.client(service), call)().get(members, [])
        names = [each[member] if member else each for each in found]
        return [
            name for name in names if stack_name(stage) in name and not any(part in name for part in FOREVER)
        ]


@contextmanager
def running(instance: Instance) -> Iterator[EmulatedAccount]:
    """Start the emulator and the stand-in model, and stop both at the end; nothing is deployed."""
    with bare_emulator.running(instance) as emulator:
        variables = Variables(folder=instance.folder, port_offset=instance.port_offset)
        model = processes.start_listening(stand_in.service(variables), name=stand_in.NAME)
        try:
            yield EmulatedAccount(emulator=emulator, bedrock_url=variables.bedrock_endpoint_url)
        finally:
            processes.stop(instance.folder, role=stand_in.ROLE)
            model.wait(timeout=120)
