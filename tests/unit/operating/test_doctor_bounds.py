"""Where `make doctor` draws the line between well and wrong, and what means something only on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from operating.doctor import webhooks
from operating.doctor.finding import Finding, warning
from operating.doctor.proof import announcement
from stacks.cdk_json import stages_of
from stacks.stage import load_stage
from tests.support.doctor import CORE, IMAGE_URL, NOW, WORDS, Far, Kept, Reply, generation, quota, variables
from tests.support.doctor_fault import (
    NOT_DEPLOYED,
    OTHERS_ROLE,
    SLOW,
    UNRESERVED,
    drill,
    lambda_limit,
    requests,
    stack,
    timeout,
)
from tests.unit.operating.test_doctor_parts import examined
from tools.checkout import CHECKOUT

LOCAL: Final = "http://127.0.0.1:4566/v1"
OTHERS: Final = quota("Maximum cached response size", 1_048_576, service="apigateway", code="L-2")


def findings(far: Far, check: str) -> list[Finding]:
    """Return what one check finds."""
    kept = Kept()
    far.examine(report=kept)
    return [finding for finding in kept.findings if finding.check == check]


@pytest.mark.parametrize(
    ("check", "aws", "words"),
    [
        ("bootstrap", {"ssm.get_parameter": {"Parameter": {"Value": "6"}}}, WORDS),
        ("concurrency", lambda_limit(1000, free=100), WORDS),
        ("concurrency", {**lambda_limit(1000, free=123), **NOT_DEPLOYED}, WORDS),
        ("concurrency", lambda_limit(40, free=40), UNRESERVED),
        ("concurrency", lambda_limit(30, free=30), f"{UNRESERVED} account_concurrency=30"),
        ("gateway log role", OTHERS_ROLE, WORDS),
        ("gateway time-out", {"service-quotas.list_service_quotas:apigateway": None}, "gateway_timeout=29"),
        ("gateway time-out", timeout(85_000), SLOW),
        ("model quota", requests(12), "worker_concurrency=2"),
        ("switches", drill("2026-11-28T12:00:00Z"), WORDS),
        ("switches", {"lambda.get_function_concurrency": {"ReservedConcurrentExecutions": 1}}, WORDS),
        ("switches", {"lambda.get_function_concurrency": {}}, WORDS),
        ("stack", stack("CREATE_COMPLETE"), WORDS),
        ("stack", stack("IMPORT_COMPLETE"), WORDS),
    ],
)
def test_what_is_just_enough_is_well(check: str, aws: Mapping[str, Reply | None], words: str) -> None:
    """One less would be a finding."""
    assert [finding.severity for finding in findings(Far(aws=aws, words=words), check)][-1] == "ok"


def test_a_stage_of_which_a_part_is_stopped_is_stopped() -> None:
    """Somebody has stopped one function by hand, or could not stop the other one."""
    stopped: dict[str, Reply | None] = {
        "lambda.get_function_concurrency:Worker-1": {"ReservedConcurrentExecutions": 0}
    }
    (found,) = findings(Far(aws=stopped), "switches")
    assert (found.severity, found.remedy) == ("problem", "make start STAGE=dev")
    assert found.sentence.endswith("1 of its 2 functions that call models may not run.")


@pytest.mark.parametrize("setting", ["monitoring", "playground"])
def test_the_stack_that_a_setting_adds_is_looked_at_as_well(setting: str) -> None:
    """Without it nobody would be told, or there is no page, although the service works."""
    beside = f"imagegen-dev-{setting}"
    gone: dict[str, Reply | None] = {
        f"cloudformation.describe_stacks:{beside}": (
            "ValidationError",
            f"Stack with id {beside} does not exist",
        )
    }
    own, found = findings(Far(aws=gone, words=f"{setting}=true"), "stack")
    assert own.severity == "ok"
    assert found.sentence == f"{setting} is true, but there is no stack {beside}."
    assert found.remedy == f"make deploy STAGE=dev CONFIG={setting}=true"


def test_a_stack_that_was_never_made_is_no_deployment_under_way() -> None:
    """Somebody has made a change set and not executed it."""
    (found,) = findings(Far(aws=stack("REVIEW_IN_PROGRESS")), "stack")
    assert (found.severity, found.remedy) == ("problem", "make destroy STAGE=dev")


@pytest.mark.parametrize(
    "own",
    [
        quota("Maximum integration timeout in milliseconds", 85_000, service="apigateway", code="L-3"),
        quota("Longest wait", 85_000, service="apigateway", code="L-E5AE38E3"),
    ],
)
def test_the_gateways_quota_is_found_by_its_name_or_its_code(own: dict[str, Any]) -> None:
    """AWS may change either of them."""
    aws: dict[str, Reply | None] = {
        "service-quotas.list_service_quotas:apigateway": {"Quotas": [OTHERS, own]}
    }
    (found,) = findings(Far(aws=aws, words=SLOW), "gateway time-out")
    assert found.sentence == "gateway_timeout is 85 s, and API Gateway may wait for 85 s here."


def test_the_clock_is_compared_also_if_it_is_why_aws_refuses() -> None:
    """Then both lines stand there, and the operator sees which of the two reasons it is."""
    reply: Any = {
        "Error": {"Code": "SignatureDoesNotMatch", "Message": "Signature expired"},
        "ResponseMetadata": {"HTTPHeaders": {"date": "Sat, 28 Nov 2026 11:00:00 GMT"}},
    }
    far = Far(aws={"sts.get_caller_identity": ClientError(reply, "GetCallerIdentity")})
    (found,) = findings(far, "clock")
    assert found.severity == "problem"
    assert f"{(NOW - NOW.replace(hour=11)).seconds} s ahead" in found.sentence


def test_an_image_without_bytes_is_no_image() -> None:
    """Whatever its type says."""
    empty = httpx.Response(200, content=b"", headers={"content-type": "image/png"})
    (found,) = findings(Far(web={"GET /images/one.png": empty}), "image URL")
    assert (found.severity, found.sentence) == (
        "problem",
        "A presigned URL brings nothing instead of image/png.",
    )


def test_an_image_whose_lifetime_has_ended_is_passed_over() -> None:
    """The next one of the history is opened."""
    listed = {"generations": [{"id": "gen_old", "status": "succeeded"}, generation()]}
    web = {
        "GET /v1/generations": httpx.Response(200, json=listed),
        "GET /v1/generations/gen_old": httpx.Response(410, json={"code": "gone"}),
    }
    far = Far(web=web)
    (found,) = findings(far, "image URL")
    assert found.severity == "ok"
    assert str(far.sent[-1].url) != IMAGE_URL  # preflights follow
    assert IMAGE_URL in {str(request.url) for request in far.sent}


def test_a_signature_of_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check does what a receiver does."""
    original = webhooks.signed

    def tampered(secret: str) -> tuple[str, Mapping[str, str]]:
        body, headers = original(secret)
        return body.replace("succeeded", "failed"), headers

    monkeypatch.setattr(webhooks, "signed", tampered)
    (found,) = findings(Far(), "webhook signature")
    assert found.severity == "problem"
    assert found.sentence.startswith("No call-back can be signed so that a receiver accepts it: ")


