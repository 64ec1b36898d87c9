"""The record as it is stored: JSON that this release writes, and that the releases before and after it can read.

See `docs/decisions/0033-a-stored-record-keeps-its-first-member-names.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any, Final

from imagegen.contracts.generation_request import TASKS, GenerationRequest
from imagegen.contracts.text_to_image.parameters import TextToImage
from imagegen.generations.generation import Bill, Failure, Generation, StoredImage
from imagegen.generations.image_formats import FORMATS
from imagegen.models.registry import REGISTRY

RECORD_SCHEMA: Final = 1
"""The number of the record's form. It grows when releases before it could misread what is written.

It stands beside the record in the table, because the first release refuses a member that it does not know. The first
release wrote no number, which means 1.
"""

# Releases share the table, and the first one refuses unknown members. So a member keeps the name under which it was
# first stored, and a member that the first release did not have is written only where it says something.
_STORED_AS: Final[Mapping[str, str]] = {"fingerprint": "asked", "version": "stamp"}
_NAMES: Final = {
    _STORED_AS.get(one.name, one.name): one.name
    for one in fields(Generation)
    # The bill stands beside the record, because the first release would refuse the record with it.
    if one.name not in {"unknown", "bill"}
}
_REQUEST_NAMES: Final = tuple(one.name for one in fields(GenerationRequest) if one.name != "task")
_FIRST_CONTENT_TYPE: Final = "image/png"
_TIMES: Final = frozenset({"created_at", "expires_at", "ended_at", "due_at", "lease_until"})
_ENDED: Final = frozenset({"succeeded", "failed", "deleted"})


class UnreadableRecord(Exception):
    """The record was written by a release that this one does not understand, or by nobody who knows its form."""


def to_json(generation: Generation) -> str:
    """Return the record as JSON; times are ISO 8601 in UTC."""
    # Not `asdict` of the whole record: it would copy every parameter of the task only to drop it.
    stored = {name: getattr(generation, member) for name, member in _NAMES.items()}
    if generation.content_type == _FIRST_CONTENT_TYPE:
        del stored["content_type"]
    stored["request"] = _request_to_json(generation.request)
    stored["image"] = None if generation.image is None else asdict(generation.image)
    stored["failure"] = None if generation.failure is None else asdict(generation.failure)
    return json.dumps(_merged(stored, generation.unknown), default=datetime.isoformat, separators=(",", ":"))


def _request_to_json(request: GenerationRequest) -> dict[str, Any]:
    members = {name: getattr(request, name) for name in _REQUEST_NAMES}
    members["image"] = request.task.parameters()
    if request.task.kind != TextToImage.kind:
        members["kind"] = request.task.kind
    return members


def bill_to_json(generation: Generation) -> str:
    """Return the bill as JSON. It is stored beside the record, and is lost if the first release writes the record."""
    return json.dumps(asdict(generation.bill), separators=(",", ":"))


def from_json(text: str, *, schema: int = RECORD_SCHEMA, bill: str | None = None) -> Generation:
    """Return the record that `to_json` wrote, in this release or in one before or after it.

    Members that this release does not know are kept, and written back with the next version. One exception: a record
    that is still to be worked on must not have an unknown parameter, since the image would not be the one asked for.

    Raises:
        UnreadableRecord: this release cannot read the record.
    """
    if schema > RECORD_SCHEMA:
        raise UnreadableRecord(f"schema {schema}; this release reads {RECORD_SCHEMA}")
    try:
        record = _read(json.loads(text))
        return replace(
            record, bill=_bill(record) if bill is None else Bill(**_split(json.loads(bill), Bill)[0])
        )
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise UnreadableRecord("a member is missing or of another form") from exc


def _read(stored: Mapping[str, Any]) -> Generation:
    members = {_NAMES[name]: value for name, value in stored.items() if name in _NAMES}
    unknown = {name: value for name, value in stored.items() if name not in _NAMES}
    for name in _TIMES & members.keys():
        members[name] = None if members[name] is None else datetime.fromisoformat(members[name])
    members["request"], unknown["request"] = _request(members["request"], state=members["state"])
    members["ignored"] = tuple(members.get("ignored", ()))
    if members.get("image"):
        image, unknown["image"] = _split(members["image"], StoredImage)
        members["image"] = StoredImage(**image)
    if members.get("failure"):
        failure, unknown["failure"] = _split(members["failure"], Failure)
        failure["fields"] = tuple((name, message) for name, message in failure.get("fields", ()))
        members["failure"] = Failure(**failure)
    kept = {name: value for name, value in unknown.items() if value != {}}
    record = Generation(**members, unknown=kept)
    # Its image could not be found: the format is part of where an image is stored.
    if record.image_name.content_type not in FORMATS:
        raise ValueError("an image format that this release does not know")
    return record


def _bill(record: Generation) -> Bill:
    """Return the bill of a record that has none: the price of its image."""
    model = REGISTRY.get(record.image.model) if record.image else None
    if record.image is None or model is None:
        return Bill()
    steps = record.request.task.parameters().get("steps")
    return Bill(spent=model.price.micro_usd(steps), model=record.image.model)


def _request(stored: Mapping[str, Any], *, state: str) -> tuple[GenerationRequest, dict[str, Any]]:
    members, unknown = _split(stored, GenerationRequest, "image", "kind")
    task_type = TASKS[members.pop("kind", TextToImage.kind)]
    parameters, more = _split(members.pop("image"), task_type)
    if more:
        if state not in _ENDED:
            raise ValueError("a parameter that this release does not know")
        unknown["image"] = more
    return GenerationRequest(task=task_type.from_parameters(parameters), **members), unknown


def _split(members: Mapping[str, Any], of: type[Any], *more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the members that a class has, or that are named, and the others."""
    names = {*more, *(one.name for one in fields(of))}
    known = {name: value for name, value in members.items() if name in names}
    return known, {name: value for name, value in members.items() if name not in names}


def _merged(stored: dict[str, Any], unknown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored with the unknown members put back where they stood; a member that is gone stays gone."""
    merged = {**unknown, **stored}
    for name, inside in unknown.items():
        if isinstance(inside, dict) and isinstance(stored.get(name), dict):
            merged[name] = _merged(stored[name], inside)
    return merged
