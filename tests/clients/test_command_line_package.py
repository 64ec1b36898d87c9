"""The package in `client/` is installed from its wheel, without this checkout, and its command works on every Python.

`make clients` runs this test. It installs what the package needs, so it needs the registry. It tries each Python from
3.11 to 3.14 that uv finds; `uv python install` gets one that is missing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from imagegen_client.version import __version__
from tests.support.client_steps import PNG, generation
from tests.support.faulty_server import FaultyServer, Reply, Request, whole
from tests.support.packages import built_wheel, fresh_environment, interpreter
from tools.checkout import CHECKOUT

VERSIONS: Final = ("3.11", "3.12", "3.13", "3.14")
"""Those that `client/pyproject.toml` names."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test of an environment one for each Python of this machine."""
    if "python" in metafunc.fixturenames:
        found = {version: interpreter(version) for version in VERSIONS}
        there = {version: path for version, path in found.items() if path is not None}
        metafunc.parametrize("python", there.values(), ids=list(there))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built once."""
    return built_wheel(CHECKOUT / "client", into=tmp_path_factory.mktemp("wheel"))


def output(*command: str | Path, folder: Path, says: str = "", **variables: str) -> str:
    """Run a program away from the checkout, and return what it printed; `says` stands in what it wrote to stderr."""
    done = subprocess.run(  # noqa: S603 - the program of the wheel
        command,
        cwd=folder,
        env={"HOME": str(folder), "COLUMNS": "200", "NO_PROXY": "*", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr if not says else "") == (0, "")
    assert says in done.stderr
    return done.stdout


def drawing(request: Request) -> Reply:
    """Reply as the service and its bucket do."""
    if request.head.startswith("GET /a.png"):
        return whole(200, PNG)
    made = generation()
    artifact = {**made["artifacts"][0], "url": f"http://{request.header('host')}/a.png"}
    return whole(200, json.dumps({**made, "artifacts": [artifact]}).encode())


def test_the_wheel_has_the_package_alone(wheel: Path) -> None:
    """With the mark of a typed library."""
    assert wheel.name == f"imagegen-{__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "imagegen_client",
        f"imagegen-{__version__}.dist-info",
    }
    assert "imagegen_client/py.typed" in names


def test_the_versions_are_those_of_the_package() -> None:
    """Also the Python of this checkout is one of them, so at least that one is tried."""
    project = (CHECKOUT / "client" / "pyproject.toml").read_text(encoding="utf-8")
    assert [version for version in VERSIONS if f"Python :: {version}" not in project] == []
    assert project.count("Programming Language :: Python :: 3.") == len(VERSIONS)
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in VERSIONS
    assert interpreter(f"{sys.version_info.major}.{sys.version_info.minor}") is not None


def test_the_wheel_installs_a_command_and_a_library(wheel: Path, python: Path, tmp_path: Path) -> None:
    """What the package needs is all that it imports; the command makes a picture, and Python warns of nothing."""
    programs = fresh_environment(tmp_path / "environment", wheel, python=python)
    shown = output(programs / "imagegen", "--help", folder=tmp_path)
    assert 'imagegen "a tea plantation" -o tea.png' in shown
    assert output(programs / "imagegen", "--version", folder=tmp_path) == f"imagegen {__version__}\n"
    assert "--style" in output(programs / "imagegen", "generate", "--help", folder=tmp_path)
    program = "import imagegen_client as it; print(it.__version__, it.Client, it.AsyncClient)"
    assert __version__ in output(programs / "python", "-c", program, folder=tmp_path)

    with FaultyServer(drawing) as server:
        variables = {
            "IMAGEGEN_URL": f"{server.url}/v1",
            "IMAGEGEN_API_KEY": "ig_key",
            "PYTHONWARNINGS": "error::DeprecationWarning:imagegen_client",
        }
        made = output(
            *(programs / "imagegen", "tea", "-o", "tea.png"),
            folder=tmp_path,
            says="1024x1024, seed 3407",
            **variables,
        )
        assert (made, (tmp_path / "tea.png").read_bytes()) == ("tea.png\n", PNG)
        (tmp_path / "lines.txt").write_text("green tea\nblack tea\n", encoding="utf-8")
        many = output(
            programs / "imagegen", "batch", "lines.txt", folder=tmp_path, says="2 of 2 pictures", **variables
        )
        assert sorted(many.splitlines()) == ["lines/0001-green-tea.png", "lines/0002-black-tea.png"]
