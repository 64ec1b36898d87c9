"""The two functions have the right runtime, the right environment, and exactly the rights that they use."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import assertions

from benchmarks.contenders import SETTINGS
from imagegen.settings import Settings
from stacks.bundling import RUNTIME_VERSION
from stacks.stage import BYTES_FOR_LISTS, LOOPBACK_PARAMETER, WITHOUT_BOUND, StageError
from tests.support.environment import ENVIRONMENT
from tests.support.synthesis import as_list, build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import aws_cdk as cdk

    from tests.support.synthesis import Synthesized

FUNCTIONS = ("Api", "Worker")
POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
SHARED_RIGHTS = {
    "bedrock:InvokeModel",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:PutObject",
    "sqs:SendMessage",
}
WORKER_RIGHTS = {
    "secretsmanager:GetSecretValue",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
}


def function(stage: Synthesized, name: str) -> dict[str, Any]:
    """Return the properties of a function: Api or Worker."""
    return stage.one("AWS::Lambda::Function", named=f"{name}Function")


def statement(stage: Synthesized, name: str, action: str) -> dict[str, Any]:
    """Return the only statement of a function's role that names an action."""
    (found,) = [each for each in stage.statements(name) if action in as_list(each["Action"])]
    return found


@pytest.mark.parametrize(("name", "door"), [("Api", "api_handler"), ("Worker", "worker_handler")])
def test_each_function_runs_its_own_door(any_stage: Synthesized, name: str, door: str) -> None:
    """Both have the same runtime, architecture, memory and time-out."""
    properties = function(any_stage, name)
    assert properties["Handler"] == f"imagegen.{door}.lambda_handler"
    assert properties["Runtime"] == f"python{RUNTIME_VERSION}"
    assert properties["Architectures"] == ["arm64"]
    assert properties["MemorySize"] == any_stage.config.memory_mb
    assert properties["Timeout"] == any_stage.config.function_timeout


