"""The zip is built again only if its content changes, holds what the functions need, and runs by itself."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stacks import bundling
from stacks.bundling import KEPT_BUILDS, RUNTIME_VERSION, Bundle, BundlingError, find_compiler
from stacks.setting_types import Platform
from stacks.zip_contents import AUTHORIZER
from tests.support.synthesis import ROOT
from tests.support.zip_fixtures import HOST, checkout
from tools.pins import normalized, pins_of

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON = f"python{RUNTIME_VERSION}"


def tree(directory: Path) -> dict[str, tuple[int, float, str]]:
    """Return the rights, the date and a hash of everything below a directory."""

    def described(path: Path) -> tuple[int, float, str]:
        content = path.read_bytes() if path.is_file() else b""
        return path.stat().st_mode, path.stat().st_mtime, hashlib.sha256(content).hexdigest()

    return {str(path.relative_to(directory)): described(path) for path in directory.rglob("*")}


def test_the_zip_holds_our_package_without_its_tests(built: Path) -> None:
    """It does not hold the list of requirements either."""

    def files(folder: Path) -> set[Path]:
        found = {path.relative_to(folder) for path in (folder / "imagegen").rglob("*") if path.is_file()}
        return {path for path in found if "__pycache__" not in path.parts}

    assert files(built) == files(ROOT / "lambda")
    assert (built / "imagegen" / "http" / "openapi.json").is_file()
    assert not (built / "requirements.txt").exists()


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


@pytest.mark.thorough
def test_two_checkouts_give_the_same_zip_under_the_same_hash(
    fresh: Bundle, built: Path, tmp_path: Path
) -> None:
    """Neither the folder, nor the umask, nor the dates and rights of the sources change a byte, a date or a right."""
    root = checkout(tmp_path / "of somebody else")
    for path in (root / "lambda").rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1e9, 1e9))
    elsewhere = Bundle(root=root, platform="host", compiler=HOST)
    before = os.umask(0o077)
    try:
        again = elsewhere.build()
    finally:
        os.umask(before)
    assert tree(again) == tree(built)
    assert elsewhere.fingerprint() == fresh.fingerprint()


def test_lambdas_own_user_can_read_every_file(built: Path) -> None:
    """The zip keeps the rights of its files, and that user owns none of them."""
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in built.rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_an_unchanged_tree_is_not_built_again(fresh: Bundle, built: Path) -> None:
    """The second build returns the directory of the first one untouched."""
    marker = built / "marker"
    marker.touch()
    assert fresh.build() == built
    assert marker.exists()
    marker.unlink()


def test_a_change_of_our_code_fetches_no_package(
    fresh: Bundle, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So only new pins need the network, and the new zip has the changed file and everything else."""

    def unreachable(*_: object, **__: object) -> None:
        raise BundlingError("The registry cannot be reached.")

    monkeypatch.setattr(Bundle, "_install", unreachable)
    extra = fresh.package / "one_more.py"
    extra.write_text("")
    changed = fresh.build()
    extra.unlink()
    assert changed != built
    assert (changed / "imagegen" / "one_more.py").is_file()
    assert {name for name in tree(changed) if "one_more" not in name} == set(tree(built))


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


def test_the_zip_holds_what_the_bill_of_materials_lists(built: Path) -> None:
    """The bill is made of the list of packages, so nothing else may be in the zip, in no other version."""
    held = {
        (normalized(name), version)
        for name, _, version in (path.stem.rpartition("-") for path in built.glob("*.dist-info"))
    }
    listed = pins_of((ROOT / "lambda" / "requirements.txt").read_text(encoding="utf-8"))
    assert held == {(pin.name, pin.version) for pin in listed}
    assert len(held) > 10


def bundle(root: Path, *, platform: Platform = "aarch64-manylinux2014") -> Bundle:
    """Return a bundle of a small tree, for tests that need only its fingerprint."""
    package = root / "lambda" / "imagegen"
    package.mkdir(parents=True, exist_ok=True)
    (package / "errors.py").write_text("x = 1\n")
    (root / "lambda" / "requirements.txt").write_text("six==1.17.0\n")
    return Bundle(root=root, platform=platform, compiler=HOST)


