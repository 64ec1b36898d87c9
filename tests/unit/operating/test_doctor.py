"""What `make doctor` finds in an account and a service in which all is well, and in those with each fault."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from botocore.exceptions import EndpointConnectionError

from operating.doctor import checks, refusals
from operating.doctor.finding import Finding, Severity, fine, problem
from operating.doctor.refusals import RIGHTS
from tests.support.doctor import CORE, MODELS_REGION, REGION, URL, WORDS, Far, Kept, web_replies
from tests.support.doctor_fault import NOT_DEPLOYED, Fault
from tests.support.doctor_faults import FAULTS
from tools.failures import LocalError

COMMAND: Final = re.compile(
    r"(?:make [a-z]+|aws [a-z-]+|curl -|sudo timedatectl |unset AWS_|\.venv/bin/python -m tools\.cdk )"
)
BEFORE: Final = [row.name for row in checks.BEFORE]
AFTER: Final = [row.name for row in checks.AFTER]
OPERATIONS: Final = {
    "DescribeStacks": ("cloudformation.describe_stacks", ("stack",), "problem"),
    "GetAccount": ("apigateway.get_account", ("gateway log role",), "warning"),
    "GetAccountSettings": ("lambda.get_account_settings", ("concurrency",), "warning"),
    "GetFoundationModel": ("bedrock.get_foundation_model", ("model lifecycle",), "warning"),
    "GetFoundationModelAvailability": (
        "bedrock.get_foundation_model_availability",
        ("model access",),
        "warning",
    ),
    "GetFunctionConcurrency": ("lambda.get_function_concurrency", ("switches",), "warning"),
    "GetFunctionConfiguration": ("lambda.get_function_configuration", ("settings",), "warning"),
    "GetParameter": ("ssm.get_parameter", ("bootstrap",), "warning"),
    "GetSecretValue": ("secretsmanager.get_secret_value", ("webhook signature",), "warning"),
    "GetTemplate": ("cloudformation.get_template", ("concurrency",), "warning"),
    "ListServiceQuotas": ("service-quotas.list_service_quotas:bedrock", ("model quota",), "warning"),
    "ListStackResources": ("cloudformation.list_stack_resources", ("settings", "switches"), "warning"),
}
"""Each operation of AWS, the checks that it belongs to, and how bad it is if that cannot be looked at."""


def examined(far: Far, *, prove: bool = False) -> tuple[int, list[Finding]]:
    """Return the exit status and the findings."""
    kept = Kept()
    return far.examine(report=kept, prove=prove), kept.findings


def worst(findings: list[Finding]) -> set[Severity]:
    """Return the severities that there are."""
    return {finding.severity for finding in findings}


def names(findings: list[Finding]) -> list[str]:
    """Return the names of the checks, each once, in their order."""
    return list(dict.fromkeys(finding.check for finding in findings))


def test_where_all_is_well_nothing_is_found() -> None:
    """Before and after the deployment, and with the paid image."""
    status, findings = examined(Far(), prove=True)
    assert [finding for finding in findings if finding.severity != "ok"] == []
    assert (status, names(findings)) == (0, ["credentials", *BEFORE, *AFTER, "proof"])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_and_ends_no_other_check(fault: Fault) -> None:
    """The finding has its sentence and its remedy. Every other check is still in the report.

    Only a problem makes the command fail: a pipeline stops at it, and goes on after a warning.
    """
    status, findings = examined(fault.far(), prove=fault.prove)
    assert fault.finding in findings
    assert status == int("problem" in worst(findings))
    rest = AFTER if "stack" in names(findings) and "health" in names(findings) else ["stack"]
    proof = ["proof"] if fault.prove else []
    assert names(findings) == ["credentials", *BEFORE, *rest, *proof]


def test_whatever_is_wrong_has_a_command_that_a_shell_can_read() -> None:
    """It begins with a program that an operator has, and every quotation mark is closed."""
    remedies = {
        finding.remedy
        for fault in FAULTS
        for finding in examined(fault.far(), prove=fault.prove)[1]
        if finding.remedy
    }
    assert remedies >= {fault.remedy for fault in FAULTS}
    assert [remedy for remedy in remedies if COMMAND.match(remedy) is None] == []
    read = subprocess.run(
        ["/usr/bin/env", "bash", "-n"], input="\n".join(remedies), text=True, capture_output=True, check=False
    )
    assert (read.returncode, read.stderr) == (0, "")


def findings_in_the_code() -> set[tuple[str, int]]:
    """Return where the code makes a problem or a warning: file and line of each call."""
    return {
        (path.name, node.lineno)
        for path in Path(refusals.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"problem", "warning", "worst"}
    }


def test_every_finding_that_the_code_can_make_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever adds one adds a fault that leads to it, and with it the test of its remedy."""
    made: set[tuple[str, int]] = set()
    original = Finding.__post_init__

    def noting(finding: Finding) -> None:
        original(finding)
        frame = sys._getframe(1)
        while frame.f_back is not None and "/operating/doctor/" not in frame.f_back.f_code.co_filename:
            frame = frame.f_back
        # From the constructor outwards: the helper of `finding.py`, then whoever calls it, and whoever calls `worst`.
        while frame.f_back is not None and "/operating/doctor/" in frame.f_back.f_code.co_filename:
            frame = frame.f_back
            made.add((Path(frame.f_code.co_filename).name, frame.f_lineno))

    monkeypatch.setattr(Finding, "__post_init__", noting)
    for fault in (*FAULTS, Fault(**BROKEN_CONFIGURATION)):
        examined(fault.far(), prove=fault.prove)
    assert findings_in_the_code() - made == set()


