"""The operator's environment names a place that can be one, and a profile that exists for every tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operating.stage import aws_options
from stacks.credentials import check_place, check_profile
from stacks.stage import StageError
from tools.failures import LocalError

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


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
@pytest.mark.parametrize(
    "region", ["$(touch x)", "us east", "mars", "us-east-1\n", "US-EAST-1", "us-east-1,us-west-2", "us-east-"]
)
def test_what_is_no_region_is_refused(variable: str, region: str) -> None:
    """Whoever deploys and whoever makes a key is told; otherwise the value would stand in the name of a host."""
    sentence = f"{variable} is {region!r}; it must be a region of AWS, such as us-east-1."
    with pytest.raises(StageError) as refused:
        check_place({variable: region})
    assert str(refused.value) == sentence
    with pytest.raises(LocalError) as also:
        aws_options("dev", {variable: region})
    assert str(also.value) == sentence


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDFORMATION"])
@pytest.mark.parametrize(
    "address",
    [
        "nope",
        "http://[::1",
        "ftp://u:secret@host",
        "http://",
        "http://host:port",
        "//host",
        "http://a b",
        "http://a..b",
    ],
)
def test_what_is_no_endpoint_is_refused(variable: str, address: str) -> None:
    """Botocore and the CDK fail on it with a traceback. The sentence shows no password."""
    with pytest.raises(StageError) as refused:
        check_place({variable: address})
    assert str(refused.value) == (
        f"{variable} must be an http or https address, such as http://127.0.0.1:4566."
    )


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"AWS_REGION": "", "AWS_ENDPOINT_URL": ""},
        *(
            {"AWS_REGION": region}
            for region in ("us-gov-west-1", "ap-southeast-3", "cn-north-1", "us-isob-east-1")
        ),
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"AWS_ENDPOINT_URL": "https://[::1]:4566"},
    ],
)
def test_a_place_that_can_be_one_is_accepted(environ: dict[str, str]) -> None:
    """Whether it exists is for AWS to say."""
    check_place(environ)
