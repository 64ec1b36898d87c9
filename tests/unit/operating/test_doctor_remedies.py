"""The remedies of `make doctor` are commands that exist: AWS, make and this checkout have them."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import Final

import pytest

from tests.support.aws_command import UnknownCommandError, parsed
from tests.support.doctor import ACCOUNT, Far, Kept, Reply
from tests.support.doctor_fault import NOT_DEPLOYED
from tests.support.doctor_faults import FAULTS
from tools.checkout import CHECKOUT

OF_THE_CLI_ALONE: Final = (
    "aws configure",
    "aws configure list",
    "aws login",
    "aws logs tail",
    "aws sso login",
)
"""Commands of the AWS CLI (version 2) that are no operations of a service."""
INNER: Final = re.compile(r"\$\(([^()]*)\)")
MAKEFILE: Final = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
TARGETS: Final = set(re.findall(r"^([a-z-]+):.* ## ", MAKEFILE, re.MULTILINE))
WORDS: Final = set(re.findall(r"^WORDS := (.+)$", MAKEFILE, re.MULTILINE)[0].split())


def others() -> list[Far]:
    """Return what is no fault, or one of another operator, and leads to other commands."""
    role: Reply = {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Operator/alice", "Account": ACCOUNT}
    single: Reply = {
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Team_1/alice",
        "Account": ACCOUNT,
    }
    denied = ("AccessDeniedException", "is not authorized to perform")
    own = ("bedrock", "provisioned-model"), ("bedrock", "imported-model"), ("sagemaker", "endpoint")
    return [
        *(Far(aws={"sts.get_caller_identity": who, "ssm.get_parameter": denied}) for who in (role, single)),
        *(
            Far(
                words=f"models=stability.stable-diffusion-xl-v1:0@arn:aws:{service}:us-west-2:{ACCOUNT}:{kind}/a"
            )
            for service, kind in own
        ),
        Far(aws=NOT_DEPLOYED),
    ]


@cache
def remedies() -> tuple[str, ...]:
    """Return every command that a fault leads to; those inside of others, and parts of a line, on their own."""
    whole: set[str] = set()
    for far, prove in (
        *((fault.far(), fault.prove) for fault in FAULTS),
        *((far, False) for far in others()),
    ):
        kept = Kept()
        far.examine(report=kept, prove=prove)
        whole |= {finding.remedy for finding in kept.findings if finding.remedy}
    inner = {command for remedy in whole for command in INNER.findall(remedy)}
    parts = {part for remedy in whole for part in INNER.sub("TOKEN", remedy).split(" && ")}
    return tuple(sorted(parts | inner))


def beginning_with(word: str) -> list[str]:
    """Return the commands of one program."""
    return [each for each in remedies() if each.startswith(f"{word} ")]


def test_every_remedy_is_of_a_program_that_the_tests_below_know() -> None:
    """Whoever needs another program says here how it is checked."""
    known = ("aws ", "make ", "curl -sS", "sudo timedatectl set-ntp true", "unset AWS_", "openssl rand ")
    cdk = ".venv/bin/python -m tools.cdk bootstrap aws://"
    assert [each for each in remedies() if not each.startswith((*known, cdk))] == []
    assert len(remedies()) > 30


def test_aws_has_every_command_that_is_given_to_it() -> None:
    """By the description of each service: operation, options, and the form of their values."""
    commands = [each for each in beginning_with("aws") if not each.startswith(OF_THE_CLI_ALONE)]
    assert len(commands) > 18
    for command in commands:
        assert parsed(shlex.split(command)[1:]).service


def test_a_command_that_aws_does_not_have_is_noticed() -> None:
    """Otherwise the test above would say nothing."""
    with pytest.raises(UnknownCommandError):
        parsed(shlex.split("bedrock accept-agreement --model-id x"))


def test_the_rest_is_of_the_cli_itself() -> None:
    """With a profile, or the name of a log group."""
    own = [each for each in beginning_with("aws") if each.startswith(OF_THE_CLI_ALONE)]
    allowed = re.compile(
        r"aws (?:configure(?: list)?|login|sso login)(?: --profile \S+)?|aws logs tail \S+ --since 15m --region \S+"
    )
    assert [each for each in own if allowed.fullmatch(each) is None] == []


def test_make_has_every_target_and_variable() -> None:
    """A target takes what stands behind it as it was given."""
    for command in beginning_with("make"):
        _, target, *variables = shlex.split(command)
        assert target in TARGETS
        assert {variable.partition("=")[0] for variable in variables} <= WORDS