BROKEN_CONFIGURATION: Final[dict[str, Any]] = {
    "name": "a broken configuration of AWS",
    "aws": {"ssm.get_parameter": LocalError("Your AWS configuration cannot be used: port.")},
    "check": "bootstrap",
    "severity": "problem",
    "sentence": "Your AWS configuration cannot be used: port.",
    "remedy": "aws configure list",
}


def test_a_value_of_the_configuration_that_cannot_be_used_is_a_finding() -> None:
    """Making a client of another service may fail where making the first one did not."""
    fault = Fault(**BROKEN_CONFIGURATION)
    status, findings = examined(fault.far())
    assert fault.finding in findings
    assert status == 1


def test_a_finding_that_needs_a_remedy_cannot_be_made_without_one() -> None:
    """So none can be forgotten."""
    with pytest.raises(ValueError, match="There is no remedy for: It is broken"):
        problem("It is broken.", "")
    assert fine("All is well.").remedy == ""


@pytest.mark.parametrize("operation", RIGHTS)
def test_a_missing_right_is_named(operation: str) -> None:
    """A command gives the right; all other checks are done."""
    asked, which, severity = OPERATIONS[operation]
    far = Far(aws={asked: ("AccessDeniedException", "is not authorized to perform")})
    status, findings = examined(far)
    found, *same = [finding for finding in findings if finding.severity != "ok"]
    assert tuple(each.check for each in (found, *same)) == which
    assert {each.severity for each in (found, *same)} == {severity}
    assert status == int(severity == "problem")
    assert found.sentence == f"This could not be looked at: you lack the right {RIGHTS[operation]}."
    assert f'"Action": "{RIGHTS[operation]}"' in found.remedy


@pytest.mark.parametrize("operation", RIGHTS)
@pytest.mark.parametrize(
    "failure",
    [
        ("TooManyRequestsException", "Rate exceeded"),
        EndpointConnectionError(endpoint_url="https://x.example"),
    ],
    ids=["throttled", "unreachable"],
)
def test_what_does_not_reply_ends_only_its_own_check(
    operation: str, failure: tuple[str, str] | Exception
) -> None:
    """It is a warning, because nothing is known to be wrong; unless the whole service stays unexamined."""
    asked, which, severity = OPERATIONS[operation]
    status, findings = examined(Far(aws={asked: failure}))
    found = [finding for finding in findings if finding.severity != "ok"]
    assert {(finding.check, finding.severity) for finding in found} == {(check, severity) for check in which}
    assert status == int(severity == "problem")