def test_the_fingerprint_follows_the_sources_and_the_requirements(tmp_path: Path) -> None:
    """A changed byte, a new file and a new pin each give another zip."""
    sources = bundle(tmp_path)
    seen = [sources.fingerprint()]
    (sources.package / "errors.py").write_text("x = 2\n")
    seen.append(sources.fingerprint())
    (sources.package / "data.json").write_text("{}")
    seen.append(sources.fingerprint())
    sources.requirements.write_text("six==1.16.0\n")
    seen.append(sources.fingerprint())
    assert len(set(seen)) == len(seen)


def test_the_fingerprint_follows_the_platform_and_the_bytecode(tmp_path: Path) -> None:
    """A zip for this machine differs from one for the cloud, and a zip with bytecode from one without."""
    cloud, host = bundle(tmp_path), bundle(tmp_path, platform="host")
    bare = Bundle(root=tmp_path, platform="aarch64-manylinux2014", compiler=None)
    assert len({cloud.fingerprint(), host.fingerprint(), bare.fingerprint()}) == 3


def test_the_fingerprint_of_the_authorizer_ignores_what_its_zip_does_not_hold(tmp_path: Path) -> None:
    """So a change of the HTTP API does not deploy the authorizer again; it never has the fingerprint of another zip."""
    service = bundle(tmp_path)
    authorizer = replace(service, contents=AUTHORIZER)
    before, of_the_service = authorizer.fingerprint(), service.fingerprint()
    assert before != of_the_service
    (service.package / "wiring.py").write_text("")
    assert authorizer.fingerprint() == before
    assert service.fingerprint() != of_the_service
    (service.package / "errors.py").write_text("x = 2\n")
    assert authorizer.fingerprint() != before


def test_the_fingerprint_follows_what_decides_about_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip of yesterday's list of removals is not taken for one of today's."""
    sources = bundle(tmp_path)
    before = sources.fingerprint()
    for number, maker in enumerate(bundling._MAKERS):
        changed = tmp_path / str(number) / maker.name
        changed.parent.mkdir()
        changed.write_text(maker.read_text() + "# another line\n")
        makers = tuple(changed if each == maker else each for each in bundling._MAKERS)
        with monkeypatch.context() as patch:
            patch.setattr(bundling, "_MAKERS", makers)
            assert sources.fingerprint() != before
    assert len(bundling._MAKERS) == 2


def test_the_fingerprint_ignores_what_python_leaves_behind(tmp_path: Path) -> None:
    """A test run leaves bytecode behind, and that does not change the zip."""
    sources = bundle(tmp_path)
    before = sources.fingerprint()
    (sources.package / "__pycache__").mkdir()
    (sources.package / "__pycache__" / "errors.cpython-311.pyc").write_bytes(b"stale")
    assert sources.fingerprint() == before


def wheel(folder: Path) -> str:
    """Write a wheel that has a program into a folder, and return its line of a lock."""
    path = folder / "small-1.0-py3-none-any.whl"
    info = "small-1.0.dist-info"
    files = {
        "small.py": "def main():\n    return {'a', 'b', 'c'} & {'c'}\n",
        "small-1.0.data/scripts/small-tool": "#!python\nimport small\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsmall = small:main\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return f"small==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bundle]:
    """Return a function that makes a bundle of one small wheel; uv and pip know no registry but its folder."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    line = wheel(folder)
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder)}.items():
        monkeypatch.setenv(f"UV_{name}", value)
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    def made(name: str, *, pins: str = line, platform: Platform = "host") -> Bundle:
        small = bundle(tmp_path / name, platform=platform)
        small.requirements.write_text(pins)
        return small

    return made


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of the program that installs; where it is pip, the environment has no uv."""
    name = str(request.param)
    if name == "pip":
        monkeypatch.setattr(bundling, "_uv", lambda: None)
    return name


@pytest.mark.parametrize("platform", ["host", "aarch64-manylinux2014"])
def test_pip_makes_the_same_zip_where_there_is_no_uv(
    platform: Platform, wheels: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves out what an installer notes about itself, and the programs, which name this machine's Python."""
    by_uv = wheels("uv", platform=platform).build()
    monkeypatch.setattr(bundling, "_uv", lambda: None)
    by_pip = wheels("pip", platform=platform).build()
    assert tree(by_pip) == tree(by_uv)
    assert {name for name in tree(by_pip) if "small" in name and "__pycache__" not in name} == {
        "small.py",
        "small-1.0.dist-info",
        "small-1.0.dist-info/METADATA",
        "small-1.0.dist-info/WHEEL",
        "small-1.0.dist-info/entry_points.txt",
    }