@pytest.mark.parametrize("name", FUNCTIONS)
def test_traces_are_off(any_stage: Synthesized, name: str) -> None:
    """A trace could hold prompts and URLs."""
    assert "TracingConfig" not in function(any_stage, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_environment_is_the_settings_and_what_powertools_reads(any_stage: Synthesized, name: str) -> None:
    """The test fails for a variable that no field reads, and for a field without a variable."""
    variables = set(function(any_stage, name)["Environment"]["Variables"])
    fields = {field.name.upper() for field in dataclasses.fields(Settings)}
    assert variables - {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME"} == fields | POWERTOOLS


def test_the_benchmark_gives_the_functions_the_variables_of_the_deployment(any_stage: Synthesized) -> None:
    """What is measured reads what is deployed."""
    variables = set(function(any_stage, "Api")["Environment"]["Variables"])
    assert variables - {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME"} == set(SETTINGS) - {"KEY_TABLE_NAME"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_settings_can_be_read_from_the_environment(any_stage: Synthesized, name: str) -> None:
    """The functions read the stage's values; a CloudFormation reference counts as its own text."""
    variables = function(any_stage, name)["Environment"]["Variables"]
    read = {**variables, "WEBHOOK_LOOPBACK": "false"}  # a parameter, where it is not false
    settings = Settings.from_environment({key: str(value) for key, value in read.items()})
    config = any_stage.config
    assert settings.models == config.models
    assert settings.model_timeout == config.model_timeout
    assert settings.function_timeout == config.function_timeout
    assert settings.gateway_timeout == config.gateway_timeout
    assert settings.url_ttl == config.url_ttl
    assert settings.cors_origins == config.cors_origins
    assert settings.openai_model_aliases == config.openai_model_aliases
    assert settings.daily_images == config.daily_images
    assert settings.daily_images_per_caller == config.daily_images_per_caller
    assert settings.daily_usd == config.daily_usd
    assert settings.daily_usd_per_caller == config.daily_usd_per_caller
    assert settings.images_per_minute_per_caller == config.images_per_minute_per_caller
    assert settings.queued_jobs_per_caller == config.queued_jobs_per_caller
    assert settings.record_retention_days == config.record_retention_days
    assert settings.max_paid_attempts == config.max_paid_attempts
    assert settings.s3_addressing_style == config.s3_addressing_style


LONGEST_DRILL = "x" * 100


def bytes_beside_the_lists(stage: Synthesized) -> int:
    """Return the size of the environment as JSON.

    A value that CloudFormation fills in counts with 160 bytes, and the end of AWS's addresses with 24.
    """
    # In the stage `local` a parameter says `true` or `false`.
    variables = {**function(stage, "Api")["Environment"]["Variables"], "WEBHOOK_LOOPBACK": "false"}
    lists = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", *(key.upper() for key in WITHOUT_BOUND)}
    filled = {
        name: "" if name in lists else value if isinstance(value, str) else "x" * 160
        for name, value in {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "", **variables}.items()
    }
    filled["URL_SUFFIX"] = "x" * 24
    # A drill is written beside all of them.
    filled["DRILL"] = LONGEST_DRILL
    return len(json.dumps(filled, separators=(",", ":"), ensure_ascii=False).encode())


def test_the_environment_without_its_lists_leaves_them_their_room(any_stage: Synthesized) -> None:
    """Lambda takes 4 KB, with the names and the marks of JSON."""
    assert bytes_beside_the_lists(any_stage) + BYTES_FOR_LISTS <= 4096


def test_the_longest_limits_leave_the_lists_their_room(synthesized: Callable[..., Synthesized]) -> None:
    """Every limit is written with as many characters as it can have."""
    limits = {
        "daily_images_per_caller": 1_000_000,
        "daily_images": 10_000_000,
        "daily_usd_per_caller": 99_999.999999,
        "daily_usd": 999_999.999999,
        "images_per_minute_per_caller": 10_000,
        "queued_jobs_per_caller": 1_000_000,
    }
    stage = synthesized("dev", " ".join(f"{name}={number}" for name, number in limits.items()))
    assert bytes_beside_the_lists(stage) + BYTES_FOR_LISTS <= 4096
    variables = function(stage, "Api")["Environment"]["Variables"]
    assert {name: float(variables[name.upper()]) for name in limits} == limits


@pytest.mark.parametrize(
    ("number", "text"), [("0.000001", "0.000001"), ("-0", "0.000000"), ("5", "5.000000")]
)
def test_dollars_have_neither_an_exponent_nor_a_sign(
    synthesized: Callable[..., Synthesized], number: str, text: str
) -> None:
    """The functions refuse both, and would not start."""
    stage = synthesized("dev", f"daily_usd={number}")
    assert function(stage, "Api")["Environment"]["Variables"]["DAILY_USD"] == text


def test_both_functions_have_the_same_environment(any_stage: Synthesized) -> None:
    """Both functions run the same use case, so they need the same variables."""
    api, worker = (function(any_stage, name)["Environment"] for name in FUNCTIONS)
    assert api == worker


def test_another_bedrock_is_named_only_where_it_is_configured(local: Synthesized, dev: Synthesized) -> None:
    """Only the local stage names one; in the cloud the SDK finds Bedrock by itself."""
    variables = [function(stage, "Api")["Environment"]["Variables"] for stage in (local, dev)]
    assert variables[0]["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == local.config.bedrock_endpoint_url
    assert "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" not in variables[1]


def test_without_webhooks_the_secret_has_no_name(synthesized: Callable[..., Synthesized]) -> None:
    """The variable is empty, which turns webhooks off."""
    variables = function(synthesized("dev", "webhooks=false"), "Worker")["Environment"]["Variables"]
    assert variables["WEBHOOK_SECRET_ARN"] == ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_logs_to_a_group_that_forgets(any_stage: Synthesized, name: str) -> None:
    """A group that Lambda makes by itself would keep logs for ever."""
    logical_id = any_stage.logical_id("AWS::Logs::LogGroup", named=f"{name}Logs")
    group = any_stage.one("AWS::Logs::LogGroup", named=f"{name}Logs")
    assert function(any_stage, name)["LoggingConfig"] == {"LogGroup": {"Ref": logical_id}}
    assert group["RetentionInDays"] == any_stage.config.log_retention_days


def test_every_log_group_forgets(any_stage: Synthesized) -> None:
    """The log groups of the API have the same retention as those of the functions."""
    days = {group["Properties"]["RetentionInDays"] for group in any_stage.resources("AWS::Logs::LogGroup")}
    assert days == {any_stage.config.log_retention_days}


def test_the_api_function_may_do_exactly_this(any_stage: Synthesized) -> None:
    """The code calls every one of these actions."""
    assert any_stage.actions("Api") == SHARED_RIGHTS


def test_the_worker_may_also_consume_its_queues_and_sign_webhooks(any_stage: Synthesized) -> None:
    """The worker has no other right."""
    assert any_stage.actions("Worker") == SHARED_RIGHTS | WORKER_RIGHTS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_right_has_a_wildcard_but_the_images_prefix(any_stage: Synthesized, name: str) -> None:
    """No action and no other resource contains a star."""
    starred = [
        each for each in any_stage.statements(name) if "*" in json.dumps([each["Action"], each["Resource"]])
    ]
    arn = {"Fn::GetAtt": [any_stage.logical_id("AWS::S3::Bucket"), "Arn"]}
    assert [each["Resource"] for each in starred] == [{"Fn::Join": ["", [arn, "/images/*"]]}]
    assert starred[0]["Action"] == ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_roles_have_no_managed_policies_and_only_lambda_assumes_them(
    any_stage: Synthesized, name: str
) -> None:
    """All their rights are in the one policy that these tests read."""
    role = any_stage.one("AWS::IAM::Role", named=f"{name}Role")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert "ManagedPolicyArns" not in role
    assert "Policies" not in role
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


@pytest.mark.parametrize(("name", "index"), [("Api", "by_owner"), ("Worker", "by_due")])
def test_each_function_queries_its_own_index(any_stage: Synthesized, name: str, index: str) -> None:
    """The api function reads the history, and the worker reads the due records."""
    table = {"Fn::GetAtt": [any_stage.logical_id("AWS::DynamoDB::Table", named="Generations"), "Arn"]}
    assert statement(any_stage, name, "dynamodb:Query")["Resource"] == {
        "Fn::Join": ["", [table, f"/index/{index}"]]
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_functions_call_exactly_the_listed_models(any_stage: Synthesized, name: str) -> None:
    """Each right names the region where Bedrock offers the model, whatever the stack's own region is."""
    assert statement(any_stage, name, "bedrock:InvokeModel")["Resource"] == [
        "arn:aws:bedrock:us-east-1::foundation-model/stability.stable-diffusion-xl-v1",
        "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
    ]


@pytest.mark.parametrize(
    ("source", "concurrency"), [("QueueSource", None), ("DeadLetterSource", 2), ("CallBackSource", 5)]
)
def test_the_worker_takes_one_message_at_a_time_and_reports_each(
    any_stage: Synthesized, source: str, concurrency: int | None
) -> None:
    """As many workers run at once as the stage says, so that they use the model's quota and do not exceed it."""
    mapping = any_stage.one("AWS::Lambda::EventSourceMapping", named=f"Worker{source}")
    assert mapping["BatchSize"] == 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # Stable Image Core takes 90 requests a minute. At ten seconds for each request, that keeps 15 workers busy.
    wanted = concurrency or any_stage.config.worker_concurrency or 15
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": wanted}
    assert mapping["FunctionName"] == {
        "Ref": any_stage.logical_id("AWS::Lambda::Function", named="WorkerFunction")
    }


@pytest.mark.parametrize(
    ("source", "queue"),
    [
        ("QueueSource", "JobsQueue"),
        ("DeadLetterSource", "JobsDeadLetters"),
        ("CallBackSource", "JobsCallBacks"),
    ],
)
def test_the_worker_polls_its_queues(any_stage: Synthesized, source: str, queue: str) -> None:
    """The worker also takes dead letters, and ends their generations as failed; call-backs have a source too."""
    mapping = any_stage.one("AWS::Lambda::EventSourceMapping", named=f"Worker{source}")
    logical_id = any_stage.logical_id("AWS::SQS::Queue", named=queue)
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [logical_id, "Arn"]}


def test_the_worker_reserves_what_its_sources_and_the_sweep_can_use(any_stage: Synthesized) -> None:
    """Without it Lambda could throttle a source, and messages would lose deliveries without being tried."""
    sources = any_stage.resources("AWS::Lambda::EventSourceMapping")
    wanted = sum(source["Properties"]["ScalingConfig"]["MaximumConcurrency"] for source in sources)
    assert function(any_stage, "Worker")["ReservedConcurrentExecutions"] == wanted + 1
    assert "ReservedConcurrentExecutions" not in function(any_stage, "Api")


def queue_share(stage: Synthesized) -> int:
    """Return how many workers the queue may start at once."""
    mapping = stage.one("AWS::Lambda::EventSourceMapping", named="WorkerQueueSource")
    return int(mapping["ScalingConfig"]["MaximumConcurrency"])


def test_the_api_function_may_have_a_share_of_its_own(synthesized: Callable[..., Synthesized]) -> None:
    """Whatever else runs in the account, so many requests can be served at once, and no more."""
    stage = synthesized("dev", "api_concurrency=20 account_concurrency=1000")
    assert function(stage, "Api")["ReservedConcurrentExecutions"] == 20
    assert queue_share(stage) == 15


def taken_by_the_worker(stage: Synthesized) -> int:
    """Return how many workers all sources together may start at once, and the sweep."""
    sources = stage.resources("AWS::Lambda::EventSourceMapping")
    return 1 + sum(int(each["Properties"]["ScalingConfig"]["MaximumConcurrency"]) for each in sources)


@pytest.mark.parametrize(
    ("limit", "webhooks", "queue", "taken"),
    [
        (14, "true", 2, 7),
        (20, "true", 5, 10),
        (21, "true", 5, 10),
        (1000, "true", 15, 20),
        (10, "false", 2, 5),
        (20, "false", 7, 10),
    ],
)
def test_without_a_reservation_the_worker_leaves_half_of_a_small_account_to_requests(
    synthesized: Callable[..., Synthesized], limit: int, webhooks: str, queue: int, taken: int
) -> None:
    """Dead letters, call-backs and the sweep are counted as well."""
    overrides = f"reserve_concurrency=false account_concurrency={limit} webhooks={webhooks}"
    stage = synthesized("dev", overrides)
    assert "ReservedConcurrentExecutions" not in function(stage, "Worker")
    assert (queue_share(stage), taken_by_the_worker(stage)) == (queue, taken)
    assert taken <= limit / 2


def warnings(stack: cdk.Stack) -> list[str]:
    """Return what synth warns of, without the models that have ended."""
    found = assertions.Annotations.from_stack(stack).find_warning("*", assertions.Match.any_value())
    return [str(each.entry.data) for each in found if "end of life" not in str(each.entry.data)]


@pytest.mark.parametrize(("limit", "left"), [(10, 3), (13, 6)])
def test_the_smallest_accounts_are_told_that_less_than_half_is_left(
    code: Path, synthesized: Callable[..., Synthesized], limit: int, left: int
) -> None:
    """Each of the three sources takes two, which is the least that Lambda accepts, and the sweep one."""
    overrides = f"reserve_concurrency=false account_concurrency={limit}"
    assert limit - taken_by_the_worker(synthesized("dev", overrides)) == left
    (warning,) = warnings(build("dev", code=code, overrides=overrides))
    assert warning.startswith(
        f"account_concurrency is {limit}: the worker leaves {left} of it to requests, which is less than half, because "
        "Lambda accepts no event source with less than 2."
    )


@pytest.mark.parametrize(
    "overrides",
    [
        "reserve_concurrency=false account_concurrency=14",
        "reserve_concurrency=false account_concurrency=10 webhooks=false",
        "account_concurrency=123",
        "reserve_concurrency=false",
    ],
)
def test_nobody_else_is_warned(code: Path, overrides: str) -> None:
    """Half is left, or the worker's share is reserved, or nobody said how large the account is."""
    assert warnings(build("dev", code=code, overrides=overrides)) == []


def test_without_webhooks_nothing_is_made_for_call_backs(synthesized: Callable[..., Synthesized]) -> None:
    """There is no queue, no source that Lambda polls, no right and no output; and the worker reserves five less."""
    stage = synthesized("dev", "webhooks=false")
    assert "CallBack" not in json.dumps(stage.template)
    assert len(stage.resources("AWS::SQS::Queue")) == len(stage.resources("AWS::SQS::QueuePolicy")) == 2
    arn = function(stage, "Worker")["Environment"]["Variables"]["CALL_BACK_QUEUE_ARN"]
    read = Settings.from_environment({**ENVIRONMENT, "CALL_BACK_QUEUE_ARN": arn})
    assert read.call_back_queue_arn == arn == ""
    assert function(stage, "Worker")["ReservedConcurrentExecutions"] == taken_by_the_worker(stage) == 18


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            "account_concurrency=122",
            (
                "account_concurrency is 122, but this stage would reserve 23, and Lambda keeps 100 for functions "
                "without a reservation; have the limit raised, lower worker_concurrency or api_concurrency, or set "
                "reserve_concurrency to false."
            ),
        ),
        (
            "account_concurrency=125 api_concurrency=3",
            (
                "account_concurrency is 125, but this stage would reserve 26, and Lambda keeps 100 for functions "
                "without a reservation; have the limit raised, lower worker_concurrency or api_concurrency, or set "
                "reserve_concurrency to false."
            ),
        ),
        (
            "account_concurrency=10 reserve_concurrency=false worker_concurrency=3",
            (
                "worker_concurrency is 3, but may be at most 2 if account_concurrency is 10 and nothing is reserved, "
                "so that the worker leaves 3 of it to requests, which is less than half, because Lambda accepts no "
                "event source with less than 2."
            ),
        ),
        (
            "account_concurrency=20 reserve_concurrency=false worker_concurrency=6",
            (
                "worker_concurrency is 6, but may be at most 5 if account_concurrency is 20 and nothing is reserved, "
                "so that the worker leaves half of it to requests."
            ),
        ),
    ],
)
def test_what_an_account_cannot_give_is_refused_at_synth(code: Path, overrides: str, sentence: str) -> None:
    """CloudFormation would refuse it only after minutes, and in other words."""
    with pytest.raises(StageError) as refused:
        build("dev", code=code, overrides=overrides)
    assert str(refused.value) == sentence


def test_a_limit_that_just_suffices_is_accepted(synthesized: Callable[..., Synthesized]) -> None:
    """The worker reserves 23 for the default models, and 100 are left."""
    assert queue_share(synthesized("dev", "account_concurrency=123")) == 15


def test_a_small_account_can_do_without_the_reservation(synthesized: Callable[..., Synthesized]) -> None:
    """An account with a limit of ten functions cannot reserve any concurrency."""
    stage = synthesized("dev", "reserve_concurrency=false")
    assert "ReservedConcurrentExecutions" not in function(stage, "Worker")


def test_the_worker_sweeps_every_minute(any_stage: Synthesized) -> None:
    """A lost sweep is not repeated, because the next one starts a minute later."""
    rule = any_stage.one("AWS::Events::Rule")
    worker = any_stage.logical_id("AWS::Lambda::Function", named="WorkerFunction")
    (target,) = rule["Targets"]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    assert target["Arn"] == {"Fn::GetAtt": [worker, "Arn"]}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}


