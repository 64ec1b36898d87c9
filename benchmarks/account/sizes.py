"""The sizes of images. No log line has them, so they are read from the records of the generations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from imagegen.generations.stored_record import UnreadableRecord, from_json
from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_RECORDS: Final = 1_000
"""How many records are read at most; they are those of the newest images."""
AT_ONCE: Final = 100  # DynamoDB's limit for BatchGetItem
TRIES: Final = 6
UNKNOWN: Final = "size unknown"


@dataclass(frozen=True, kw_only=True)
class Records:
    """The table of a stage's generations. Only the size of the image is kept from each record."""

    client: DynamoDBClient
    table: str
    wait: Callable[[float], None] = time.sleep

    def sizes(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the sizes of the images of generations, such as `1024x1024`, as far as their records are there.

        Raises:
            LocalError: the table may not be read, or DynamoDB throttles.
        """
        found: dict[str, str] = {}
        for start in range(0, len(ids), AT_ONCE):
            for item in self._items(ids[start : start + AT_ONCE]):
                size = _size(item)
                if size:
                    found[item["id"]["S"]] = size
        return found

    def _items(self, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        asked: Any = {
            self.table: {
                "Keys": [{"id": {"S": id_}} for id_ in ids],
                "ProjectionExpression": "id, #record",
                "ExpressionAttributeNames": {"#record": "record"},
            }
        }
        for attempt in range(TRIES):
            try:
                reply = self.client.batch_get_item(RequestItems=asked)
            except ClientError as error:
                if error.response["Error"]["Code"] == "AccessDeniedException":
                    raise LocalError(
                        f"Your credentials may not read the table {self.table}: allow dynamodb:BatchGetItem on it."
                    ) from error
                raise
            yield from reply["Responses"].get(self.table, [])
            asked = reply.get("UnprocessedKeys")
            if not asked:
                return
            self.wait(2**attempt / 10)
        raise LocalError(f"DynamoDB throttles the reading of the table {self.table}: try again in a minute.")


def _size(item: Mapping[str, Any]) -> str:
    try:
        image = from_json(item["record"]["S"]).image
    except (KeyError, UnreadableRecord):
        return ""
    return f"{image.width}x{image.height}" if image else ""
