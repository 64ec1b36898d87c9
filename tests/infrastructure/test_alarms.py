"""Each alarm watches a metric that is really written, goes off when it should, and has its section in the runbook."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pytest

from stacks.http_api import ACCESS_LOG_FIELDS
from tests.support.alarms import Alarm, Samples, Series, matches
from tests.support.emitted import OCCASIONS, emitted, observer_of
from tests.support.synthesis import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized

GOOD: Final[Samples] = {}
SLOW: Final[Samples] = {"m1": [2.0] * 8 + [24.0] * 2}
FAILING: Final[Samples] = {"m1": [0.0] * 94 + [1.0] * 6}
WORKING: Final[Samples] = {"invocations": [1.0] * 5, "errors": [0.0] * 5}
CRASHING: Final[Samples] = {"invocations": [1.0] * 5, "errors": [1.0] * 5}
REFUSING: Final[Samples] = {"api": [0.0], "authorizer": [1.0]}
COUNTED: Final = ([{"m1": [1.0]}], [GOOD, {"m1": [0.0]}])

CASES: Final[Mapping[str, tuple[Sequence[Samples], Sequence[Samples]]]] = {
    "faults": COUNTED,
    "server-errors": ([FAILING] * 3, [FAILING, FAILING, {"m1": [0.0] * 95 + [1.0] * 5}]),
    "gateway-errors": ([{"m1": [1.0] * 3}], [{"m1": [1.0] * 2}]),
    "throttled-functions": ([REFUSING, {"authorizer": [2.0]}, GOOD], [REFUSING, {"api": [0.0]}, GOOD]),
    "slow-models": ([SLOW] * 3, [SLOW, SLOW, {"m1": [2.0] * 9 + [24.0]}]),
    "old-jobs": ([{"m1": [10.0, 900.0]}], [{"m1": [899.0]}]),
    "dead-letters": COUNTED,
    "dead-call-backs": COUNTED,
    "missing-sweep": ([WORKING, GOOD, CRASHING], [GOOD, WORKING]),
    "model-retired": COUNTED,
    "lifecycle-changed": ([{"m1": [1.0]}], [{"m1": [0.0]}]),
    "refusals-to-mend": COUNTED,
    "budget-nearly-used": ([{"m1": [79.0, 80.0]}], [{"m1": [79.9]}]),
}
"""Of each alarm: periods after which it is on, and periods after which it is not."""

OF_AWS: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    # Amazon API Gateway developer guide, "Amazon API Gateway dimensions and metrics".
    ("AWS/ApiGateway", "5XXError"): frozenset({"ApiName", "Stage"}),
    # AWS Lambda developer guide, "Types of metrics for Lambda functions".
    ("AWS/Lambda", "Throttles"): frozenset({"FunctionName"}),
    ("AWS/Lambda", "Invocations"): frozenset({"FunctionName"}),
    ("AWS/Lambda", "Errors"): frozenset({"FunctionName"}),
    # Amazon SQS developer guide, "Available CloudWatch metrics for Amazon SQS".
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): frozenset({"QueueName"}),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): frozenset({"QueueName"}),
    ("AWS/SQS", "NumberOfMessagesReceived"): frozenset({"QueueName"}),
}
"""The metrics that AWS writes by itself, with their dimensions, as its pages name them."""

WATCHED: Final[Mapping[str, Sequence[str]]] = {
    "throttled-functions": ("ApiFunction", "HttpAuthorizerFunction"),
    "missing-sweep": ("WorkerFunction", "WorkerFunction"),
    "old-jobs": ("JobsQueue",),
    "dead-letters": ("JobsDeadLetters",),
    "dead-call-backs": ("JobsDeadCallBacks",),
}
"""What a dimension of these alarms names: the logical id begins so, and a hash follows."""

RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SECTIONS = {
    title.lower().replace(" ", "-"): text
    for title, text in re.findall(
        r"^### (.+?)\n(.*?)(?=^##|\Z)",
        RUNBOOK.partition("\n## When an alarm goes off\n")[2].partition("\n## ")[0],
        re.MULTILINE | re.DOTALL,
    )
}


@pytest.fixture(scope="module")
def alarms(monitoring: Synthesized) -> Mapping[str, Alarm]:
    """Return the alarms of the stage `dev`, by their names without the stack's."""
    found = [Alarm.of(each["Properties"]) for each in monitoring.resources("AWS::CloudWatch::Alarm")]
    return {alarm.name.removeprefix("imagegen-dev-"): alarm for alarm in found}


