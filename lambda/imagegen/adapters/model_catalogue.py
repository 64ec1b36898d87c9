"""The lifecycle of a model as Bedrock's control plane tells it, in the model's own region."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from imagegen import errors
from imagegen.models.lifecycle_check import Reported

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient

    from imagegen.models.registry import LifecycleStatus

STATUSES: Final[dict[str, LifecycleStatus]] = {"ACTIVE": "active", "LEGACY": "legacy"}
"""The words of Bedrock's API; a model that has ended is not found."""


class BedrockCatalogue:
    """Asks GetFoundationModel; `client` makes the client of a region."""

    def __init__(self, client: Callable[[str], BedrockClient]) -> None:
        self._client = client

    def lifecycle(self, model: str, *, region: str) -> Reported:
        """Return what Bedrock says of a model in a region.

        See the Amazon Bedrock API reference, "FoundationModelLifecycle".

        Raises:
            Misconfigured: Bedrock refuses the question, or answers in words that this release does not know.
            ModelUnavailable: Bedrock cannot be reached.
        """
        try:
            details = self._client(region).get_foundation_model(modelIdentifier=model)["modelDetails"]
        except ClientError as exc:
            if exc.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return Reported(status="end_of_life")
            raise errors.Misconfigured("Bedrock does not tell the lifecycle of the model.") from exc
        except BotoCoreError as exc:
            raise errors.ModelUnavailable("Bedrock cannot be reached.") from exc
        lifecycle = details.get("modelLifecycle")
        status = STATUSES.get(lifecycle["status"]) if lifecycle else None
        if lifecycle is None or status is None:
            raise errors.Misconfigured("Bedrock tells a lifecycle that this release does not know.")
        return Reported(status=status, end_of_life_at=_day(lifecycle.get("endOfLifeTime")))


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
