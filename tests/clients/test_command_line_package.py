"""The package in `client/` is installed from its wheel, without this checkout, and its command works.

`make clients` runs this test. It installs what the package needs, so it needs the registry.
"""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from imagegen_client.version import __version__
from tests.support.packages import built_wheel, fresh_environment
from tools.checkout import CHECKOUT


def output(*command: str | Path, folder: Path) -> str:
    """Run a program away from the checkout, and return what it printed."""
    done = subprocess.run(  # noqa: S603 - the program of the wheel
        command,
        cwd=folder,
        env={"HOME": str(folder), "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_wheel_installs_a_command_and_a_typed_library(tmp_path: Path) -> None:
    """The wheel has the package alone, and what it needs is all that it imports."""
    wheel = built_wheel(CHECKOUT / "client", into=tmp_path / "wheel")
    assert wheel.name == f"imagegen-{__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "imagegen_client",
        f"imagegen-{__version__}.dist-info",
    }
    assert "imagegen_client/py.typed" in names

    programs = fresh_environment(tmp_path / "environment", wheel)
    shown = output(programs / "imagegen", "--help", folder=tmp_path)
    assert 'imagegen "a tea plantation" -o tea.png' in shown
    assert output(programs / "imagegen", "--version", folder=tmp_path) == f"imagegen {__version__}\n"
    assert "--style" in output(programs / "imagegen", "generate", "--help", folder=tmp_path)
    program = "import imagegen_client as it; print(it.__version__, it.Client, it.AsyncClient)"
    assert __version__ in output(programs / "python", "-c", program, folder=tmp_path)
