"""Decides about calls of AWS as IAM does, for the parts of its language that this project's policies use.

See the IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators". Whatever else a
policy might have is an error here, so nothing counts as allowed because it was not understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from tests.support.synthesis import as_list

Statement = Mapping[str, Any]
KNOWN: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Principal", "Condition"})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of AWS: an IAM action on a resource, with the keys that a condition may ask for."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        keys = "".join(f", {key} {value}" for key, value in sorted(self.context.items()))
        return f"{self.action} on {self.resource}{keys}"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What IAM says, and the statements that say so."""

    allowed: bool
    by: Sequence[Statement] = ()


def decide(call: Call, *, role: Iterable[Statement], resource: Iterable[Statement] = ()) -> Decision:
    """Decide about a call of a role in the resource's own account.

    `role` are the statements of the role's policies. `resource` are those of the resource's policy, of which only the
    denials for everybody count, because this project's resource policies let in no role.
    """
    denials = [each for each in resource if each["Effect"] == "Deny" and _is_everybody(each)]
    both = [*role, *denials]
    matching = [each for each in both if matches(call, each)]
    denied = [each for each in matching if each["Effect"] == "Deny"]
    if denied:
        return Decision(allowed=False, by=denied)
    return Decision(allowed=bool(matching), by=matching)


def matches(call: Call, statement: Statement) -> bool:
    """Say whether a statement is about a call.

    Raises:
        ValueError: the statement has an element or a condition that is not known here.
    """
    if unknown := set(statement) - KNOWN:
        raise ValueError(f"The statement has {', '.join(sorted(unknown))}, which is not known here.")
    return (
        any(like(action, call.action, case=False) for action in as_list(statement["Action"]))
        and any(like(resource, call.resource) for resource in as_list(statement["Resource"]))
        and all(
            _holds(operator, wanted, call.context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def like(pattern: str, text: str, *, case: bool = True) -> bool:
    """Say whether a text fits a pattern, in which `*` stands for any text and `?` for one character."""
    return _compiled(pattern, case=case).fullmatch(text) is not None


@cache
def _compiled(pattern: str, *, case: bool) -> re.Pattern[str]:
    parts = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.compile("".join(parts), re.DOTALL if case else re.DOTALL | re.IGNORECASE)


OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    # IAM documents the two as the same.
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    "NumericGreaterThan": lambda wanted, value: float(value) > float(wanted),
    "StringEquals": lambda wanted, value: wanted == value,
    "StringLike": like,
}


def _holds(operator: str, wanted: Any, value: str | None) -> bool:
    if operator not in OPERATORS:
        raise ValueError(f"The condition operator {operator} is not known here.")
    # A key that the call does not have fits none of these operators.
    return value is not None and any(OPERATORS[operator](str(each), value) for each in as_list(wanted))


def _is_everybody(statement: Statement) -> bool:
    return statement.get("Principal") in ("*", {"AWS": "*"})
