"""A stand-in for DynamoDB whose cost per request does not grow with the table, so all growth is the service's.

DynamoDB reads an item by its key, and a page of an index by its position, however many items there are. The emulator
searches all items for each query, so measuring with it would measure the emulator.
"""

from __future__ import annotations

import json
import operator
import re
import threading
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

Item = Mapping[str, Any]
Answer = tuple[int, dict[str, Any]]


class Index(NamedTuple):
    """An index of the table: its two keys, and whether it holds whole items or only keys."""

    partition: str
    sort: str
    whole: bool


INDEXES: Final[Mapping[str, Index]] = {
    "by_owner": Index(partition="owner", sort="created_at", whole=True),
    "by_due": Index(partition="due_shard", sort="due_at", whole=False),
}
"""The indexes that the table has in the template."""

_COMPARED: Final = re.compile(r"(?P<name>\w+) (?P<sign>=|<>|<=|>=) (?P<value>:\w+)")
_EXISTS: Final = re.compile(r"attribute_(?P<not>not_)?exists\((?P<name>\w+)\)")
_UPDATE: Final = re.compile(r"ADD (?P<added>.+) SET (?P<set>.+)")
_IF_NOT_EXISTS: Final = re.compile(r"if_not_exists\((?P<name>\w+), (?P<value>:\w+)\)")
_QUERIED: Final = re.compile(r"(?P<partition>#?\w+) = (?P<is>:\w+)(?: AND (?P<sort>\w+) <= (?P<last>:\w+))?")
_SIGNS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
}


class NotUnderstood(Exception):
    """The adapters never send this request, so nobody has checked how DynamoDB would answer it."""


