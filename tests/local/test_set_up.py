"""If the machine lacks something, the set-up says so in one sentence, without a traceback, with exit status 1."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.local_instances import ENVIRON
from tools.checkout import CHECKOUT
from tools.registries import names_unreachable_registry, uv_settings
from tools.set_up import steps

FILES = (
    "requirements.lock",
    "package.json",
    "package-lock.json",
    "local/requirements.txt",
    "docsite/requirements.txt",
    "tools/requirements.txt",
    "tools/__init__.py",
    "tools/checkout.py",
    "tools/failures.py",
    "tools/registries.py",
    "tools/set_up.py",
    "tools/set_up.sh",
)
NOWHERE = "http://127.0.0.1:9"
STAMP_ALL = """
from tools.set_up import steps
for step in steps():
    program = step.target / step.program
    program.parent.mkdir(parents=True)
    program.touch()
    step.marker.write_text(" ".join(step.fingerprint()))
"""
PLAIN_TOOLS = ("sh", "dirname", "uname")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout in which nothing is installed."""
    root = tmp_path / "checkout"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, root / name)
    return root


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder for PATH that has only the shell's own tools and the Python of the tests."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in PLAIN_TOOLS:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    return folder


def pretend(programs: Path, name: str, script: str) -> None:
    """Put a shell script of that name on PATH."""
    (programs / name).unlink(missing_ok=True)
    (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (programs / name).chmod(0o755)


def set_up(
    checkout: Path, programs: Path, *arguments: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the set-up as `make` does, with an empty home."""
    kept = {name: value for name, value in ENVIRON.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    return subprocess.run(  # noqa: S603 - the checkout's own script
        [programs / "sh", checkout / "tools" / "set_up.sh", *arguments],
        env={**kept, "PATH": str(programs), "HOME": str(checkout), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def sentence(done: "subprocess.CompletedProcess[str]") -> str:
    """Check that a run failed with one line on standard error, and return that line."""
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_python_that_is_too_old_is_named_with_its_version(checkout: Path, programs: Path) -> None:
    """The sentence names the version that is there and the version that is needed."""
    pretend(programs, "python3", 'case "$2" in *print*) echo 3.9.2;; *) exit 1;; esac')
    assert "Python 3.11 or newer is needed, but python3 is 3.9.2" in sentence(set_up(checkout, programs))


def test_no_python_at_all_is_one_sentence(checkout: Path, programs: Path) -> None:
    """Without Python none of our code can run, so the shell script says it."""
    (programs / "python3").unlink()
    assert "there is no python3 on PATH" in sentence(set_up(checkout, programs))


def test_a_python_that_does_not_run_is_passed_over(checkout: Path, programs: Path) -> None:
    """A shim on PATH may stand for a version that is not installed; then the set-up tries the next name."""
    pretend(programs, "python3", "echo 'command not found' >&2; exit 127")
    (programs / "python3.11").symlink_to(os.path.realpath(sys.executable))
    assert "Node.js" in sentence(set_up(checkout, programs))


def test_a_python_without_venv_names_the_package(checkout: Path, programs: Path) -> None:
    """Debian has the module in a package of its own, which the sentence names."""
    pretend(programs, "python3", 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12.1;; esac')
    assert "python3-venv" in sentence(set_up(checkout, programs))


def test_a_missing_node_is_one_sentence(checkout: Path, programs: Path) -> None:
    """The sentence comes before anything is downloaded."""
    assert "Node.js 20 or newer is needed" in sentence(set_up(checkout, programs))
    assert not (checkout / ".venv").exists()


def test_a_node_that_is_too_old_is_named_with_its_version(checkout: Path, programs: Path) -> None:
    """The sentence names the version that is there and the version that is needed."""
    pretend(programs, "node", "echo v18.19.0")
    assert "but node is 18.19.0" in sentence(set_up(checkout, programs))


def test_an_unreachable_registry_is_one_sentence_and_the_next_run_goes_on(
    checkout: Path, programs: Path
) -> None:
    """The sentence names the tool and quotes its last words, and nothing counts as installed."""
    pretend(programs, "node", "echo v20.0.0")
    cut_off = {
        "PIP_INDEX_URL": f"{NOWHERE}/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
    }
    said = sentence(set_up(checkout, programs, **cut_off))
    assert said.startswith("The package registry cannot be reached")
    assert "pip" in said
    assert not (checkout / ".venv" / ".set-up").exists()


def test_a_stamped_checkout_is_left_alone(checkout: Path, programs: Path) -> None:
    """A second run does nothing; after a change of a list of packages it installs again."""
    pretend(programs, "node", "echo v20.0.0")
    subprocess.run([programs / "python3", "-c", STAMP_ALL], cwd=checkout, check=True)  # noqa: S603 - this Python
    done = set_up(checkout, programs)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (checkout / "package.json").write_text("{}", encoding="utf-8")
    assert "npm is needed" in sentence(set_up(checkout, programs))


def test_the_generator_of_the_docs_is_installed_only_if_it_is_asked_for(
    checkout: Path, programs: Path
) -> None:
    """Nobody who only runs the service waits for it; asked for twice, it is installed once."""
    pretend(programs, "node", "echo v20.0.0")
    subprocess.run([programs / "python3", "-c", STAMP_ALL], cwd=checkout, check=True)  # noqa: S603 - this Python
    for name in ("python", "uv"):
        pretend(checkout / ".venv" / "bin", name, "exit 0")
    assert set_up(checkout, programs).stdout == ""
    assert not (checkout / ".venv" / "docs").exists()
    done = set_up(checkout, programs, "docs")
    assert done.stdout.startswith("set-up: generator of the docs…"), done.stderr
    assert (checkout / ".venv" / "docs" / "bin" / "python").exists()
    assert set_up(checkout, programs, "docs").stdout == ""


def test_nothing_is_installed_without_its_hash_and_no_script_of_a_package_runs(
    checkout: Path, programs: Path
) -> None:
    """Whatever installs is told so: pip and uv for each lock, npm for its own."""
    pretend(programs, "node", "echo v20.0.0")
    subprocess.run([programs / "python3", "-c", STAMP_ALL], cwd=checkout, check=True)  # noqa: S603 - this Python
    said = f'echo "$(basename "$0") $*" >>{checkout}/commands'
    for folder, name in (
        (checkout / ".venv/bin", "python"),
        (checkout / ".venv/bin", "uv"),
        (programs, "npm"),
    ):
        pretend(folder, name, f"{said}\n[ $1 = --version ] && echo 11.0.0; exit 0")
    (checkout / ".venv" / "pyvenv.cfg").touch()
    (programs / "basename").symlink_to(shutil.which("basename") or "")
    for step in ("", "emulator"):
        (checkout / ".venv" / step / ".set-up").write_text(stale(checkout / ".venv" / step), encoding="utf-8")
    (checkout / "package.json").write_text("{}", encoding="utf-8")
    assert set_up(checkout, programs, "docs", "supply").returncode == 0
    commands = (checkout / "commands").read_text(encoding="utf-8").splitlines()
    locks = {"requirements.lock", *(name for name in FILES if name.endswith("/requirements.txt"))}
    synced = [command for command in commands if command.startswith("uv pip sync")]
    assert {Path(command.split()[-1]).relative_to(checkout).as_posix() for command in synced} == locks
    installs = [command for command in commands if " install " in command or " sync " in command]
    assert len(installs) == len(locks) + 1
    assert [command for command in installs if "--require-hashes" not in command] == []
    (npm,) = [command for command in commands if command.startswith("npm ") and "--version" not in command]
    assert npm.startswith("npm ci --ignore-scripts ")


def test_npm_works_beside_pip_and_uv(checkout: Path, programs: Path) -> None:
    """Each waits here until the other has begun, so one after the other would never end."""
    pretend(programs, "node", "echo v20.0.0")
    subprocess.run([programs / "python3", "-c", STAMP_ALL], cwd=checkout, check=True)  # noqa: S603 - this Python
    (programs / "sleep").symlink_to(shutil.which("sleep") or "")
    wait = "n=0; until [ -e {0} ]; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done"
    begun = {name: checkout / f"{name}-has-begun" for name in ("npm", "uv")}
    for folder, name, other in ((programs, "npm", "uv"), (checkout / ".venv/bin", "uv", "npm")):
        met = f": >{begun[name]}; {wait.format(begun[other])}"
        pretend(folder, name, f"[ $1 = --version ] && echo 11.0.0 && exit 0; {met}")
    pretend(checkout / ".venv/bin", "python", "exit 0")
    emulator = checkout / ".venv/emulator"
    (emulator / ".set-up").write_text(stale(emulator), encoding="utf-8")
    (checkout / "package.json").write_text("{}", encoding="utf-8")
    done = set_up(checkout, programs)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4


def stale(target: Path) -> str:
    """Return a stamp of the right place and of other sources."""
    return f"{(target / '.set-up').read_text(encoding='utf-8').split()[0]} other"


def test_an_environment_whose_python_is_gone_is_not_whole(tmp_path: Path) -> None:
    """After an upgrade of Python its link leads nowhere, although its stamp is fresh."""
    step = replace(steps()[0], target=tmp_path)
    program = tmp_path / step.program
    program.parent.mkdir()
    program.symlink_to(tmp_path / "python-that-was-removed")
    assert not step.is_whole()
    program.unlink()
    program.symlink_to(sys.executable)
    assert step.is_whole()


def test_the_index_that_pip_is_configured_with_is_given_to_uv() -> None:
    """A machine may name its mirror only in pip.conf. Settings override each other as in pip."""
    listed = (
        "global.index-url='https://one.example/simple'\n:env:.index-url='https://two.example/simple?a=b'\n"
    )
    assert uv_settings(listed) == {"UV_DEFAULT_INDEX": "https://two.example/simple?a=b"}
    assert uv_settings("install.cert='/etc/mirror.pem'\n") == {"SSL_CERT_FILE": "/etc/mirror.pem"}
    assert uv_settings("global.timeout='60'\n") == {}
    assert uv_settings("") == {}


@pytest.mark.parametrize(
    "said",
    [
        "ERROR: Could not find a version that satisfies it\nERROR: No matching distribution found for uv==1",
        "error: Failed to fetch: `https://registry.example/simple/uv/`",
        "npm error code ECONNREFUSED",
        "npm error code ENOTFOUND",
    ],
)
def test_the_words_of_each_tool_for_no_network_are_known(said: str) -> None:
    """pip, uv and npm each have their own words for it."""
    assert names_unreachable_registry(said)


def test_a_wrong_hash_is_not_mistaken_for_an_unreachable_registry() -> None:
    """The registry was reached, but the package that it sent is wrong."""
    assert not names_unreachable_registry(
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."
    )
