"""What `make doctor` expects of a deployment is what the synthesized stage asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import httpx
import pytest

from operating.doctor.account import BOOTSTRAP_PARAMETER, LEAST_BOOTSTRAP
from operating.doctor.callers import WithHeader, WithSignature
from operating.doctor.command import Wish
from operating.doctor.examined import Examined, Plan
from operating.doctor.preparing import plan_of, prepare, web
from operating.stack import API_FUNCTION
from tests.support import doctor
from tests.support.synthesis import TODAY, Synthesized, stage_config
from tools.failures import LocalError

KEY = "ig_" + "a" * 12 + "b" * 40
FUNCTION = "AWS::Lambda::Function"


def plan(overrides: str = "") -> Plan:
    """Return the plan of dev."""
    return plan_of(stage_config("dev", overrides or None), region=doctor.REGION, today=TODAY)


@pytest.mark.parametrize(
    "overrides",
    ["", doctor.WORDS, "reserve_concurrency=false", "worker_concurrency=2", f"models={doctor.CORE}"],
)
def test_the_plan_of_the_unit_tests_is_the_real_one(overrides: str) -> None:
    """They do without the CDK."""
    assert plan(overrides) == doctor.plan(stage_config("dev", overrides or None))


def test_the_plan_reserves_what_the_template_does(
    synthesized: Callable[[str, str | None], Synthesized],
) -> None:
    """Nothing else of the stage reserves executions."""
    functions = synthesized("dev", None).resources(FUNCTION)
    reserved = [each["Properties"].get("ReservedConcurrentExecutions", 0) for each in functions]
    assert sum(reserved) == plan().reserved > 0


def test_the_bootstrap_stack_is_looked_for_where_the_template_looks(
    synthesized: Callable[[str, str | None], Synthesized],
) -> None:
    """And the oldest version that the template accepts is the oldest that is accepted here."""
    template = synthesized("dev", None).template
    assert template["Parameters"]["BootstrapVersion"]["Default"] == BOOTSTRAP_PARAMETER
    ((assertion,),) = [rule["Assertions"] for rule in template["Rules"].values()]
    refused = assertion["Assert"]["Fn::Not"][0]["Fn::Contains"][0]
    assert max(map(int, refused)) + 1 == LEAST_BOOTSTRAP


def test_the_api_function_is_found_by_its_logical_id(
    synthesized: Callable[[str, str | None], Synthesized],
) -> None:
    """No other function of the stack begins like it."""
    resources = synthesized("dev", None).template["Resources"]
    found = [
        id_ for id_, each in resources.items() if each["Type"] == FUNCTION and id_.startswith(API_FUNCTION)
    ]
    assert len(found) == 1


def test_a_stage_that_cannot_be_synthesized_cannot_be_examined() -> None:
    """The sentence is that of `make synth`."""
    with pytest.raises(LocalError, match=r"^account_concurrency is 110, but this stage would reserve 23"):
        plan("account_concurrency=110")
    with pytest.raises(LocalError, match="is in the partition aws of AWS, and the region"):
        plan_of(stage_config("dev"), region="us-gov-west-1", today=TODAY)


def prepared(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Examined:
    """Return dev as the command examines it with these variables."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    variables: Mapping[str, str] = {"AWS_REGION": "eu-west-1", **environ}
    with httpx.Client() as client:
        return prepare("dev", variables, web=client)


def test_the_operators_variables_are_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """CONFIG, AWS_REGION and API_KEY; a newline in CONFIG is a space."""
    examined = prepared(monkeypatch, CONFIG="url_ttl=60\n memory_mb=512", API_KEY=f" {KEY}\n")
    assert (examined.words, examined.region) == ("url_ttl=60 memory_mb=512", "eu-west-1")
    assert examined.config.url_ttl == 60
    assert examined.caller == WithHeader(name="x-api-key", secret=KEY)
    assert examined.deploy("url_ttl=90") == "make deploy STAGE=dev CONFIG='memory_mb=512 url_ttl=90'"
    assert examined.again() == "make doctor STAGE=dev CONFIG='url_ttl=60 memory_mb=512'"


def test_without_a_key_there_is_no_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examination makes none: it changes nothing."""
    assert prepared(monkeypatch).caller is None


@pytest.mark.parametrize(
    ("config", "text", "sentence"),
    [
        ("", "sk-something", "API_KEY is not an API key of this service"),
        ("", f"{KEY[:-1]}", "API_KEY is not an API key of this service"),
        (
            f"api_auth=cognito user_pool_arn=arn:aws:cognito-idp:us-east-1:{doctor.ACCOUNT}:userpool/p_1",
            "two\nlines",
            "API_KEY has a character that no token has",
        ),
    ],
)
def test_a_key_that_can_be_none_is_one_sentence_without_it(
    config: str, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may have taken another secret for it, so it is not shown."""
    with pytest.raises(LocalError) as caught:
        prepared(monkeypatch, CONFIG=config, API_KEY=text)
    assert str(caught.value).startswith(sentence)
    assert text not in str(caught.value)


def test_a_token_goes_where_the_gateway_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage with a user pool takes it as `Authorization`."""
    pool = f"arn:aws:cognito-idp:us-east-1:{doctor.ACCOUNT}:userpool/p_1"
    examined = prepared(monkeypatch, CONFIG=f"api_auth=cognito user_pool_arn={pool}", API_KEY="eyJ.x.y")
    assert examined.caller == WithHeader(name="authorization", secret="eyJ.x.y")


def test_with_aws_signatures_the_operator_is_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no credentials is no caller."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    caller = prepared(monkeypatch, CONFIG="api_auth=iam", AWS_ACCESS_KEY_ID="AKIDEXAMPLE").caller
    assert isinstance(caller, WithSignature)
    assert (caller.credentials.access_key, caller.region) == ("AKIDEXAMPLE", "eu-west-1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    examined = prepared(monkeypatch, CONFIG="api_auth=iam")
    assert (examined.caller, examined.from_variables) == (None, False)
    assert prepared(monkeypatch, AWS_ACCESS_KEY_ID="AKIDEXAMPLE").from_variables


def test_a_client_of_aws_goes_to_the_region_that_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """And gives up soon, so that one service that does not reply holds up nothing for minutes."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = prepared(monkeypatch).client("ssm", "us-west-2")
    assert client.meta.region_name == "us-west-2"
    assert (client.meta.config.connect_timeout, client.meta.config.retries) == (
        5,
        {"total_max_attempts": 2, "mode": "standard"},
    )


@pytest.mark.parametrize("name", ["JSON", "PROVE"])
def test_a_switch_is_on_or_off(name: str) -> None:
    """As a variable, or as an option."""
    stage = {"stage": "dev", "as_json": False, "prove": False}
    asked = Wish.of(environ={name: "1"}, **stage)  # type: ignore[arg-type]  # a dict has one type of values
    assert (asked.as_json, asked.prove) == (name == "JSON", name == "PROVE")
    with pytest.raises(LocalError, match=rf"^{name} must be 1 \(on\) or 0 \(off\), not 'yes'\.$"):
        Wish.of(environ={name: "yes"}, **stage)  # type: ignore[arg-type]  # likewise
    assert Wish.of(environ={}, stage="dev", as_json=True, prove=True).prove


def test_the_service_in_an_account_is_reached_as_everything_is() -> None:
    """Through the operator's proxy, if there is one; redirects are not followed."""
    with web("dev", {}) as client:
        assert (client.trust_env, client.follow_redirects) == (True, False)
