"""`make sbom` writes bills of materials that hold each locked package with its hashes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.local_instances import ENVIRON
from tools.checkout import CHECKOUT
from tools.failures import LocalError
from tools.pins import packages_of, pins_of
from tools.sbom import FUNCTIONS, NODE, check, write

VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
for path, version in (each.split("=") for each in sys.argv[1:]):
    with open(path, encoding="utf-8") as file:
        error = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(file.read())
    assert error is None, error
"""


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both bills; neither tool needs a registry."""
    folder = tmp_path_factory.mktemp("sbom")
    nowhere = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(folder / "cache")}
    said = write(folder, environ={**ENVIRON, **nowhere})
    assert len(said) == 2
    return folder


def read(path: Path) -> dict[str, Any]:
    """Return a bill."""
    bill: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return bill


def test_the_bill_of_the_functions_has_each_package_of_the_zip_with_its_hashes(bills: Path) -> None:
    """Its subject is this release."""
    bill = read(bills / FUNCTIONS)
    pins = pins_of((CHECKOUT / "lambda" / "requirements.txt").read_text(encoding="utf-8"))
    found = {
        (each["name"], each["version"]): {
            digest["content"] for place in each["externalReferences"] for digest in place["hashes"]
        }
        for each in bill["components"]
    }
    assert found == {(pin.name, pin.version): set(pin.hashes) for pin in pins}
    assert bill["metadata"]["component"]["name"] == "imagegen"
    assert {"pkg:pypi/botocore", "pkg:pypi/pydantic"} <= {
        each["purl"].split("@")[0] for each in bill["components"]
    }


def test_the_bill_of_npm_has_each_package_with_its_hash_and_scope(bills: Path) -> None:
    """What the playground loads is required; what builds and tests it is optional."""
    bill = read(bills / NODE)
    packages = packages_of((CHECKOUT / "package-lock.json").read_text(encoding="utf-8"))
    found = {(each["name"], each["version"], each["hashes"][0]["content"]) for each in bill["components"]}
    assert found == {(each.name, each.version, each.hashes[0]) for each in packages}
    scopes = {each["name"]: each["scope"] for each in bill["components"]}
    assert {name for name, scope in scopes.items() if scope == "required"} == {"htm", "preact"}
    assert bill["metadata"]["component"]["name"] == "imagegen"
    assert bill["metadata"]["component"]["version"] == read_version()


def read_version() -> str:
    """Return the version of this release, as the bill of the functions has it."""
    document = json.loads((CHECKOUT / "lambda/imagegen/http/openapi.json").read_text(encoding="utf-8"))
    return str(document["info"]["version"])


def test_both_bills_are_valid(bills: Path) -> None:
    """CycloneDX's own schema says so."""
    done = subprocess.run(  # noqa: S603 - the validator of CycloneDX, on files of ours
        [
            CHECKOUT / ".venv" / "supply" / "bin" / "python",
            "-c",
            VALIDATE,
            f"{bills / FUNCTIONS}={read(bills / FUNCTIONS)['specVersion']}",
            f"{bills / NODE}={read(bills / NODE)['specVersion']}",
        ],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def _without(bill: dict[str, Any]) -> None:
    del bill["components"][0]


def _with_other_hashes(bill: dict[str, Any]) -> None:
    bill["components"][0]["externalReferences"][0]["hashes"][0]["content"] = "0" * 64


def _with_one_more(bill: dict[str, Any]) -> None:
    bill["components"].append({"name": "six", "version": "0.1"})


def _of_nothing(bill: dict[str, Any]) -> None:
    del bill["components"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_without, "a bill lacks annotated-types "),
        (_of_nothing, "a bill lacks annotated-types "),
        (_with_other_hashes, "a bill has other hashes of annotated-types "),
        (_with_one_more, "a bill has six 0.1, which the lock file does not pin."),
    ],
)
def test_a_bill_that_differs_from_the_lock_is_one_sentence(
    bills: Path, spoil: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    """It names the first package that differs."""
    pins = pins_of((CHECKOUT / "lambda" / "requirements.txt").read_text(encoding="utf-8"))
    bill = read(bills / FUNCTIONS)
    check("a bill", bill, pins=pins)
    spoil(bill)
    with pytest.raises(LocalError) as caught:
        check("a bill", bill, pins=pins)
    assert str(caught.value).startswith(sentence)


def test_a_bill_of_nothing_is_refused() -> None:
    """An empty lock file would otherwise give an empty bill that is complete."""
    with pytest.raises(LocalError, match="would be a bill of nothing"):
        check("a bill", {"components": []}, pins=[])
