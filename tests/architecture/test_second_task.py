"""A second task, another family of models and a third foreign shape need only new files and rows in tables.

The package is copied, the files of `tests/data/second_task/` go into the copy, and the tables that
CONTRIBUTING.md names get their rows. A separate process then sends requests through all of it, over the
in-memory ports.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FILES: Final = ROOT / "tests" / "data" / "second_task"

MODEL: Final = """\
    Model(
        id="example.swatches-v1:0",
        name="Swatches",
        dialect=swatches.DIALECT,
        regions=("us-west-2",),
        lifecycle=Lifecycle(),
        price=Price(per_image=0.01),
        requests_per_minute=None,
    ),
"""
ROUTES: Final = """\
    Route(method="POST", path="/swatches", name="createSwatch", task="swatch", max_body=200),
    Route(method="POST", path="/paint/{colour}", name="paint", shape="paint", max_body=100),
"""
ROWS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "contracts/generation_request.py": (
        (
            "from imagegen.contracts.text_to_image.parameters import TextToImage\n",
            "from imagegen.contracts.swatch.parameters import Swatch\n",
        ),
        ("    TextToImage.kind: TextToImage,\n", "    Swatch.kind: Swatch,\n"),
    ),
    "models/registry.py": (
        ("from imagegen.models import sdxl, stable_image\n", "from imagegen.models import swatches\n"),
        ("MODELS: Final[tuple[Model, ...]] = (\n", MODEL),
    ),
    "http/surface.py": (("ROUTES: Final = (\n", ROUTES),),
    "http/app.py": (
        (
            "from imagegen.contracts.text_to_image import reading as text_to_image\n",
            "from imagegen.contracts.swatch import schema as swatch\nfrom imagegen.http.compat import paint\n",
        ),
        ("CONTRACTS: Final[Mapping[str, Contract]] = {", '"swatch": swatch.parse, '),
        ("SHAPES: Final[Mapping[str, Callable[..., Shape]]] = {\n", '    "paint": paint.Paint,\n'),
    ),
}
"""Rows that a second task adds to existing files: pairs of an existing line and the row that follows it."""


def second_task(folder: Path) -> Path:
    """Return a copy of the package that has the second task as well."""
    package = folder / "imagegen"
    shutil.copytree(ROOT / "lambda" / "imagegen", package, ignore=shutil.ignore_patterns("__pycache__"))
    for source in FILES.rglob("*.py.txt"):
        target = package / source.relative_to(FILES).with_suffix("")
        if target.parent != package:
            target.parent.mkdir(exist_ok=True)
            assert not target.exists()
            shutil.copy(source, target)
    for name, rows in ROWS.items():
        text = (package / name).read_text(encoding="utf-8")
        for line, row in rows:
            assert text.count(line) == 1, f"{name} has no table that begins so: {line}"
            text = text.replace(line, line + row)
        (package / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the results of the requests that `journey.py.txt` sends."""
    path = os.pathsep.join([str(second_task(tmp_path_factory.mktemp("lambda"))), str(ROOT)])
    done = subprocess.run(  # noqa: S603 - it runs what is written here
        [sys.executable, "-c", (FILES / "journey.py.txt").read_text(encoding="utf-8")],
        env={"PATH": os.defpath, "PYTHONPATH": path, "POWERTOOLS_SERVICE_NAME": "imagegen"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    members: dict[str, Any] = json.loads(done.stdout)
    return members


def test_a_second_task_changes_no_other_file() -> None:
    """`generations/` and `adapters/` stay unchanged; a dialect and a shape are new files."""
    assert {name.split("/")[0] for name in ROWS} == {"contracts", "models", "http"}
    assert sum(len(rows) for rows in ROWS.values()) == 8


def test_a_request_of_the_second_task_is_made_in_its_models_words(journey: dict[str, Any]) -> None:
    """The model is called once, with a seed that the service chose."""
    assert journey["made"] == [200, "example.swatches-v1:0", "succeeded"]
    assert set(journey["sent"]) == {"hue", "seed"}
    assert journey["sent"]["hue"] == "red"


def test_a_key_stands_for_one_request_of_the_second_task(journey: dict[str, Any]) -> None:
    """The fingerprint depends on the second task's own parameters."""
    assert journey["again"] == [200, "true"]
    assert journey["other"] == [422, "idempotency_conflict"]
    assert journey["paid"] == 3


def test_the_second_task_is_refused_in_words_of_its_own_fields(journey: dict[str, Any]) -> None:
    """The error's words come from the names, choices and bounds of its schema."""
    assert journey["unknown"] == [{"field": "sed", "message": "is not a parameter (did you mean seed?)"}]
    assert journey["wrong"] == ["must be one of red, green, blue", "must be an integer from 0 to 99"]
    assert journey["large"] == [413, "payload_too_large"]


def test_a_job_of_the_second_task_is_made_from_its_record(journey: dict[str, Any]) -> None:
    """Worker, look-up and history read the parameters that the record keeps."""
    assert journey["looked"] == [200, "succeeded", "green"]
    assert sorted(journey["history"]) == ["green", "red"]


def test_a_foreign_shape_reaches_the_second_task(journey: dict[str, Any]) -> None:
    """The third foreign shape has its own replies and problems."""
    assert journey["painted"] == [200, True]
    assert journey["refused"] == [400, "invalid_parameter"]


def test_a_model_that_cannot_do_a_task_is_not_asked(journey: dict[str, Any]) -> None:
    """The request is refused before a call is paid."""
    assert journey["text"] == [400, "unsupported_parameter"]


def test_a_model_of_the_second_task_is_listed(journey: dict[str, Any]) -> None:
    """The model honours no parameter of the first contract."""
    assert journey["models"] == [[]]
    assert journey["engines"] == 200


def test_a_deleted_generation_keeps_its_kind(journey: dict[str, Any]) -> None:
    """The tombstone keeps the kind, so that the image is found, whatever its format."""
    assert journey["deleted"] == [204, "deleted", "swatch"]