class Table:
    """The tables of a deployment in memory, each made when it is first named; every method may be called by any thread.

    `answer` knows the requests that the adapters send, and refuses all others. A page of a query may be larger than
    DynamoDB's megabyte. `counts` says how often each operation was asked for.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._items: defaultdict[str, _Items] = defaultdict(_Items)
        self._lock = threading.Lock()

    def answer(self, operation: str, body: Mapping[str, Any]) -> Answer:
        """Return the status and the JSON body with which DynamoDB answers a request.

        Raises:
            NotUnderstood: the adapters send no such request.
        """
        answers = {
            "GetItem": _get_item,
            "PutItem": _put_item,
            "UpdateItem": _update_item,
            "Query": _query,
            "Scan": _scan,
        }
        if operation not in answers:
            raise NotUnderstood(operation)
        with self._lock:
            self.counts[operation] += 1
            try:
                return 200, answers[operation](self._items[body["TableName"]], body)
            except _ConditionFailed as failed:
                return 400, failed.body

    def fill(self, table: str, items: Iterable[Item]) -> None:
        """Put items without counting a request; it is fastest if they come in the order of the indexes."""
        with self._lock:
            for item in items:
                self._items[table].put(item)

    def remove(self, table: str, ids: Iterable[str]) -> None:
        """Remove items, as their expiry would; ids without an item are ignored."""
        with self._lock:
            for id_ in ids:
                self._items[table].remove(id_)

    def copy(self) -> Table:
        """Return an equal table that changes independently."""
        made = Table()
        with self._lock:
            for name, items in self._items.items():
                made._items[name] = items.copy()
        return made


class _ConditionFailed(Exception):
    def __init__(self, item: Item | None) -> None:
        self.body: dict[str, Any] = {
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "message": "The conditional request failed",
            **({"Item": item} if item else {}),
        }


class _Items:
    """One table: its items by id, and for each index the positions in each of its partitions, in order."""

    def __init__(self) -> None:
        # Items are kept as text. As objects, Python's garbage collector would scan a million of them again and again.
        self.stored: dict[str, str] = {}
        self._positions: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)

    def copy(self) -> _Items:
        made = _Items()
        made.stored = self.stored.copy()
        for key, positions in self._positions.items():
            made._positions[key] = positions.copy()
        return made

    def get(self, id_: str) -> dict[str, Any] | None:
        text = self.stored.get(id_)
        return None if text is None else dict(json.loads(text))

    def put(self, item: Item) -> None:
        id_ = item["id"]["S"]
        self.remove(id_)
        self.stored[id_] = json.dumps(item)
        for key, position in _places(item):
            insort(self._positions[key], position)

    def remove(self, id_: str) -> None:
        item = self.get(id_)
        if item is None:
            return
        del self.stored[id_]
        for key, position in _places(item):
            positions = self._positions[key]
            del positions[bisect_left(positions, position)]

    def positions(self, index: str, partition: str) -> list[tuple[str, str]]:
        return self._positions.get((index, partition), [])


def _places(item: Item) -> Iterable[tuple[tuple[str, str], tuple[str, str]]]:
    """Yield the partition and the position of an item in each index that holds it."""
    for name, index in INDEXES.items():
        if index.partition in item and index.sort in item:
            yield (name, item[index.partition]["S"]), (item[index.sort]["S"], item["id"]["S"])


def _get_item(items: _Items, body: Mapping[str, Any]) -> dict[str, Any]:
    item = items.get(body["Key"]["id"]["S"])
    return {"Item": item} if item else {}


def _put_item(items: _Items, body: Mapping[str, Any]) -> dict[str, Any]:
    new = body["Item"]
    _require(items.get(new["id"]["S"]), body)
    items.put(new)
    return {}


def _update_item(items: _Items, body: Mapping[str, Any]) -> dict[str, Any]:
    old = items.get(body["Key"]["id"]["S"])
    _require(old, body)
    found = _UPDATE.fullmatch(body["UpdateExpression"])
    if found is None or body.get("ReturnValues") != "UPDATED_NEW":
        raise NotUnderstood(body["UpdateExpression"])
    before, values = old or {}, body["ExpressionAttributeValues"]
    changed: dict[str, Any] = {}
    for added in found["added"].split(", "):
        name, value = added.split(" ")
        total = Decimal(before.get(name, {"N": "0"})["N"]) + Decimal(values[value]["N"])
        changed[name] = {"N": str(total)}
    # The comma inside of a function does not end an assignment.
    for assigned in re.split(r", (?=\w+ = )", found["set"]):
        name, value = assigned.split(" = ")
        changed[name] = _assigned(before, value, values)
    items.put({**before, **body["Key"], **changed})
    return {"Attributes": changed}


def _assigned(before: Item, value: str, values: Mapping[str, Any]) -> Any:
    kept = _IF_NOT_EXISTS.fullmatch(value)
    if kept:
        return before.get(kept["name"], values[kept["value"]])
    if value not in values:
        raise NotUnderstood(value)
    return values[value]


def _query(items: _Items, body: Mapping[str, Any]) -> dict[str, Any]:
    found = _QUERIED.fullmatch(body["KeyConditionExpression"])
    index = INDEXES[body["IndexName"]]
    if found is None:
        raise NotUnderstood(body["KeyConditionExpression"])
    name = body.get("ExpressionAttributeNames", {}).get(found["partition"], found["partition"])
    if name != index.partition or found["sort"] not in {None, index.sort} or "FilterExpression" in body:
        raise NotUnderstood(body["KeyConditionExpression"])
    values, limit = body["ExpressionAttributeValues"], int(body["Limit"])
    positions = items.positions(body["IndexName"], values[found["is"]]["S"])
    end = len(positions)
    if found["last"]:
        # Behind each id that has the last value: no id begins with this character.
        end = bisect_right(positions, (values[found["last"]]["S"], "\U0010ffff"))
    page, more = _page(positions, end, limit, body, index)
    whole = [items.get(id_) or {} for _, id_ in page]
    keys = [{name: item[name] for name in ("id", index.partition, index.sort)} for item in whole]
    answer: dict[str, Any] = {"Items": whole if index.whole else keys, "Count": len(page)}
    return {**answer, "LastEvaluatedKey": keys[-1]} if more else answer


def _page(
    positions: list[tuple[str, str]], end: int, limit: int, body: Mapping[str, Any], index: Index
) -> tuple[list[tuple[str, str]], bool]:
    """Return the positions of a page, and whether it is full: then DynamoDB returns `LastEvaluatedKey`."""
    start = body.get("ExclusiveStartKey")
    at = (start[index.sort]["S"], start["id"]["S"]) if start else None
    if body.get("ScanIndexForward", True):
        first = bisect_right(positions, at) if at else 0
        page = positions[first : min(end, first + limit)]
    else:
        end = min(end, bisect_left(positions, at)) if at else end
        page = positions[max(0, end - limit) : end][::-1]
    return page, len(page) == limit


def _scan(items: _Items, body: Mapping[str, Any]) -> dict[str, Any]:
    if body.keys() - {"TableName", "ConsistentRead"}:
        raise NotUnderstood(str(sorted(body)))
    every = [json.loads(text) for text in items.stored.values()]
    return {"Items": every, "Count": len(every)}


def _require(item: Item | None, body: Mapping[str, Any]) -> None:
    """Raise `_ConditionFailed` unless the condition of a write holds for the item that is there."""
    if _holds(body["ConditionExpression"], item or {}, body.get("ExpressionAttributeValues", {})):
        return
    wanted = body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    raise _ConditionFailed(item if wanted else None)


def _holds(condition: str, item: Item, values: Mapping[str, Any]) -> bool:
    # `AND` binds more tightly than `OR`.
    for word, combined in ((" OR ", any), (" AND ", all)):
        parts = _parts(condition, word)
        if len(parts) > 1:
            return combined(_holds(part, item, values) for part in parts)
    if condition.startswith("("):
        return _holds(condition[1:-1], item, values)
    exists = _EXISTS.fullmatch(condition)
    if exists:
        return (exists["name"] in item) is not bool(exists["not"])
    compared = _COMPARED.fullmatch(condition)
    if compared is None or compared["value"] not in values:
        raise NotUnderstood(condition)
    if compared["name"] not in item:
        return compared["sign"] == "<>"
    here, there = _plain(item[compared["name"]]), _plain(values[compared["value"]])
    return _SIGNS[compared["sign"]](here, there)


def _parts(condition: str, word: str) -> list[str]:
    """Split a condition at a word that is not in brackets."""
    depth, parts, begun = 0, [], 0
    for at, char in enumerate(condition):
        depth += (char == "(") - (char == ")")
        if depth == 0 and condition.startswith(word, at):
            parts.append(condition[begun:at])
            begun = at + len(word)
    return [*parts, condition[begun:]]


def _plain(value: Mapping[str, Any]) -> Any:
    """Return a value as DynamoDB compares it: 20 and 20.0 are the same number."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: _plain(member) for name, member in content.items()}
    return Decimal(content) if kind == "N" else content
