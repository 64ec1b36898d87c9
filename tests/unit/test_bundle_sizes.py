"""The table of the zip's packages adds up to the zip."""

from __future__ import annotations

import zipfile
from pathlib import Path

from benchmarks.bundle import METADATA, sizes


def content(at: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, and return it."""
    for name, text in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(text)
    return at


def test_each_package_has_its_share_of_the_zip(tmp_path: Path) -> None:
    """The shares and the end of the zip, which has 22 bytes, are the zip."""
    files = {
        "botocore/data/a.json": bytes(range(256)) * 9,
        "botocore/session.py": b"x = 1\n" * 999,
        "botocore-1.0.dist-info/LICENSE": b"you may" * 30,
        "six.py": b"y = 2\n" * 99,
        "__pycache__/six.cpython-313.pyc": b"z" * 300,
        "six-1.17.0.dist-info/METADATA": b"Name: six",
    }
    folder = content(tmp_path / "content", files)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in files:
            archive.write(folder / name, name)
    shares = sizes(folder)
    assert list(shares) == ["botocore", METADATA, "six"]
    assert sum(shares.values()) == (tmp_path / "all.zip").stat().st_size - 22


def test_a_larger_file_makes_a_larger_share(tmp_path: Path) -> None:
    """Compressed, so that a thousand equal bytes count little."""
    before = sizes(content(tmp_path, {"a.py": b"x"}))["a"]
    equal = sizes(content(tmp_path, {"a.py": b"x" * 1000}))["a"]
    mixed = sizes(content(tmp_path, {"a.py": bytes((n * n) % 251 for n in range(1000))}))["a"]
    assert before < equal + 20 < before + 60 < mixed
