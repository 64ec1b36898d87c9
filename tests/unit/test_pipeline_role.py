"""The pipeline's role trusts one environment of one repository, and may only assume the roles of `cdk bootstrap`."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tools.checkout import CHECKOUT

PATH = CHECKOUT / "operating" / "pipeline_role.yaml"
TEMPLATE: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
PARAMETERS = TEMPLATE["Parameters"]
ROLE = TEMPLATE["Resources"]["Role"]["Properties"]
BOOTSTRAP = (CHECKOUT / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml").read_text(
    encoding="utf-8"
)
ISSUER = "token.actions.githubusercontent.com"


def test_the_role_trusts_one_environment_of_one_repository() -> None:
    """The comparison is exact: a job without that environment, or of another repository, has another subject."""
    (statement,) = ROLE["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert set(statement["Principal"]) == {"Federated"}
    assert statement["Condition"] == {
        "StringEquals": {
            f"{ISSUER}:aud": "sts.amazonaws.com",
            f"{ISSUER}:sub": {"Fn::Sub": "repo:${Repository}:environment:${Stage}"},
        }
    }


def test_the_role_may_assume_three_roles_of_the_bootstrap_and_do_nothing_else() -> None:
    """It may not pass a role, and not assume the one that CloudFormation itself uses."""
    assert set(ROLE) == {"AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Policies"}
    assert ROLE["MaxSessionDuration"] == 3600
    (policy,) = ROLE["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    names = [resource["Fn::Sub"].partition(":role/")[2] for resource in statement["Resource"]]
    assert [re.sub(r"\$\{\w+(::\w+)?\}-?", "", name) for name in names] == [
        "cdk-deploy-role-",
        "cdk-file-publishing-role-",
        "cdk-lookup-role-",
    ]
    assert not any("*" in str(resource) for resource in statement["Resource"])
    # The CDK that deploys names them so, in the region of the stack.
    assert [name for name in names if f"Fn::Sub: {name}\n" not in BOOTSTRAP] == []


def test_the_qualifier_is_the_one_that_the_cdk_uses_by_itself() -> None:
    """A bootstrap with another one has to be told."""
    default = re.search(r"^  Qualifier:\n(?:    .*\n)*?    Default: (\w+)$", BOOTSTRAP, re.MULTILINE)
    assert default is not None
    assert PARAMETERS["Qualifier"]["Default"] == default[1]


def test_what_only_looks_assumes_the_role_for_looking_up() -> None:
    """Its name stands in the output for the second role of the workflow."""
    outputs = TEMPLATE["Outputs"]
    (statement,) = ROLE["Policies"][0]["PolicyDocument"]["Statement"]
    assert outputs["ReadRoleArn"]["Value"] == statement["Resource"][2]
    assert outputs["RoleArn"]["Value"] == {"Fn::GetAtt": ["Role", "Arn"]}
    workflow = (CHECKOUT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")
    assert {output["Description"].split()[2] for output in outputs.values()} == set(
        re.findall(r"vars\.(AWS_\w*ROLE_ARN)", workflow)
    )


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "Repository",
            ("octo-org/octo-repo", "octo-org-123456/octo.repo_1-456789"),
            ("octo-repo", "octo-org/*", "*/octo-repo", "a/b:environment:prod", "a/b/c", ""),
        ),
        ("Stage", ("prod", "eu-1"), ("", "Prod", "*", "prod:ref", "-", "a" * 21)),
        ("Qualifier", ("hnb659fds",), ("", "*", "a-b", "a" * 11)),
    ],
)
def test_a_parameter_takes_no_pattern(parameter: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    """CloudFormation refuses another value before it makes anything."""
    pattern = re.compile(PARAMETERS[parameter]["AllowedPattern"])
    assert [text for text in good if not pattern.fullmatch(text)] == []
    assert [text for text in bad if pattern.fullmatch(text)] == []


def test_the_provider_is_made_once_and_outlives_the_role() -> None:
    """The roles of other stages of the account trust it too."""
    provider = TEMPLATE["Resources"]["Provider"]
    assert provider["Condition"] == "CreatesProvider"
    assert provider["DeletionPolicy"] == provider["UpdateReplacePolicy"] == "Retain"
    assert provider["Properties"] == {"Url": f"https://{ISSUER}", "ClientIdList": ["sts.amazonaws.com"]}
    made, found = ROLE["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Federated"]["Fn::If"][1:]
    assert made == {"Ref": "Provider"}
    assert found["Fn::Sub"].endswith(f":oidc-provider/{ISSUER}")


def test_cfn_lint_finds_nothing() -> None:
    """All its rules are on."""
    from cfnlint.api import ManualArgs, lint_file  # type: ignore[import-untyped]  # noqa: PLC0415 - takes a second

    found = lint_file(PATH, config=ManualArgs(regions=["us-east-1"], include_experimental=True))
    assert [str(match) for match in found] == []
