"""Other people's clients, from their registries, work with a base URL and an API key alone, and lose no error.

`make clients` runs these tests. They install every client first, so they need the registries.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import pytest
from PIL import Image

from tests.support.client_programs import Program, picture

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.support.deployed_stack import Stack, StandIn

PROMPT: Final = "Sri lanka tea plantation."
WRONG_KEY: Final = "not-a-key-0123456789"
PROGRAMS: Final = (
    Program(name="python/openai-3", refused_key="AuthenticationError", refused_prompt="BadRequestError"),
    Program(name="node/openai", refused_key="AuthenticationError", refused_prompt="BadRequestError"),
)


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    """Each client in turn."""
    chosen: Program = request.param
    return chosen


def test_the_clients_own_call_makes_a_picture(
    program: Program, stack: Stack, stand_in: StandIn, anonymous: httpx.Client, tmp_path: Path
) -> None:
    """One picture is painted, and the client hands it to its caller."""
    done = program.run(stack, key=stack.state.api_key, prompt=PROMPT, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    with Image.open(io.BytesIO(picture(done.stdout, anonymous=anonymous))) as image:
        assert (image.format, image.size) == ("PNG", (1024, 1024))
    assert stand_in.calls()["painted"] == 1


def test_a_wrong_key_is_told_in_the_clients_own_words(
    program: Program, stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """The client raises its own exception, with this service's sentence."""
    done = program.run(stack, key=WRONG_KEY, prompt=PROMPT, folder=tmp_path)
    said = done.stdout + done.stderr
    assert program.refused_key in said, said[-4000:]
    assert "Send it as x-api-key or as a bearer token" in said, said[-4000:]
    assert stand_in.calls()["calls"] == 0


def test_a_refused_prompt_is_told_in_the_clients_own_words(
    program: Program, stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """Likewise for a request that the service refuses before it pays."""
    done = program.run(stack, key=stack.state.api_key, prompt="", folder=tmp_path)
    said = done.stdout + done.stderr
    assert program.refused_prompt in said, said[-4000:]
    assert "prompt must be a string of 1 to" in said, said[-4000:]
    assert stand_in.calls()["calls"] == 0
