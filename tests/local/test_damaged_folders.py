"""Files of the local service that somebody has damaged or removed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from local import certificates, deployment, keys, life_cycle, processes
from local.deployment import Deployment
from local.processes import Service
from local.variables import Variables, from_environment
from tools.failures import LocalError


def circle(folder: Path) -> str:
    """Return the path of a link that leads to itself."""
    (folder / "circle").symlink_to(folder / "circle")
    return str(folder / "circle" / "below")


def test_a_path_that_leads_in_a_circle_is_one_sentence(tmp_path: Path) -> None:
    """From Python 3.13 on, the path is a path, and the folder cannot be made."""
    with pytest.raises((LocalError, OSError), match=r"IMAGEGEN_LOCAL_DIR|Too many levels"):
        life_cycle.up(from_environment({"IMAGEGEN_LOCAL_DIR": circle(tmp_path)}))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"local": 5}', b"\xff"])
def test_damaged_keys_are_lost_keys(content: bytes, tmp_path: Path) -> None:
    """`up` makes new ones in their place."""
    (tmp_path / "keys.json").write_bytes(content)
    assert keys._read(tmp_path) == {}


def test_a_damaged_certificate_is_made_anew(tmp_path: Path) -> None:
    """`up` restarts the emulator with it."""
    now = dt.datetime.now(tz=dt.UTC)
    files = certificates.ensure(tmp_path, now=now)
    files.certificate.write_bytes(b"-----BEGIN\xff")
    assert certificates.ensure(tmp_path, now=now).certificate.read_bytes().startswith(b"-----BEGIN CERT")


def test_a_damaged_record_is_no_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` deploys again."""
    monkeypatch.setattr(deployment, "digest_of", lambda _: "of these sources")
    wanted = Deployment(variables=Variables(folder=tmp_path), certificates=None)
    wanted.record.write_bytes(b"\xff")
    assert not wanted.is_current()


def test_a_part_that_is_not_installed_is_one_sentence(tmp_path: Path) -> None:
    """`make up` installs it; `python -m local up` does not."""
    service = Service(
        role="emulator",
        command=(str(tmp_path / "python"),),
        environment={},
        working_folder=tmp_path,
        folder=tmp_path,
        port=1,
    )
    with pytest.raises(LocalError, match=r"^/.*/python is not installed: run `make set-up`\.$"):
        processes.start(service)
