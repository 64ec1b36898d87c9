"""The environment of a stage's functions, which a drill changes for some minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, WaiterError

from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, kw_only=True)
class Functions:
    """The functions of one stage that call models, by their names."""

    client: LambdaClient
    names: Sequence[str]

    def environment(self) -> Mapping[str, str]:
        """Return the variables of the first function; all of them have the same."""
        found = self.client.get_function_configuration(FunctionName=self.names[0])
        return found.get("Environment", {}).get("Variables", {})

    def set(self, variable: str, value: str) -> None:
        """Set one variable in every function, and wait until their next processes have it.

        Raises:
            LocalError: somebody else changed a function at the same time, or Lambda does not take the change.
        """
        for name in self.names:
            self._set(name, variable, value)
        for name in self.names:
            try:
                self.client.get_waiter("function_updated").wait(
                    FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
                )
            except WaiterError as error:
                raise LocalError(f"Lambda did not finish the change of {name}: {error}") from error

    def _set(self, name: str, variable: str, value: str) -> None:
        found = self.client.get_function_configuration(FunctionName=name)
        variables = {**found.get("Environment", {}).get("Variables", {}), variable: value}
        try:
            self.client.update_function_configuration(
                FunctionName=name,
                Environment={"Variables": variables},
                # Otherwise a deployment between the two calls would be undone.
                RevisionId=found["RevisionId"],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in {
                "PreconditionFailedException",
                "ResourceConflictException",
            }:
                raise LocalError(f"Somebody else is changing the function {name}: try again.") from error
            raise
