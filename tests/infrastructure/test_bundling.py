"""The zip is built again only if its content changes, holds what the functions need, and runs by itself."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stacks import bundling
from stacks.bundling import KEPT_BUILDS, KEPT_SERVICES, RUNTIME_VERSION, Bundle, BundlingError, find_compiler
from stacks.stage import Platform
from tests.support.synthesis import ROOT
from tools.registries import uv_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = find_compiler("host")
PYTHON = f"python{RUNTIME_VERSION}"
IMPORT_EVERYTHING = """
import sys
sys.path[:] = [sys.argv[1], *(path for path in sys.path if "site-packages" not in path)]
import annotated_types, boto3, botocore, pybase64, pydantic, standardwebhooks
import imagegen.wiring, imagegen.worker
session = boto3.session.Session(region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
for service in sys.argv[2:]:
    session.client(service)
print(boto3.__file__)
"""


@pytest.fixture(scope="session")
def registry() -> Iterator[None]:
    """Let uv use the registry that pip is configured with, as `make` does."""
    with pytest.MonkeyPatch.context() as patch:
        environ = os.environ  # noqa: TID251 - the operator's own, for uv
        for name, value in uv_environment(environ, python=Path(sys.executable)).items():
            patch.setenv(name, value)
        yield


def checkout(at: Path) -> Path:
    """Copy the files that a bundle is made of, and return the copy."""
    shutil.copytree(ROOT / "lambda", at / "lambda", ignore=shutil.ignore_patterns("__pycache__"))
    return at


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, registry: None) -> Bundle:
    """Return a bundle for this machine in a copy of the checkout."""
    del registry
    return Bundle(root=checkout(tmp_path_factory.mktemp("fresh")), platform="host", compiler=HOST)


@pytest.fixture(scope="session")
def built(fresh: Bundle) -> Path:
    """Build the zip's content, and return its directory."""
    return fresh.build()


def tree_hash(directory: Path) -> str:
    """Return a hash of every name and every byte below a directory."""
    digest = hashlib.sha256()
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        digest.update(f"{path.relative_to(directory)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def test_the_zip_runs_by_itself(built: Path) -> None:
    """It needs no package of this environment, and makes a client for every service that is kept."""
    answer = subprocess.run(  # noqa: S603 - this interpreter and a program of our own
        [sys.executable, "-S", "-c", IMPORT_EVERYTHING, str(built), *sorted(KEPT_SERVICES)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert answer.stderr == ""
    assert answer.stdout.startswith(str(built))


def test_the_zip_holds_our_package_without_its_tests(built: Path) -> None:
    """It does not hold the list of requirements either."""

    def files(folder: Path) -> set[Path]:
        found = {path.relative_to(folder) for path in (folder / "imagegen").rglob("*") if path.is_file()}
        return {path for path in found if "__pycache__" not in path.parts}

    assert files(built) == files(ROOT / "lambda")
    assert (built / "imagegen" / "http" / "openapi.json").is_file()
    assert not (built / "requirements.txt").exists()


def test_botocore_describes_only_the_services_that_are_used(built: Path) -> None:
    """The files that all services share are kept."""
    data = built / "botocore" / "data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == set(KEPT_SERVICES)
    assert {"endpoints.json", "partitions.json", "sdk-default-configuration.json"} <= {
        path.name for path in data.iterdir()
    }


def test_every_module_has_bytecode_that_is_never_checked(built: Path) -> None:
    """The bytecode is of exactly the version that runs it, since Lambda would compile any other at each start."""
    compiled = list(built.rglob("*.pyc"))
    sources = list(built.rglob("*.py"))
    unchecked = (1).to_bytes(4, "little")
    assert {path.read_bytes()[:4] for path in compiled} == {importlib.util.MAGIC_NUMBER}
    assert {path.read_bytes()[4:8] for path in compiled} == {unchecked}
    assert len(compiled) == len(sources)


def test_no_file_tells_where_the_zip_was_made(built: Path) -> None:
    """Scripts are left out and bytecode names the path on Lambda, because both would hold this machine's paths."""
    assert not (built / "bin").exists()
    bytecode = next((built / "imagegen").rglob("errors.*.pyc")).read_bytes()
    assert b"/var/task/imagegen/errors.py" in bytecode
    assert str(built).encode() not in bytecode


def test_equal_trees_give_equal_zips(built: Path, tmp_path: Path) -> None:
    """The zips are equal byte for byte, wherever the checkout is."""
    again = Bundle(root=checkout(tmp_path), platform="host", compiler=HOST)
    assert tree_hash(again.build()) == tree_hash(built)
    assert again.build().name == built.name


def test_an_unchanged_tree_is_not_built_again(fresh: Bundle, built: Path) -> None:
    """The second build returns the directory of the first one untouched."""
    marker = built / "marker"
    marker.touch()
    assert fresh.build() == built
    assert marker.exists()
    marker.unlink()


def test_old_zips_are_forgotten(fresh: Bundle, built: Path) -> None:
    """A few are kept, so that a switch between platforms does not build again."""
    for number in range(KEPT_BUILDS + 2):
        old = built.parent / f"function-{number}"
        old.mkdir(exist_ok=True)
        os.utime(old, (number, number))
    (fresh.package / "extra.py").write_text("")
    fresh.build()
    (fresh.package / "extra.py").unlink()
    kept = list(built.parent.glob("function-*"))
    assert len(kept) == KEPT_BUILDS
    assert built in kept


def pins(path: Path) -> set[str]:
    """Return those lines of a list of packages that pin a package."""
    return {line for line in path.read_text().splitlines() if "==" in line and not line.startswith(" ")}


def test_the_tests_run_what_the_zip_holds() -> None:
    """Each package that the functions import has the same pin in the checkout's environment and in both locks."""
    functions = pins(ROOT / "lambda" / "requirements.in")
    assert functions <= pins(ROOT / "requirements.txt")
    for lock in (ROOT / "requirements.lock", ROOT / "lambda" / "requirements.txt"):
        assert functions <= {line.removesuffix(" \\") for line in pins(lock)}


def bundle(root: Path, *, platform: Platform = "aarch64-manylinux2014") -> Bundle:
    """Return a bundle of a small tree, for tests that need only its fingerprint."""
    package = root / "lambda" / "imagegen"
    package.mkdir(parents=True, exist_ok=True)
    (package / "errors.py").write_text("x = 1\n")
    (root / "lambda" / "requirements.txt").write_text("six==1.17.0\n")
    return Bundle(root=root, platform=platform, compiler=HOST)


def test_the_fingerprint_follows_the_sources_and_the_requirements(tmp_path: Path) -> None:
    """A changed byte, a new file and a new pin each give another zip."""
    tree = bundle(tmp_path)
    seen = [tree.fingerprint()]
    (tree.package / "errors.py").write_text("x = 2\n")
    seen.append(tree.fingerprint())
    (tree.package / "data.json").write_text("{}")
    seen.append(tree.fingerprint())
    tree.requirements.write_text("six==1.16.0\n")
    seen.append(tree.fingerprint())
    assert len(set(seen)) == len(seen)


def test_the_fingerprint_follows_the_platform_and_the_bytecode(tmp_path: Path) -> None:
    """A zip for this machine differs from one for the cloud, and a zip with bytecode from one without."""
    cloud, host = bundle(tmp_path), bundle(tmp_path, platform="host")
    bare = Bundle(root=tmp_path, platform="aarch64-manylinux2014", compiler=None)
    assert len({cloud.fingerprint(), host.fingerprint(), bare.fingerprint()}) == 3


def test_the_fingerprint_ignores_what_python_leaves_behind(tmp_path: Path) -> None:
    """A test run leaves bytecode behind, and that does not change the zip."""
    tree = bundle(tmp_path)
    before = tree.fingerprint()
    (tree.package / "__pycache__").mkdir()
    (tree.package / "__pycache__" / "errors.cpython-311.pyc").write_bytes(b"stale")
    assert tree.fingerprint() == before


def test_a_package_with_another_hash_is_refused_in_one_line(tmp_path: Path, registry: None) -> None:
    """No half-built directory is left behind."""
    del registry
    tree = bundle(tmp_path, platform="host")
    tree.requirements.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(BundlingError, match=r"^The functions' packages could not be installed: [^\n]*six"):
        tree.build()
    assert list((tmp_path / ".build").iterdir()) == []


def test_requirements_without_hashes_are_refused(tmp_path: Path, registry: None) -> None:
    """Every package of the zip must be pinned by the hash of its content."""
    del registry
    with pytest.raises(BundlingError, match="hash"):
        bundle(tmp_path, platform="host").build()


def test_uv_must_be_beside_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no uv on the path, or one of another version."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(BundlingError, match="uv is not installed beside"):
        bundle(tmp_path, platform="host").build()


def script(path: Path, *lines: str) -> Path:
    """Write an executable shell script, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def test_a_shim_that_fails_is_passed_over_for_the_version_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file on the path may have the right name and still not run, so each is tried first."""
    script(tmp_path / "shims" / PYTHON, "exit 127")
    real = script(
        tmp_path / "versions" / f"{RUNTIME_VERSION}.9" / "bin" / PYTHON,
        f"echo {RUNTIME_VERSION.replace('.', ' ')}",
    )
    monkeypatch.setenv("PATH", str(tmp_path / "shims"), prepend=":")
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert find_compiler("aarch64-manylinux2014") == real


def test_a_python_of_another_version_compiles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytecode of another version is worse than none, because Lambda compiles it anew at each start."""
    script(tmp_path / "shims" / PYTHON, "echo 3 1")
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.setattr(bundling, "_python_known_to_uv", lambda: None)
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert find_compiler("aarch64-manylinux2014") is None


def test_the_wheels_are_of_the_version_that_runs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision record about the zip names the same version."""
    asked: list[list[str]] = []
    monkeypatch.setattr(bundling, "_run", lambda command, **_: asked.append(command))
    bundle(tmp_path)._install(tmp_path / "content")
    (command,) = asked
    assert command[command.index("--python-version") + 1] == RUNTIME_VERSION
    decision = (ROOT / "docs" / "decisions" / "0013-a-directory-instead-of-docker.md").read_text()
    assert set(re.findall(r"Python (3[.]\d+)", decision)) == {RUNTIME_VERSION}


def test_a_zip_for_this_machine_is_compiled_by_this_interpreter() -> None:
    """The emulator runs such a zip with this interpreter."""
    assert find_compiler("host") == Path(sys.executable)
