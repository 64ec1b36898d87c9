"""Stops all that a stage may spend, and starts it again, without a deployment.

See `docs/decisions/0114-the-kill-switch-is-a-concurrency-of-0.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from operating.stack import functions_with_models, reserved_executions, template_of
from operating.stage import check_deployed
from stacks.stage import stack_name

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The functions of one deployed stage that can call a model; the authorizer goes on, and refuses wrong keys."""

    stage: str
    cloudformation: CloudFormationClient
    functions: LambdaClient

    def stop(self) -> None:
        """Let no execution of the functions start, whoever asks for one.

        Raises:
            LocalError: the stage is not deployed here.
            BotoCoreError, ClientError: one of them could not be stopped; the others are.
        """
        failures: list[Exception] = []
        check_deployed(self.stage, self.cloudformation)
        for name in functions_with_models(self._stack, self.cloudformation).values():
            try:
                self.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            except (BotoCoreError, ClientError) as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def start(self) -> None:
        """Give the functions the concurrency that the deployed template gives them.

        Raises:
            LocalError: the stage is not deployed here.
        """
        check_deployed(self.stage, self.cloudformation)
        reserved = reserved_executions(template_of(self._stack, self.cloudformation))
        for id_, name in functions_with_models(self._stack, self.cloudformation).items():
            if id_ in reserved:
                self.functions.put_function_concurrency(
                    FunctionName=name, ReservedConcurrentExecutions=reserved[id_]
                )
            else:
                self.functions.delete_function_concurrency(FunctionName=name)

    @property
    def _stack(self) -> str:
        return stack_name(self.stage)
