"""The profile of the operator's credentials is one that exists, and the same one for every tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stacks.credentials import check_profile
from stacks.stage import StageError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give botocore a configuration with two profiles."""
    file = tmp_path / "config"
    file.write_text("[profile home]\n[profile work]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_profile_that_does_not_exist_is_refused(variable: str) -> None:
    """The CDK and botocore read both variables."""
    with pytest.raises(StageError) as refused:
        check_profile({variable: "nope"})
    assert str(refused.value) == (
        f"{variable} is 'nope', but your AWS configuration has no such profile; it has home, work."
    )


def test_two_profiles_are_refused() -> None:
    """The CDK would deploy with one, and the commands for keys would look in the account of the other."""
    with pytest.raises(StageError) as refused:
        check_profile({"AWS_PROFILE": "home", "AWS_DEFAULT_PROFILE": "work"})
    assert str(refused.value) == (
        "AWS_PROFILE and AWS_DEFAULT_PROFILE name different profiles; unset one of them."
    )


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"AWS_PROFILE": ""},
        {"AWS_PROFILE": "work"},
        {"AWS_DEFAULT_PROFILE": "work"},
        {"AWS_PROFILE": "work", "AWS_DEFAULT_PROFILE": "work"},
        {"AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "work"},
    ],
)
def test_one_profile_that_exists_or_none_is_accepted(environ: dict[str, str]) -> None:
    """An empty variable counts as none."""
    check_profile(environ)
