"""Where a deployed stage keeps what the figures are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from operating.stack import LOG_GROUP, TABLE, names_of
from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

FunctionName = Literal["api", "worker", "authorizer"]
FUNCTIONS: Final[Mapping[FunctionName, str]] = {
    "api": "ApiLogs",
    "worker": "WorkerLogs",
    "authorizer": "HttpAuthorizerLogs",
}
"""How the logical ids of the functions' log groups begin. A stage without API keys has no authorizer of ours."""
GATEWAY: Final = "HttpAccessLogs"
GENERATIONS: Final = "Generations"


@dataclass(frozen=True, kw_only=True)
class Places:
    """The log groups of a stage's functions and of its gateway, and the table of its generations, by their names."""

    functions: Mapping[FunctionName, str]
    gateway: str
    table: str


def find(stack: str, *, cloudformation: CloudFormationClient) -> Places:
    """Return where a deployed stack keeps its logs and records.

    Raises:
        LocalError: a part of it is missing.
    """
    groups = names_of(stack, cloudformation, type_=LOG_GROUP)
    tables = names_of(stack, cloudformation, type_=TABLE)
    functions = {name: group for name, prefix in FUNCTIONS.items() if (group := _beginning(groups, prefix))}
    gateway, table = _beginning(groups, GATEWAY), _beginning(tables, GENERATIONS)
    if not {"api", "worker"} <= functions.keys() or gateway is None or table is None:
        raise LocalError(f"The stack {stack} has not all of its log groups and tables: deploy it again.")
    return Places(functions=functions, gateway=gateway, table=table)


def _beginning(names: Mapping[str, str], prefix: str) -> str | None:
    return next((name for id_, name in names.items() if id_.startswith(prefix)), None)
