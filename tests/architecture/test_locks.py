"""Everything that is installed is pinned by its hash, in lock files that name no registry."""

from __future__ import annotations

import json
import re

import pytest

from tools.checkout import CHECKOUT
from tools.lock import LOCKS
from tools.pins import packages_of, pins_of

PACKAGE_LOCK = (CHECKOUT / "package-lock.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(("source", "lock"), LOCKS.items())
def test_every_pin_of_a_lock_has_a_hash(source: str, lock: str) -> None:
    """Each direct dependency is pinned to one version, and is in the lock."""
    text = (CHECKOUT / lock).read_text(encoding="utf-8")
    pins = pins_of(text)
    lines = [
        line for line in (CHECKOUT / source).read_text(encoding="utf-8").splitlines() if line[:1].isalnum()
    ]
    assert len(lines) <= len(pins) == len(re.findall(r"^[^\s#]", text, re.MULTILINE))
    assert [pin for pin in pins if not pin.hashes] == []
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", line)] == []
    assert "://" not in text


def test_every_package_of_npm_has_a_hash() -> None:
    """`npm ci` compares what it fetches with it."""
    packages = packages_of(PACKAGE_LOCK)
    declared = json.loads((CHECKOUT / "package.json").read_text(encoding="utf-8"))
    direct = {**declared["dependencies"], **declared["devDependencies"]}
    assert direct.items() <= {package.name: package.version for package in packages}.items()
    assert [package for package in packages if len(package.hashes) != 1] == []
    assert '"resolved"' not in PACKAGE_LOCK


def test_no_package_of_npm_has_a_script_of_its_own() -> None:
    """Scripts are not run, so a package that needs one would not work."""
    assert "hasInstallScript" not in PACKAGE_LOCK


def test_pins_are_read_with_all_their_hashes() -> None:
    """Also a pin with extras, with a marker, and one without any hash."""
    text = (
        f"one==1.0 \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n    # via two\n"
        f"Two_three[extra]==2.0.post1 ; sys_platform == 'win32' \\\n    --hash=sha256:{'c' * 64}\nfour==4\n"
    )
    assert [(pin.words, pin.hashes) for pin in pins_of(text)] == [
        ("one 1.0", ("a" * 64, "b" * 64)),
        ("two-three 2.0.post1", ("c" * 64,)),
        ("four 4", ()),
    ]


def test_the_floor_is_the_sdk_that_the_functions_have() -> None:
    """Another version would be another floor."""
    functions, floor = (
        {pin.name: pin.version for pin in pins_of((CHECKOUT / lock).read_text(encoding="utf-8"))}
        for lock in ("lambda/requirements.txt", "benchmarks/packages/sdk.txt")
    )
    shared = functions.keys() & floor.keys()
    assert "botocore" in shared
    assert {name: functions[name] for name in shared} == {name: floor[name] for name in shared}