def test_these_are_the_alarms(alarms: Mapping[str, Alarm]) -> None:
    """Whoever adds one adds its cases and its section."""
    assert set(alarms) == set(CASES) == set(SECTIONS)


@pytest.mark.parametrize("name", CASES)
def test_an_alarm_goes_off_when_its_threshold_is_crossed(alarms: Mapping[str, Alarm], name: str) -> None:
    """A little less does not set it off."""
    on, off = CASES[name]
    assert alarms[name].goes_off(on)
    assert not alarms[name].goes_off(off)
    assert len(on) >= alarms[name].periods


@pytest.mark.parametrize(("name", "missing"), [(name, name == "missing-sweep") for name in CASES])
def test_silence_means_that_all_is_well_but_for_the_sweep(
    alarms: Mapping[str, Alarm],
    name: str,
    missing: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A stage that nobody uses has no alarm."""
    assert alarms[name].goes_off([GOOD] * 3) is missing


@pytest.mark.parametrize("name", ["lifecycle-changed", "budget-nearly-used"])
def test_what_is_written_now_and_then_stays_as_it_was(alarms: Mapping[str, Alarm], name: str) -> None:
    """Neither the hours between two checks nor a pause between two images end it."""
    assert alarms[name].goes_off([GOOD], before=True)


@pytest.mark.parametrize("name", CASES)
def test_the_operator_is_told_when_an_alarm_begins_and_when_it_is_over(
    alarms: Mapping[str, Alarm], monitoring: Synthesized, name: str
) -> None:
    """Both messages go to the one topic."""
    topic = [{"Ref": monitoring.logical_id("AWS::SNS::Topic")}]
    assert alarms[name].actions == alarms[name].ok_actions == topic


def own(alarm: Alarm) -> Series | None:
    """Return the series of an alarm if the service writes it itself."""
    first, *_ = alarm.series.values()
    return first if first.namespace == "imagegen" else None


OWN: Final = (
    "faults",
    "slow-models",
    "model-retired",
    "lifecycle-changed",
    "refusals-to-mend",
    "budget-nearly-used",
)


def test_every_alarm_has_one_of_three_kinds_of_metrics(alarms: Mapping[str, Alarm]) -> None:
    """The service writes it, AWS does, or the filter of the access log does."""
    assert {name for name, alarm in alarms.items() if own(alarm)} == set(OWN)
    others = {name: alarm for name, alarm in alarms.items() if name not in {*OWN, "gateway-errors"}}
    assert {(s.namespace, s.name) for alarm in others.values() for s in alarm.series.values()} == set(OF_AWS)


@pytest.mark.parametrize("name", OWN)
def test_the_running_service_writes_what_an_alarm_watches(
    alarms: Mapping[str, Alarm],
    synthesized: Callable[[str], Synthesized],
    monitoring: Synthesized,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """Name, namespace, and every dimension with its value: the observer has the environment of the template."""
    (series,) = alarms[name].series.values()
    deployed = monitoring if name == "lifecycle-changed" else synthesized("dev")
    function = "LifecycleFunction" if name == "lifecycle-changed" else "ApiFunction"
    environment = deployed.one("AWS::Lambda::Function", named=function)["Environment"]["Variables"]
    OCCASIONS[series.name](observer_of(environment, monkeypatch))
    written = [
        each
        for each in emitted(capsys.readouterr().out)
        if (each.namespace, each.name, each.dimensions) == (series.namespace, series.name, series.dimensions)
    ]
    assert written
    if name != "slow-models":
        # The occasion is one that an operator has to hear of.
        assert alarms[name].goes_off([{"m1": each.values} for each in written])


@pytest.mark.parametrize("name", sorted(set(CASES) - {*OWN, "gateway-errors"}))
def test_aws_writes_what_the_other_alarms_watch(
    alarms: Mapping[str, Alarm], synthesized: Callable[..., Synthesized], name: str
) -> None:
    """The dimensions are those of AWS's pages, and their values are those of the watched resources."""
    service = synthesized("dev")
    series = list(alarms[name].series.values())
    assert all(set(each.dimensions) == OF_AWS[each.namespace, each.name] for each in series)
    if name == "server-errors":
        (stage,) = service.resources("AWS::ApiGateway::Stage")
        api = service.one("AWS::ApiGateway::RestApi")
        assert series[0].dimensions == {"ApiName": api["Name"], "Stage": stage["Properties"]["StageName"]}
        return
    named = [referred(value) for each in series for value in each.dimensions.values()]
    assert set(named) <= set(service.template["Resources"])
    assert [re.sub(r"[0-9A-F]{8,}$", "", each) for each in named] == list(WATCHED[name])


def referred(value: Mapping[str, Any]) -> str:
    """Return the logical id that a reference to another stack's output is about."""
    name = str(value["Fn::GetStackOutput"]["OutputName"])
    return re.sub(r"^PublishOutput(?:Ref|FnGetAtt)|(?:QueueName)?[0-9A-F]{8}$", "", name)


def line(**members: str) -> dict[str, str]:
    """Return a line of the access log, as the gateway writes it; a hyphen stands for what a request does not have."""
    return {**dict.fromkeys(ACCESS_LOG_FIELDS, "-"), **members}


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        (line(status="504", error_type="INTEGRATION_TIMEOUT"), True),
        (line(status="502", error_type="INTEGRATION_FAILURE"), True),
        (line(status="500", error_type="AUTHORIZER_FAILURE"), True),
        (line(status="503", integration_status="200"), False),
        (line(status="200", integration_status="200"), False),
        (line(status="401", error_type="ACCESS_DENIED"), False),
        (line(status="429", error_type="THROTTLED"), False),
    ],
)
def test_the_filter_counts_what_the_gateway_itself_replied(
    alarms: Mapping[str, Alarm],
    monitoring: Synthesized,
    written: dict[str, str],
    counted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """It writes the metric that the alarm watches, out of the access log of the stage."""
    (series,) = alarms["gateway-errors"].series.values()
    filter_ = monitoring.one("AWS::Logs::MetricFilter")
    (metric,) = filter_["MetricTransformations"]
    assert (metric["MetricNamespace"], metric["MetricName"], metric["MetricValue"]) == (
        series.namespace,
        series.name,
        "1",
    )
    assert series.dimensions == {}
    assert "HttpAccessLogs" in filter_["LogGroupName"]["Fn::GetStackOutput"]["OutputName"]
    assert matches(filter_["FilterPattern"], written) is counted


@pytest.mark.parametrize("name", CASES)
def test_an_alarm_names_a_section_that_says_what_to_do(alarms: Mapping[str, Alarm], name: str) -> None:
    """What it means, where to look, what to do, and when it is over; with a command or a link in it."""
    assert alarms[name].description.endswith(f"Runbook: docs/operations.md#{name}")
    parts = re.findall(r"^\*\*(\w+):\*\*\s+(.+?)(?=^\*\*|\Z)", SECTIONS[name], re.MULTILINE | re.DOTALL)
    assert [title for title, _ in parts] == ["Means", "Look", "Do", "Over"]
    assert all(len(text.split()) > 4 for _, text in parts[:3])
    assert re.search(r"`(?:query|aws|make) [^`]+`", SECTIONS[name])


def test_the_commands_of_the_runbook_can_be_read_by_bash() -> None:
    """So can the words that they use."""
    section = RUNBOOK.partition("\n## When an alarm goes off\n")[2].partition("\n## ")[0]
    (words,) = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    commands = re.findall(r"`((?:aws|query|make) [^`]+)`", section.replace("\n", " "))
    assert len(commands) > 20
    read = subprocess.run(
        ["/usr/bin/env", "bash", "-n"],
        input="\n".join([words, *commands]),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (read.returncode, read.stderr) == (0, "")


def test_the_page_counts_the_alarms_and_their_metrics(alarms: Mapping[str, Alarm]) -> None:
    """CloudWatch charges for each metric of an alarm, and its free tier has ten."""
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    metrics = sum(len(alarm.series) for alarm in alarms.values())
    assert (
        f"| {len(alarms)} alarms with {metrics} metrics, at $0.10 for each metric | ${metrics / 10:.2f} |"
        in page
    )
    assert f"costs ${(metrics - 10) / 10:.2f} a month more" in page
    assert set(re.findall(r"^\| \[`([a-z-]+)`\]\(operations\.md#\1\)", page, re.MULTILINE)) == set(alarms)
