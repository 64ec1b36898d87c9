"""`make sbom`: writes bills of materials in CycloneDX's JSON, of the functions' zip and of the packages of npm.

The tools are the official ones, `cyclonedx-py` and `npm sbom`. What they write is then compared with the lock files, so
that a bill which lacks a package or a hash is an error.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line
from tools.pins import Pin, normalized, packages_of, pins_of

FOLDER: Final = CHECKOUT / "out" / "sbom"
FUNCTIONS: Final = "functions.cdx.json"
NODE: Final = "node.cdx.json"


def main() -> int:
    """Write both bills into `out/sbom/`; print one sentence and return 1 if one of them is not complete."""
    try:
        print("\n".join(write(FOLDER, environ=os.environ)))
    except LocalError as error:
        print(in_one_line(error), file=sys.stderr)
        return 1
    return 0


def write(folder: Path, *, environ: Mapping[str, str]) -> Sequence[str]:
    """Write both bills into a folder, and return one sentence about each.

    Raises:
        LocalError: a tool failed, or a bill lacks a package or a hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    functions, node = folder / FUNCTIONS, folder / NODE
    _write_functions(functions, environ=environ)
    _write_node(node, environ=environ)
    zipped = pins_of((CHECKOUT / "lambda" / "requirements.txt").read_text(encoding="utf-8"))
    packages = packages_of((CHECKOUT / "package-lock.json").read_text(encoding="utf-8"))
    check(functions.name, json.loads(functions.read_text(encoding="utf-8")), pins=zipped)
    check(node.name, json.loads(node.read_text(encoding="utf-8")), pins=packages)
    return [
        f"{functions} has the {len(zipped)} Python packages of the functions' zip.",
        f"{node} has the {len(packages)} packages of npm; those that the playground loads have the scope required.",
    ]


def check(name: str, bill: Mapping[str, Any], *, pins: Sequence[Pin]) -> None:
    """Make sure that a bill has each pinned package with its hashes, and no other.

    Raises:
        LocalError: it has not; the sentence names the first difference.
    """
    if not pins:
        raise LocalError(f"{name} would be a bill of nothing: its lock file pins no package.")
    listed = {
        (normalized(each["name"]), each["version"]): set(_hashes(each)) for each in bill.get("components", ())
    }
    for pin in pins:
        hashes = listed.pop((normalized(pin.name), pin.version), None)
        if hashes is None:
            raise LocalError(f"{name} lacks {pin.words}, which the lock file pins.")
        if not pin.hashes or hashes != set(pin.hashes):
            raise LocalError(f"{name} has other hashes of {pin.words} than the lock file.")
    for package, version in listed:
        raise LocalError(f"{name} has {package} {version}, which the lock file does not pin.")


def _hashes(component: Mapping[str, Any]) -> Iterable[str]:
    places = (component, *component.get("externalReferences", ()))
    return (each["content"] for place in places for each in place.get("hashes", ()))


def _write_functions(target: Path, *, environ: Mapping[str, str]) -> None:
    program = CHECKOUT / ".venv" / "supply" / "bin" / "cyclonedx-py"
    options = ("--of", "JSON", "--sv", "1.6", "--output-reproducible", "--pyproject", "pyproject.toml")
    _run([program, "requirements", *options, "-o", target, "lambda/requirements.txt"], environ=environ)


def _write_node(target: Path, *, environ: Mapping[str, str]) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = json.loads((CHECKOUT / "package.json").read_text(encoding="utf-8"))
    # npm names its bill by the folder, and makes none without a version, which stands in pyproject.toml alone.
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / project["name"]
        folder.mkdir()
        shutil.copy(CHECKOUT / "package-lock.json", folder)
        described = json.dumps({**package, "version": project["version"]})
        (folder / "package.json").write_text(described, encoding="utf-8")
        options = ("--sbom-format", "cyclonedx", "--sbom-type", "application", "--package-lock-only")
        bill = _run(["npm", "sbom", *options], environ=environ, folder=folder)
    target.write_text(bill, encoding="utf-8")


def _run(command: Sequence[str | Path], *, environ: Mapping[str, str], folder: Path = CHECKOUT) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, env=dict(environ), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LocalError(f"{command[0]} is not installed: run `make sbom`, which installs it.") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise LocalError(f"{Path(command[0]).name} could not write its bill of materials: {said[-1]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
