"""The stack that watches a stage: dashboard, log queries, topic, budget, unusual costs, and the daily check."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from aws_cdk import aws_ce as ce
from aws_cdk import aws_cloudwatch as cloudwatch

from imagegen import errors
from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from imagegen.errors import VendorRefusal
from stacks.http_api import ACCESS_LOG_FIELDS
from stacks.monitoring.queries import QUERIES, SavedQuery
from stacks.stage import StageError
from tests.support.emitted import OCCASIONS, emitted, observer_of
from tests.support.fakes import CORE
from tests.support.synthesis import ROOT, STAGES, build_monitoring, stage_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.synthesis import Synthesized

FREE_METRICS: Final = 50
"""How many metrics a dashboard may have and be free: Amazon CloudWatch pricing."""
PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def graphs(monitoring: Synthesized) -> list[dict[str, Any]]:
    """Return what the dashboard shows; every reference to the service's stack is a word."""
    body = monitoring.one("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(
        part if isinstance(part, str) else part.get("Fn::GetStackOutput", {}).get("OutputName", "THIS")
        for part in body
    )
    widgets = [widget["properties"] for widget in json.loads(text)["widgets"]]
    return [widget for widget in widgets if "metrics" in widget or "query" in widget]


def metrics(graphs: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield namespace, name and dimensions of every metric of the dashboard."""
    for graph in graphs:
        for metric in graph.get("metrics", []):
            if isinstance(metric[0], str):
                namespace, name, *dimensions = (part for part in metric if isinstance(part, str))
                yield namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))


def test_the_dashboard_is_small_enough_to_be_free(
    graphs: list[dict[str, Any]], monitoring: Synthesized
) -> None:
    """It is one, and it leaves room for the series that its searches find."""
    assert monitoring.one("AWS::CloudWatch::Dashboard")["DashboardName"] == "imagegen-dev"
    assert len(list(metrics(graphs))) <= FREE_METRICS - 10


def test_the_dashboard_shows_what_an_operator_asks_for(graphs: list[dict[str, Any]]) -> None:
    """Requests and errors by code, images and dollars by model and key, the split of the time, queues, throttles."""
    assert {graph["title"] for graph in graphs} >= {
        "Requests",
        "Images",
        "Seconds of an image",
        "Dollars a day by model",
        "Dollars a day by API key",
        "Charges a day by model",
        "Charges a day by API key",
        "Refusals by reason",
        "Invocations that were throttled",
        "Messages that wait",
        "requests-by-status",
        "errors-by-code",
    }


def test_the_running_service_writes_every_metric_of_its_own_on_the_dashboard(
    graphs: list[dict[str, Any]],
    synthesized: Callable[[str], Synthesized],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the same dimensions; a search has the dimension that tells its series apart."""
    wanted = {
        (name, tuple(sorted(dimensions.items())))
        for namespace, name, dimensions in metrics(graphs)
        if namespace == "imagegen"
    }
    searched = {
        (found[2], tuple(sorted(found[1].split(","))))
        for graph in graphs
        for found in re.findall(
            r"\{(imagegen),([a-z,]+)\} MetricName=\\?\"(\w+)", json.dumps(graph).replace("\\", "")
        )
    }
    assert searched == {
        ("ModelRefusals", ("reason", "service", "stage")),
        ("Spend", ("model", "service", "stage")),
        ("Spend", ("key", "service", "stage")),
    }
    function = synthesized("dev").one("AWS::Lambda::Function", named="ApiFunction")
    observer = observer_of(function["Environment"]["Variables"], monkeypatch)
    for occasion in OCCASIONS.values():
        occasion(observer)
    written = list(emitted(capsys.readouterr().out))
    assert len(wanted) >= 10
    assert wanted <= {(each.name, tuple(sorted(each.dimensions.items()))) for each in written}
    assert searched <= {(each.name, tuple(sorted(each.dimensions))) for each in written}


def test_every_metric_that_the_code_writes_has_an_occasion() -> None:
    """Whoever adds a metric adds how it comes about."""
    source = (ROOT / "lambda" / "imagegen" / "adapters" / "telemetry.py").read_text()
    assert set(re.findall(r'(?:add_metric\(name=|self\._one\()"(\w+)"', source)) == set(OCCASIONS)


@pytest.fixture
def line_members(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> set[str]:
    """Return the members of every line that the functions log."""
    # A logger keeps the standard output of the test that made it, so each test needs its own.
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", request.node.name)
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "imagegen")
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
    observer = PowertoolsObserver(logger=create_logger(), metrics=create_metrics(stage="dev"))
    refused = replace(errors.Misconfigured("No."), refusal=VendorRefusal(reason="payment", request_id="4f1c"))
    refused.__cause__ = ValueError()
    observer.succeeded("gen_1", model=CORE, seconds=2, model_seconds=1, bytes_=3)
    observer.failed("gen_1", refused)
    observer.charged("gen_1", model=CORE, key_id="alicealice22", micro_usd=1)
    observer.model_refused(CORE, refused)
    observer.problem(refused, route="createGeneration")
    observer.warned("a message is not acknowledged", id_="gen_1", error=refused)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {member for line in lines if "_aws" not in line for member in line}


def fields(query: SavedQuery) -> set[str]:
    """Return the fields that a query reads, without those that it makes."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|/[^/]+/", " ", query.text)
    made = set(re.findall(r"\bas (\w+)", text))
    words = set(re.findall(r"(?<![\w@])[a-z_]+(?![\w(])", text)) - made
    return words - {
        "filter",
        "fields",
        "stats",
        "sort",
        "limit",
        "by",
        "as",
        "and",
        "or",
        "like",
        "desc",
        "asc",
    }


@pytest.mark.parametrize(
    "query", [each for each in QUERIES if each.source == "functions"], ids=lambda q: q.name
)
def test_a_query_over_the_functions_reads_what_they_log(query: SavedQuery, line_members: set[str]) -> None:
    """Each line also has the id of its request, which Lambda's context gives it."""
    assert fields(query)
    assert fields(query) <= line_members | {"correlation_id"}


@pytest.mark.parametrize(
    "query", [each for each in QUERIES if each.source == "gateway"], ids=lambda q: q.name
)
def test_a_query_over_the_gateway_reads_what_it_logs(query: SavedQuery) -> None:
    """The members are those of the access log's format."""
    assert fields(query)
    assert fields(query) <= set(ACCESS_LOG_FIELDS)


def test_a_query_looks_for_sentences_that_the_code_logs() -> None:
    """A sentence that was changed in the code would find nothing."""
    source = (ROOT / "lambda" / "imagegen" / "adapters" / "telemetry.py").read_text()
    said = {
        sentence
        for each in QUERIES
        for sentence in re.findall(r"message = (?:'([^']+)'|\"([^\"]+)\")", each.text)
    }
    sentences = {one or other for one, other in said}
    assert len(sentences) == 4
    assert [each for each in sentences if f'"{each}"' not in source] == []


def test_the_queries_are_saved_under_the_stage_and_documented(monitoring: Synthesized) -> None:
    """Each looks in the log groups of the stage."""
    saved = [each["Properties"] for each in monitoring.resources("AWS::Logs::QueryDefinition")]
    assert {each["Name"] for each in saved} == {f"imagegen/dev/{query.name}" for query in QUERIES}
    for each in saved:
        groups = [group["Fn::GetStackOutput"]["OutputName"] for group in each["LogGroupNames"]]
        assert groups
        assert all(
            re.match(r"PublishOutputRef(ApiLogs|WorkerLogs|HttpAccessLogs)", group) for group in groups
        )
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) == {q.name for q in QUERIES}


