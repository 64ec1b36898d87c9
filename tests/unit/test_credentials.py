"""What the environment says of AWS is one sentence if no request can be made out of it, without any secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from botocore.exceptions import HTTPClientError

from operating import clients, stage
from stacks.addresses import is_address
from stacks.credentials import check_place
from stacks.stage import StageError
from tools.failures import LocalError

SECRET = "wJalrXUtnFEMI/K7MDENG"
NO_CREDENTIAL = "{} has a character that no credential has, such as a space or the end of a line."


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave botocore without this machine's variables and files."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # noqa: TID251 - botocore reads it
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


def test_a_region_of_a_file_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would stand in the name of a host."""
    (tmp_path / "config").write_text("[default]\nregion = us east\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(LocalError, match=r"^The region of your AWS configuration is 'us east'; it must be "):
        stage.key_table("dev", environ={})


def test_the_region_that_the_cdk_found_is_checked() -> None:
    """It may come from a file that no variable names."""
    with pytest.raises(StageError, match=r"^The region that the CDK found is 'mars-1'; it must be "):
        check_place({"CDK_DEFAULT_REGION": "mars-1"})


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
@pytest.mark.parametrize("url", ["nope", "http://[::1", "ftp://host", "http://-x", f"http://{SECRET}@ho st"])
def test_an_endpoint_that_cannot_be_one_is_refused_unshown(variable: str, url: str) -> None:
    """It may hold a password."""
    with pytest.raises(StageError) as caught:
        check_place({variable: url})
    assert str(caught.value).startswith(f"{variable} must be an http or https address, such as ")
    assert url not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566", "https://[::1]:80/x", "http://localhost.:1/path/"])
def test_an_endpoint_may_have_a_path_and_an_address_of_any_kind(url: str) -> None:
    """Those of proxies and emulators do."""
    assert is_address(url)


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("end", ["\n", "\r", " x", "\udcff", "\N{SNOWMAN}"])
def test_a_credential_that_cannot_be_sent_is_refused_unshown(variable: str, end: str) -> None:
    """The text of botocore would have the whole header."""
    with pytest.raises(StageError) as caught:
        check_place({variable: f"{SECRET}{end}"})
    assert str(caught.value) == NO_CREDENTIAL.format(variable)


def test_a_file_of_aws_with_a_value_that_cannot_be_used_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever botocore reads besides the variables above."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "many")
    with pytest.raises(LocalError, match=r"^Your AWS configuration cannot be used: .*'many'\.$"):
        clients.client("dynamodb", {"region_name": "us-east-1"})


def test_a_request_that_could_not_be_sent_is_told_without_its_headers() -> None:
    """A credential may also come from a file or a program."""
    error = HTTPClientError(error=ValueError(f"Invalid header value b'{SECRET}'"))
    assert SECRET in str(error)
    assert SECRET not in clients.failure(error)


def test_a_stage_that_no_stack_can_be_named_after_is_refused_before_a_request() -> None:
    """CloudFormation's own sentence names a regular expression."""
    with pytest.raises(LocalError, match=r"^The stage name 'dev\\n' must be 1 to 20 lower-case letters"):
        stage.key_table("dev\n", environ={})
