"""The route table answers the questions of the app, the OpenAPI document and the stack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from imagegen.http import surface
from imagegen.http.surface import BASE_PATH, Route


def test_a_route_is_found_by_its_name_and_named_in_a_sentence() -> None:
    """Paths and sentences have their path parameters filled in."""
    assert surface.route_named("showGeneration").path == "/generations/{id}"
    assert surface.generation_path("gen_x") == f"{BASE_PATH}/generations/gen_x"
    assert surface.spoken("listGenerations") == f"GET {BASE_PATH}/generations"
    assert surface.spoken("showGeneration", id="gen_x") == f"GET {BASE_PATH}/generations/gen_x"


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/images/generations", "openai"),
        ("/images/edits", "openai"),
        ("/images", "problem"),
        ("/generation/x", "stability"),
        ("/engines/none", "stability"),
        ("/generations/x", "problem"),
        ("/models", "problem"),
        ("/", "problem"),
        ("", "problem"),
        ("/nothing", "problem"),
    ],
)
def test_a_path_without_a_route_is_refused_in_the_shape_beside_it(path: str, shape: str) -> None:
    """An unknown path takes the shape of the routes under its first segment, otherwise our own shape."""
    assert surface.shape_at(path) == shape


def test_a_new_route_brings_its_shape_to_the_paths_beside_it() -> None:
    """A new row in the table is enough for unknown paths beside it to take its shape."""
    routes = (
        *surface.ROUTES,
        Route(method="POST", path="/model/{id}/invoke", name="invoke", shape="bedrock"),
    )
    assert surface.shape_at("/model/x/converse", routes) == "bedrock"
    assert surface.shape_at("/models/x", routes) == "openai"


def test_a_route_reads_a_body_exactly_where_its_method_has_one() -> None:
    """Only routes with `POST` have a size limit above zero."""
    assert all((route.max_body > 0) == (route.method == "POST") for route in surface.ROUTES)


def test_whoever_deploys_or_describes_the_api_loads_nothing_else() -> None:
    """Importing the surface loads neither pydantic nor Powertools nor boto3."""
    root = Path(__file__).parents[3] / "lambda"
    program = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "import imagegen.http.surface\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'pydantic', 'aws_lambda_powertools', 'boto3'}))\n"
    )
    done = subprocess.run(  # noqa: S603 - it runs what is written here
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
