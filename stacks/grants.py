"""One piece of what CloudFormation may do, and how its actions and resources are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "imagegen-*"
"""The names that CloudFormation makes for resources of this project's stacks: they begin with the stack's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Actions on resources.

    Resources have the fields `{partition}`, `{region}` and `{account}`. `condition` is an IAM condition with the same
    fields.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, str | tuple[str, ...]]] = field(default_factory=dict)


def actions_of(service: str, actions: str) -> tuple[str, ...]:
    """Return actions of a service, which are separated by spaces."""
    return tuple(f"{service}:{action}" for action in actions.split())


def named(service: str, *resources: str) -> tuple[str, ...]:
    """Return ARNs of a service in the region and account of the deployment."""
    return tuple(f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}" for resource in resources)