def test_a_package_with_another_hash_is_refused_in_one_line(
    installer: str, wheels: Callable[..., Bundle]
) -> None:
    """No half-built directory is left behind."""
    assert (bundling._uv() is None) == (installer == "pip")
    other = wheels("other", pins=f"small==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(BundlingError, match=r"^The functions' packages could not be installed: [^\n]*small"):
        other.build()
    assert list((other.root / ".build").iterdir()) == []


def test_requirements_without_hashes_are_refused(installer: str, wheels: Callable[..., Bundle]) -> None:
    """Every package of the zip must be pinned by the hash of its content."""
    assert (bundling._uv() is None) == (installer == "pip")
    with pytest.raises(BundlingError, match="hash"):
        wheels("without", pins="small==1.0\n").build()


def test_an_environment_without_uv_and_pip_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the interpreter."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        BundlingError, match=rf"^Neither uv nor pip is installed for {re.escape(sys.executable)}"
    ):
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
        f"echo {RUNTIME_VERSION}.9",
    )
    monkeypatch.setenv("PATH", str(tmp_path / "shims"), prepend=":")
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert find_compiler("aarch64-manylinux2014") == real


def test_a_python_of_another_version_compiles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytecode of another version is worse than none, because Lambda compiles it anew at each start."""
    script(tmp_path / "shims" / PYTHON, "echo 3.1.0")
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
    monkeypatch.setattr(bundling, "_uv", lambda: None)
    bundle(tmp_path)._install(tmp_path / "content")
    assert len(asked) == 2
    assert {command[command.index("--python-version") + 1] for command in asked} == {RUNTIME_VERSION}
    decision = (ROOT / "docs" / "decisions" / "0013-a-directory-instead-of-docker.md").read_text()
    assert set(re.findall(r"Python (3[.]\d+)", decision)) == {RUNTIME_VERSION}


def test_a_zip_for_this_machine_is_compiled_by_this_interpreter() -> None:
    """The emulator runs such a zip with this interpreter."""
    assert find_compiler("host") == Path(sys.executable)


def test_a_zip_for_this_machine_can_be_of_another_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then that one chooses the wheels and compiles; a benchmark runs the functions as Lambda's version does."""
    commands: list[list[str]] = []
    monkeypatch.setattr(bundling, "_run", lambda command, **_: commands.append(command))
    other = script(tmp_path / PYTHON, f"echo {RUNTIME_VERSION}.9")
    bundle(tmp_path, platform="host")
    of_another = Bundle(root=tmp_path, platform="host", compiler=other)
    of_another._install(tmp_path / "content")
    of_another._compile(tmp_path, root=tmp_path)
    monkeypatch.setattr(bundling, "_uv", lambda: None)
    of_another._install(tmp_path / "content")
    by_uv, compiled, by_pip = commands
    assert by_uv[by_uv.index("--python") + 1] == by_pip[by_pip.index("--python") + 1] == str(other)
    assert compiled[0] == str(other)


def test_the_fingerprint_follows_the_interpreter_of_a_zip_for_this_machine(tmp_path: Path) -> None:
    """Wheels and bytecode of one version do not run on another."""
    bundle(tmp_path, platform="host")
    pythons = [script(tmp_path / version / PYTHON, f"echo {version}") for version in ("3.12.1", "3.13.0")]
    bundles = [Bundle(root=tmp_path, platform="host", compiler=python) for python in (HOST, *pythons)]
    assert len({each.fingerprint() for each in bundles}) == 3


def test_a_new_release_of_a_package_leaves_the_authorizers_zip_alone(tmp_path: Path) -> None:
    """It holds no package, so a deployment does not replace it."""
    service = Bundle(root=checkout(tmp_path), platform="host", compiler=HOST)
    authorizer = replace(service, contents=AUTHORIZER)
    before = (service.fingerprint(), authorizer.fingerprint())
    with service.requirements.open("a", encoding="utf-8") as pins:
        pins.write("# another release\n")
    assert service.fingerprint() != before[0]
    assert authorizer.fingerprint() == before[1]
