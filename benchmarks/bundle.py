"""How many bytes of a function's zip each package takes; a cold start fetches and unpacks all of them."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmarks.fleet import Fleet
from benchmarks.results import Figure, single

METADATA = "names and licences"
"""The name that the table gives to all folders of metadata together."""


def measure(fleet: Fleet) -> list[Figure]:
    """Return the size of each zip in megabytes, and of each package in the service's zip."""
    service, authorizer = (sizes(each) for each in (fleet.installed.function, fleet.installed.authorizer))
    return [
        _size("zip of the functions, everything included", sum(service.values()), must=8.0, aim=6.0),
        _size("zip of the authorizer", sum(authorizer.values())),
        *(_size(f"zip of the functions: {name}", size) for name, size in service.items()),
    ]


def _size(name: str, size: int, **bounds: float) -> Figure:
    return single(name, size / 1e6, unit="MB", **bounds)


def sizes(content: Path) -> Mapping[str, int]:
    """Return the compressed bytes of each top-level package in a zip, the largest first.

    They include what the zip stores about each file. Together they are the whole zip except its last 22 bytes.
    """
    found: Counter[str] = Counter()
    for path in sorted(content.rglob("*")):
        if path.is_file():
            name = path.relative_to(content)
            found[_package(name)] += _zipped(path, name.as_posix())
    return dict(found.most_common())


def _package(name: Path) -> str:
    top = name.parts[0]
    if top.endswith(".dist-info"):
        return METADATA
    # A top-level module that is a single file has its bytecode in `__pycache__` beside it.
    return (name.name if top == "__pycache__" else top).partition(".")[0]


def _zipped(path: Path, name: str) -> int:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=9) as opened:
        opened.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return len(archive.getvalue()) - _END_OF_A_ZIP


_END_OF_A_ZIP = 22