def test_a_stage_without_webhooks_has_nothing_to_sign() -> None:
    """Its stack has no secret."""
    replies = stack("UPDATE_COMPLETE")
    described: Any = replies["cloudformation.describe_stacks"]
    described["Stacks"][0]["Outputs"].pop()
    (found,) = findings(Far(aws={**replies, "secretsmanager.get_secret_value": None}), "webhook signature")
    assert (found.severity, found.sentence) == (
        "skipped",
        "Requests may not name a webhook_url (webhooks is false).",
    )


def test_a_model_that_has_ended_costs_nothing() -> None:
    """Though it was the dearest of the list."""
    words = f"models=stability.stable-image-ultra-v1:0,{CORE}"
    assert announcement(examined(words=words)) == ("The proof makes one image, which costs at most $0.04.")


def test_on_this_machine_other_settings_are_no_finding() -> None:
    """`make up` has a CONFIG of its own."""
    other = load_stage(name="local", stages=stages_of(CHECKOUT), overrides="url_ttl=90")
    reply = {"Environment": {"Variables": variables(other)}}
    far = Far(stage="local", words="", address=LOCAL, aws={"lambda.get_function_configuration": reply})
    (found,) = findings(far, "settings")
    assert (found.severity, found.sentence) == ("ok", "The functions have their settings.")


@pytest.mark.parametrize(
    ("far", "check"),
    [
        (
            Far(
                stage="local",
                words="",
                address=LOCAL,
                aws={"ssm.get_parameter": EndpointConnectionError(endpoint_url="http://127.0.0.1:4566/")},
            ),
            "bootstrap",
        ),
        (
            Far(
                stage="local",
                words="",
                address=LOCAL,
                web={"GET /v1/health": httpx.ConnectError("Connection refused")},
            ),
            "health",
        ),
    ],
)
def test_a_local_service_that_does_not_reply_is_started_again(far: Far, check: str) -> None:
    """Its parts may have been stopped, or the machine restarted."""
    (found,) = findings(far, check)
    assert found.remedy == "make up"


def test_a_warning_has_a_remedy_as_well() -> None:
    """As a problem has."""
    with pytest.raises(ValueError, match="There is no remedy for: Look"):
        warning("Look.", "")
