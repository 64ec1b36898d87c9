"""A reply is read in full, or refused: never half of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagegen_client import errors, replies
from imagegen_client.failures import problem_error
from tests.support.client_steps import generation


def read(data: object) -> replies.Generation:
    """Read a generation."""
    return replies.generation(data, error=problem_error)


def artifact(**changes: object) -> dict[str, Any]:
    """Return a generation whose artifact has these members."""
    whole = generation()
    return {**whole, "artifacts": [{**whole["artifacts"][0], **changes}]}


def test_members_of_a_later_version_do_no_harm() -> None:
    """They are in `raw`."""
    found = read({**generation(), "colour": "green"})
    assert found.raw["colour"] == "green"
    assert found == read(generation())


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {**generation(), "id": 1},
        {**generation(), "status": "done"},
        {**generation(), "created_at": "yesterday"},
        {**generation(), "cost_usd": "0.04"},
        {**generation(), "cost_usd": True},
        {**generation(), "ignored_parameters": [1]},
        {**generation(), "artifacts": {}},
        {**generation(), "artifacts": [1]},
        {**generation(), "request": 1},
        {**generation(), "request": {"text_prompts": "tea"}},
        {**generation(), "request": {"text_prompts": ["tea"]}},
        {**generation(), "request": {"text_prompts": [{"text": 1}]}},
        {**generation(), "request": {"text_prompts": [{"text": "tea", "weight": "1"}]}},
        {**generation(), "request": {"seed": "7"}},
        {**generation(), "id": ""},
        {**generation(), "id": "../../tea"},
        {**generation(), "cost_usd": float("nan")},
        {**generation(), "cost_usd": float("inf")},
        {**generation(), "cost_usd": 10**400},
        {**generation(), "error": 1},
        artifact(seed=1.5),
        artifact(bytes=None),
        artifact(url=None),
        artifact(url="file:///etc/passwd"),
        artifact(url="https://[::1"),
        artifact(url="https:///a.png"),
        artifact(expires_at=""),
    ],
)
def test_a_generation_of_another_form_is_refused(data: object) -> None:
    """The error says that the reply is not one of this API."""
    with pytest.raises(errors.UnexpectedReply):
        read(data)


def history(data: object) -> replies.HistoryPage:
    """Read a page."""
    return replies.history_page(data, error=problem_error)


@pytest.mark.parametrize("reader", [history, replies.models, replies.usage])
@pytest.mark.parametrize("data", [{}, [], {"models": [{}]}, {"days": [], "limits": {}}, {"generations": []}])
def test_other_replies_of_another_form_are_refused(reader: Callable[[object], object], data: object) -> None:
    """A page, a list of models and the usage are read as strictly."""
    with pytest.raises(errors.UnexpectedReply):
        reader(data)
