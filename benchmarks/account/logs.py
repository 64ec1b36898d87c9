"""Reads the log groups of a stage. See docs/decisions/0126-the-figures-of-an-account-come-from-its-logs.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

MOST_LINES: Final = 200_000
"""How many lines of one kind are read from one group at most; they are held in memory."""
_NOT_ALLOWED: Final = ("AccessDeniedException", "UnauthorizedOperation")
_THROTTLED: Final = (
    "ThrottlingException",
    "Throttling",
    "LimitExceededException",
    "ServiceUnavailableException",
)


def hours(number: int) -> str:
    """Return a number of hours in words."""
    return f"{number} hour{'' if number == 1 else 's'}"


@dataclass(frozen=True, kw_only=True)
class Span:
    """The span of time for which a stage is measured."""

    begin: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """How long it is."""
        return round((self.end - self.begin).total_seconds() / 3_600)


@dataclass(frozen=True, kw_only=True)
class Logs:
    """What a stage logged in one span of time."""

    client: CloudWatchLogsClient
    span: Span
    most: int = MOST_LINES

    def lines(self, group: str, *, containing: str = "") -> Sequence[str]:
        """Return the lines of a group that contain a phrase, in the order of their times.

        Raises:
            LocalError: the group is gone, may not be read, has too many such lines, or AWS throttles.
        """
        found: list[str] = []
        pages = self.client.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            startTime=_milliseconds(self.span.begin),
            endTime=_milliseconds(self.span.end),
            filterPattern=f'"{containing}"' if containing else "",
        )
        try:
            for page in pages:
                # CloudWatch also returns empty pages before the last one.
                found += [event["message"] for event in page["events"]]
                if len(found) > self.most:
                    raise LocalError(
                        f"The log group {group} has more than {self.most:,} lines in {hours(self.span.hours)} that "
                        "would have to be read: set HOURS to fewer hours."
                    )
        except ClientError as error:
            raise _in_words(error, group=group) from error
        return found


def _in_words(error: ClientError, *, group: str) -> Exception:
    code = error.response["Error"]["Code"]
    if code == "ResourceNotFoundException":
        return LocalError(f"The log group {group} does not exist any more: deploy the stage again.")
    if code in _NOT_ALLOWED:
        return LocalError(
            f"Your credentials may not read the log group {group}: allow logs:FilterLogEvents on it."
        )
    if code in _THROTTLED:
        return LocalError(
            f"AWS throttles the reading of the log group {group}: try again in a minute, or set HOURS to fewer hours."
        )
    return error


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