def test_only_these_services_of_the_account_may_write_to_the_topic(monitoring: Synthesized) -> None:
    """Nobody else, and nobody without TLS; the address is subscribed."""
    statements = monitoring.one("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    allowed = [each for each in statements if each["Effect"] == "Allow"]
    assert {each["Principal"]["Service"] for each in allowed} == {
        "cloudwatch.amazonaws.com",
        "budgets.amazonaws.com",
        "costalerts.amazonaws.com",
    }
    assert all(
        each["Action"] == "sns:Publish"
        and each["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
        for each in allowed
    )
    assert any(
        each["Effect"] == "Deny" and each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for each in statements
    )
    subscription = monitoring.one("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


def test_a_budget_tells_of_the_month_before_it_is_over(monitoring: Synthesized) -> None:
    """At 80 % of what is spent, and when the forecast passes it; both go to the topic."""
    budget = monitoring.one("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    assert (budget["Budget"]["TimeUnit"], budget["Budget"]["BudgetType"]) == ("MONTHLY", "COST")
    topic = {"Ref": monitoring.logical_id("AWS::SNS::Topic")}
    told = [
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"], each["Subscribers"])
        for each in budget["NotificationsWithSubscribers"]
    ]
    subscribers = [{"SubscriptionType": "SNS", "Address": topic}]
    assert told == [("ACTUAL", 80, subscribers), ("FORECASTED", 100, subscribers)]


def test_unusual_costs_are_told_at_once_from_an_amount_on(monitoring: Synthesized) -> None:
    """Of all services; without a monitor of the account's own the stack makes one."""
    subscription = monitoring.one("AWS::CE::AnomalySubscription")
    assert subscription["Frequency"] == "IMMEDIATE"
    assert json.loads(subscription["ThresholdExpression"])["Dimensions"] == {
        "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
        "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
        "Values": ["10"],
    }
    assert monitoring.one("AWS::CE::AnomalyMonitor")["MonitorDimension"] == "SERVICE"


def test_the_daily_check_may_ask_about_the_listed_models_and_tell_the_operator(
    monitoring: Synthesized,
) -> None:
    """Each in a region that offers it; it may do nothing else but write its log."""
    statements = {str(each["Action"]): each for each in monitoring.statements("Lifecycle")}
    assert set(statements) == {
        "['logs:CreateLogStream', 'logs:PutLogEvents']",
        "bedrock:GetFoundationModel",
        "sns:Publish",
    }
    assert statements["sns:Publish"]["Resource"] == {"Ref": monitoring.logical_id("AWS::SNS::Topic")}
    asked = statements["bedrock:GetFoundationModel"]
    assert asked["Action"] == "bedrock:GetFoundationModel"
    arns = [json.dumps(each) for each in asked["Resource"]]
    assert [re.sub(r".*(:bedrock:[^\"]+)\".*", r"\1", arn) for arn in arns] == [
        ":bedrock:us-east-1::foundation-model/stability.stable-diffusion-xl-v1",
        ":bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
    ]


def test_the_check_runs_once_a_day(monitoring: Synthesized) -> None:
    """Its schedule invokes the function of that name; a run that fails three times is told on the topic."""
    rule = monitoring.one("AWS::Events::Rule")
    (target,) = rule["Targets"]
    assert rule["ScheduleExpression"] == "rate(1 day)"
    assert target["Arn"]["Fn::GetAtt"][0] == monitoring.logical_id("AWS::Lambda::Function")
    function = monitoring.one("AWS::Lambda::Function")
    invocation = monitoring.one("AWS::Lambda::EventInvokeConfig")
    assert invocation["MaximumRetryAttempts"] == 2
    assert invocation["DestinationConfig"]["OnFailure"]["Destination"] == {
        "Ref": monitoring.logical_id("AWS::SNS::Topic")
    }
    assert function["Handler"] == "imagegen.lifecycle_handler.lambda_handler"
    assert set(function["Environment"]["Variables"]) == {
        "STAGE",
        "MODELS",
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_LOG_LEVEL",
    }


@pytest.mark.parametrize("stage", STAGES)
def test_only_prod_is_watched_unless_the_operator_says_otherwise(stage: str) -> None:
    """The emulator never has it, and a stage for development need not wake anybody."""
    assert stage_config(stage).monitoring is (stage == "prod")


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            "alarm_email=a@example.com",
            "alarm_email needs monitoring true, because the stack of the alarms uses it.",
        ),
        (
            "monthly_budget_usd=5",
            "monthly_budget_usd needs monitoring true, because the stack of the alarms uses it.",
        ),
        (
            "cost_anomaly_usd=5",
            "cost_anomaly_usd needs monitoring true, because the stack of the alarms uses it.",
        ),
        (
            "monitoring=true cost_anomaly_monitor_arn=arn:aws:ce::111122223333:anomalymonitor/4f-1c",
            "cost_anomaly_monitor_arn needs cost_anomaly_usd, the least amount to be told of.",
        ),
        (
            "monitoring=true alarm_email=nobody",
            "alarm_email is 'nobody' (str); it must be an e-mail address, or null",
        ),
    ],
)
def test_a_setting_of_the_alarms_without_alarms_is_one_sentence(overrides: str, sentence: str) -> None:
    """It names the setting, and what it needs."""
    with pytest.raises(StageError) as caught:
        stage_config("dev", overrides)
    assert str(caught.value).startswith(sentence)


def test_the_local_stage_cannot_be_watched() -> None:
    """The emulator would refuse the whole deployment."""
    with pytest.raises(StageError, match=r"^monitoring must be false in the stage 'local', because .+\.$"):
        stage_config("local", "monitoring=true")


def test_a_stage_has_no_alarm_on_what_it_does_not_have(code: Path) -> None:
    """Neither call-backs nor limits of the day nor an authorizer; and a monitor that exists is not made again."""
    monitor = "arn:aws:ce::111122223333:anomalymonitor/4f1c22-aa"
    stack = build_monitoring(
        "dev",
        code=code,
        overrides="webhooks=false api_auth=iam daily_images=null daily_usd=null cost_anomaly_usd=10 "
        f"cost_anomaly_monitor_arn={monitor}",
    )
    watches = {watch.name: watch for subject in stack.subjects.values() for watch in subject}
    assert not {"dead-call-backs", "budget-nearly-used"} & set(watches)
    throttled = watches["throttled-functions"].metric
    assert isinstance(throttled, cloudwatch.MathExpression)
    assert throttled.expression == "FILL(api, 0)"
    assert stack.node.try_find_child("Anomalies") is None
    subscription = stack.node.find_child("AnomalySubscription")
    assert isinstance(subscription, ce.CfnAnomalySubscription)
    assert subscription.monitor_arn_list == [monitor]
    assert stack.node.try_find_child("Budget") is None