@pytest.mark.parametrize("operation", RIGHTS)
def test_a_reply_of_another_form_is_no_traceback(operation: str) -> None:
    """AWS, or what pretends to be AWS, may leave members out that are always there."""
    asked, which, _ = OPERATIONS[operation]
    _, findings = examined(Far(aws={asked: {}}))
    assert set(names(findings)) >= {*which, *BEFORE}


@pytest.mark.parametrize("route", web_replies())
@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, html="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(503),
        httpx.ConnectError("refused"),
    ],
    ids=["a page", "a list", "nothing", "no connection"],
)
def test_whatever_the_service_replies_is_no_traceback(route: str, reply: httpx.Response | Exception) -> None:
    """Every check is in the report, and something is found."""
    status, findings = examined(Far(web={route: reply}), prove=True)
    assert names(findings) == ["credentials", *BEFORE, *AFTER, "proof"]
    assert worst(findings) > {"ok"}
    assert status == int("problem" in worst(findings))


def test_every_call_of_aws_has_its_right_and_its_region() -> None:
    """The models are asked for in their own region, everything else in the stage's."""
    far = Far(words=f"{WORDS} gateway_timeout=85")
    examined(far, prove=True)
    named = {asked.partition(":")[0] for asked, *_ in OPERATIONS.values()}
    asked = {each.partition("@")[0] for each in far.asked}
    assert asked - {"sts.get_caller_identity"} == named
    elsewhere = {each for each in far.asked if not each.endswith(f"@{REGION}")}
    assert elsewhere == {
        f"bedrock.get_foundation_model@{MODELS_REGION}",
        f"bedrock.get_foundation_model_availability@{MODELS_REGION}",
        f"service-quotas.list_service_quotas@{MODELS_REGION}",
    }


def test_nothing_is_asked_that_changes_anything() -> None:
    """Neither of AWS nor of the service, unless a proof was asked for."""
    far = Far(words=f"{WORDS} gateway_timeout=85")
    examined(far)
    assert {each.partition(".")[2].partition("_")[0] for each in far.asked} == {"get", "list", "describe"}
    assert {request.method for request in far.sent} == {"GET", "OPTIONS"}


def test_before_the_first_deployment_the_rest_waits() -> None:
    """That is said once, with the command that deploys the stage."""
    far = Far(aws=NOT_DEPLOYED)
    status, findings = examined(far)
    assert (status, names(findings), far.sent) == (0, ["credentials", *BEFORE, "stack"], [])
    assert findings[-1] == Finding(
        check="stack",
        severity="skipped",
        sentence=f"There is no stack imagegen-dev yet. These wait for a deployment: {', '.join(AFTER)}.",
        remedy=f"make deploy STAGE=dev CONFIG={WORDS}",
    )


@pytest.mark.parametrize(
    "name",
    [
        *("no credentials", "credentials ended", "unknown access key"),
        *("session of Identity Center ended", "session of aws login ended"),
    ],
)
def test_without_credentials_aws_is_asked_nothing_more(name: str) -> None:
    """One problem is enough; every check says that it was skipped."""
    (fault,) = (fault for fault in FAULTS if fault.name == name)
    far = fault.far()
    status, findings = examined(far)
    assert (status, far.asked) == (1, [f"sts.get_caller_identity@{REGION}"])
    assert [finding.severity for finding in findings] == ["problem", *["skipped"] * (len(BEFORE) + 1)]


def test_one_unreachable_service_does_not_mean_that_there_are_no_credentials() -> None:
    """Everything else is asked."""
    fault = next(fault for fault in FAULTS if fault.name == "STS cannot be reached")
    _, findings = examined(fault.far())
    assert {finding.check: finding.severity for finding in findings} == {
        **dict.fromkeys(["credentials", *BEFORE, *AFTER], "ok"),
        "credentials": "problem",
        "clock": "skipped",
    }


