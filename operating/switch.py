"""Stops all that a stage may spend, and starts it again, without a deployment.

See `docs/decisions/0114-the-kill-switch-is-a-concurrency-of-0.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import described_stack
from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

SPENDING: Final = ("ApiFunction", "WorkerFunction")
"""How the names begin of the functions that call models; the authorizer goes on, and refuses wrong keys."""
_FUNCTION: Final = "AWS::Lambda::Function"
_RESERVED: Final = "ReservedConcurrentExecutions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of the stack, and the executions that the deployed template reserves for it; None reserves none."""

    name: str
    reserved: int | None


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The functions of one deployed stage that can call a model."""

    stack: str
    cloudformation: CloudFormationClient
    functions: Any
    """A client of Lambda, for which there are no stubs among the packages."""

    def stop(self) -> None:
        """Let no execution of the functions start, whoever asks for one.

        Raises:
            LocalError: the stage is not deployed here.
            BotoCoreError, ClientError: one of them could not be stopped; the others are.
        """
        failures: list[Exception] = []
        for function in self._found():
            try:
                self.functions.put_function_concurrency(
                    FunctionName=function.name, ReservedConcurrentExecutions=0
                )
            except (BotoCoreError, ClientError) as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def start(self) -> None:
        """Give the functions the concurrency that the deployed template gives them.

        Raises:
            LocalError: the stage is not deployed here.
        """
        for function in self._found():
            if function.reserved is None:
                self.functions.delete_function_concurrency(FunctionName=function.name)
            else:
                self.functions.put_function_concurrency(
                    FunctionName=function.name, ReservedConcurrentExecutions=function.reserved
                )

    def _found(self) -> Iterator[Function]:
        if described_stack(self.stack, self.cloudformation) is None:
            raise LocalError(f"There is no stack {self.stack} in this account and region.")
        reserved = self._reserved()
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.stack)
        for page in pages:
            for each in page["StackResourceSummaries"]:
                id_ = each["LogicalResourceId"]
                if each["ResourceType"] == _FUNCTION and id_.startswith(SPENDING):
                    yield Function(name=each["PhysicalResourceId"], reserved=reserved.get(id_))

    def _reserved(self) -> Mapping[str, int]:
        body: Any = self.cloudformation.get_template(StackName=self.stack, TemplateStage="Original")[
            "TemplateBody"
        ]
        template = json.loads(body) if isinstance(body, str) else body
        found: dict[str, int] = {}
        for id_, resource in template.get("Resources", {}).items():
            with suppress(KeyError):
                found[id_] = int(resource["Properties"][_RESERVED])
        return found
