"""`make smoke` on the deployed service of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operating import smoke
from tools.failures import LocalError

if TYPE_CHECKING:
    from tests.support.deployed_stack import Stack


def test_the_deployed_service_passes_and_one_image_is_made(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that is not of the stage is refused."""
    environ = {"IMAGEGEN_LOCAL_DIR": str(stack.folder)}
    assert smoke.check("local", prove="1", environ={**environ, "API_KEY": stack.state.api_key}) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "The service replies."
    assert "made an image for $" in said[-1]
    with pytest.raises(LocalError, match=r"^The list of models got 401: The API key is missing, unknown"):
        smoke.check("local", prove="", environ={**environ, "API_KEY": stack.state.api_key[:-1]})
