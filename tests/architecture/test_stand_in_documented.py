"""docs/local.md describes every fault rule and control route of the stand-in model."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.bedrock.rules import ACTIONS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "local.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_documented_with_its_options(action: str) -> None:
    """A reader of the page can write a rule with this action."""
    assert f"`{action}`" in DOCUMENT
    assert f'"{action}"' in DOCUMENT
    for option in ACTIONS[action]:
        assert option in DOCUMENT


@pytest.mark.parametrize(
    "route", ["/_control/rules", "/_control/calls", "/_control/reset", "/_control/health"]
)
def test_a_control_route_is_documented(route: str) -> None:
    """The page has the route's path."""
    assert route in DOCUMENT