def test_the_service_on_this_machine_says_which_checks_mean_nothing_there() -> None:
    """The limits of an account, and the models of Bedrock."""
    status, findings = examined(Far(stage="local", words="", address="http://127.0.0.1:4566/v1"))
    skipped = [finding for finding in findings if finding.severity == "skipped"]
    assert [finding.check for finding in skipped] == [row.name for row in checks.BEFORE if row.locally]
    assert len(skipped) > 5
    assert all(finding.sentence for finding in skipped)
    assert (status, worst(findings)) == (0, {"ok", "skipped"})


def test_the_presigned_url_is_opened_without_the_key() -> None:
    """S3 would refuse it otherwise; the API gets the key, and nobody else does."""
    far = Far()
    examined(far)
    with_key = {request.url.host for request in far.sent if "x-api-key" in request.headers}
    assert with_key == {URL.split("/")[2]}
    assert any(request.url.host.startswith("images.") for request in far.sent)


def test_a_caller_without_images_is_told_how_to_make_one() -> None:
    """Failed generations, and those whose image has been removed, have none."""
    replies = {
        "GET /v1/generations": httpx.Response(
            200, json={"generations": [{"id": "gen_none", "status": "failed"}]}
        )
    }
    _, findings = examined(Far(web=replies))
    (found,) = (finding for finding in findings if finding.check == "image URL")
    assert (found.severity, found.remedy) == ("skipped", f"make doctor STAGE=dev CONFIG={WORDS} PROVE=1")


def test_models_that_are_served_elsewhere_are_not_asked_for_at_aws() -> None:
    """A stage may have another Bedrock runtime."""
    far = Far(words="bedrock_endpoint_url=https://models.example")
    _, findings = examined(far)
    skipped = [finding.check for finding in findings if finding.severity == "skipped"]
    assert skipped == ["model lifecycle", "model access", "model quota"]
    assert not [each for each in far.asked if each.startswith("bedrock")]


@pytest.mark.parametrize(
    ("entry", "look"),
    [
        (
            "arn:aws:bedrock:us-west-2:111122223333:provisioned-model/abc",
            "aws bedrock get-provisioned-model-throughput --provisioned-model-id ",
        ),
        (
            "arn:aws:bedrock:us-west-2:111122223333:imported-model/abc",
            "aws bedrock get-imported-model --model-identifier ",
        ),
        (
            "arn:aws:sagemaker:us-west-2:111122223333:endpoint/abc",
            "aws sagemaker describe-endpoint --endpoint-name abc ",
        ),
    ],
)
def test_a_model_of_the_operators_own_is_left_to_the_operator(entry: str, look: str) -> None:
    """Its lifecycle is not the vendor's. A command shows it."""
    far = Far(words=f"models=stability.stable-diffusion-xl-v1:0@{entry}")
    status, findings = examined(far)
    (found,) = (finding for finding in findings if finding.check == "model lifecycle")
    assert (found.severity, status) == ("skipped", 0)
    assert found.remedy.startswith(look)


def test_what_blocks_a_later_model_blocks_no_request_that_an_earlier_one_serves() -> None:
    """Only a request that pins the later one fails."""
    blocked = {"modelId": CORE, "agreementAvailability": {"status": "AVAILABLE"}}
    reply = {**blocked, "authorizationStatus": "NOT_AUTHORIZED", "entitlementAvailability": "AVAILABLE"}
    far = Far(
        words=f"models={CORE},stability.stable-image-ultra-v1:1",
        aws={"bedrock.get_foundation_model_availability": {**reply, "regionAvailability": "AVAILABLE"}},
    )
    _, findings = examined(far)
    assert [finding.severity for finding in findings if finding.check == "model access"] == [
        "problem",
        "warning",
    ]