def test_lambda_does_not_repeat_a_sweep_either(any_stage: Synthesized) -> None:
    """The rule's own policy ends where Lambda has accepted the event; then Lambda would repeat it for six hours."""
    worker = any_stage.logical_id("AWS::Lambda::Function", named="WorkerFunction")
    assert any_stage.one("AWS::Lambda::EventInvokeConfig") == {
        "FunctionName": {"Ref": worker},
        "MaximumEventAgeInSeconds": 60,
        "MaximumRetryAttempts": 0,
        "Qualifier": "$LATEST",
    }


def test_nothing_but_the_sweep_is_invoked_asynchronously(any_stage: Synthesized) -> None:
    """A function that an event rule invokes needs an asynchronous configuration of its own."""
    rules = any_stage.resources("AWS::Events::Rule")
    targets = {target["Arn"]["Fn::GetAtt"][0] for rule in rules for target in rule["Properties"]["Targets"]}
    configured = any_stage.resources("AWS::Lambda::EventInvokeConfig")
    assert targets == {each["Properties"]["FunctionName"]["Ref"] for each in configured}


def test_a_template_alone_lets_nobody_call_receivers_on_its_own_machine(
    local: Synthesized, dev: Synthesized
) -> None:
    """Whoever deploys the local stage to an account does not say that it may; `make up` does."""
    for name in FUNCTIONS:
        assert function(local, name)["Environment"]["Variables"]["WEBHOOK_LOOPBACK"] == {
            "Ref": LOOPBACK_PARAMETER
        }
        assert function(dev, name)["Environment"]["Variables"]["WEBHOOK_LOOPBACK"] == "false"
    assert local.template["Parameters"][LOOPBACK_PARAMETER]["Default"] == "false"
    assert LOOPBACK_PARAMETER not in dev.template["Parameters"]
