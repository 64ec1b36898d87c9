"""Prunes botocore's descriptions of AWS services down to the operations that the functions call.

A client reads the whole description of its service when it is made, and S3's alone has a megabyte of JSON. See
`docs/decisions/0120-the-zip-holds-what-runs.md`.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

KEPT_OPERATIONS: Final[Mapping[str, frozenset[str]]] = {
    "bedrock": frozenset({"GetFoundationModel"}),
    "bedrock-runtime": frozenset({"InvokeModel", "InvokeModelWithResponseStream"}),
    "s3": frozenset({"DeleteObject", "GetObject", "HeadObject"}),
    "secretsmanager": frozenset({"GetSecretValue"}),
    "sqs": frozenset({"ChangeMessageVisibility", "SendMessage"}),
}
"""The operations that the adapters call with the SDK's clients, by the name of their service in botocore.

`InvokeModel` is called without the client, but its errors are read as the client would.
"""
CALLED_BY_BOTOCORE: Final[Mapping[str, frozenset[str]]] = {
    # botocore asks for the bucket's region with it, if S3 says that the bucket is in another one.
    "s3": frozenset({"HeadBucket"}),
}
"""The operations that botocore itself calls while it carries out a kept one."""
# Clients read nothing else of a service's folder, unless they are asked for a paginator or a waiter.
_READ_BY_CLIENTS: Final = ("service-2", "service-2.sdk-extras", "endpoint-rule-set-1")
_ENDPOINTS: Final = "endpoints.json"

Json = dict[str, Any]


class UnknownOperationError(RuntimeError):
    """botocore has no such service or operation; the message is one sentence that names it."""


def prune_service_data(data: Path) -> None:
    """Remove from botocore's folder `data` all operations that are not kept, and all files that no client reads.

    Raises:
        UnknownOperationError: a kept operation is not described there.
    """
    for entry in data.glob("*/"):
        if entry.name not in KEPT_OPERATIONS:
            shutil.rmtree(entry)
    prefixes = set(KEPT_OPERATIONS)
    for service, operations in KEPT_OPERATIONS.items():
        folder = _latest_version(data, service)
        kept = operations | CALLED_BY_BOTOCORE.get(service, frozenset())
        prefixes.add(_prune_service(folder, kept, service=service))
    endpoints = _read(data / _ENDPOINTS)
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in prefixes}
    _write(data / _ENDPOINTS, endpoints)


def _latest_version(data: Path, service: str) -> Path:
    """Return the folder of the version that botocore takes, which is the last one; remove the older ones."""
    described = sorted((data / service).glob("*/service-2.json*"))
    if not described:
        raise UnknownOperationError(f"botocore does not describe the service {service}, which is to be kept.")
    latest = described[-1].parent
    for version in (data / service).iterdir():
        if version != latest:
            shutil.rmtree(version)
    return latest


def _prune_service(folder: Path, kept: frozenset[str], *, service: str) -> str:
    """Prune the folder of a service, and return the name of the service in the list of endpoints."""
    prefix = service
    for path in sorted(folder.iterdir()):
        stem = path.name.removesuffix(".gz").removesuffix(".json")
        if stem not in _READ_BY_CLIENTS:
            path.unlink()
            continue
        content = _read(path)
        if stem == "service-2":
            prefix = content["metadata"]["endpointPrefix"]
            content = _pruned(content, kept, service=service)
        path.unlink()
        # Written without compression: the zip is compressed already, and unpacking would take time at each start.
        _write(folder / f"{stem}.json", content)
    return prefix


def _pruned(model: Json, kept: frozenset[str], *, service: str) -> Json:
    operations = model["operations"]
    if unknown := sorted(kept - set(operations)):
        raise UnknownOperationError(
            f"botocore's {service} has no operation {unknown[0]}, which is to be kept."
        )
    held = {name: operation for name, operation in operations.items() if name in kept}
    shapes = model["shapes"]
    # A service may reply with an error that no operation lists, so all errors stay.
    errors = [name for name, shape in shapes.items() if shape.get("exception")]
    reached = _reached(shapes, [*errors, *_names(list(held.values()))])
    held_shapes = {name: shape for name, shape in shapes.items() if name in reached}
    # The texts of `clientContextParams` stay, because botocore insists on them.
    described = _without_documentation({"operations": held, "shapes": held_shapes})
    pruned: Json = {**model, **described, "documentation": ""}
    return pruned


def _reached(shapes: Mapping[str, Json], names: list[str]) -> set[str]:
    """Return the shapes of these names and all shapes that they refer to."""
    reached: set[str] = set()
    while names:
        name = names.pop()
        if name not in reached:
            reached.add(name)
            names += _names(shapes[name])
    return reached


def _names(node: object) -> Iterator[str]:
    """Yield the name of each shape that a part of a model refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def _without_documentation(node: Any) -> Any:
    if isinstance(node, dict):
        # A member may be called `documentation`; then it is not a text.
        return {
            name: _without_documentation(value)
            for name, value in node.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    return [_without_documentation(value) for value in node] if isinstance(node, list) else node


def _read(path: Path) -> Json:
    content = path.read_bytes()
    read: Json = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return read


def _write(path: Path, content: Json) -> None:
    # The order stays as it was read, because the order of members in requests follows it.
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
