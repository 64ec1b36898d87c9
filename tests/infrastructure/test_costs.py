"""`docs/cost.md` shows what the arithmetic gives, for the templates as they are, and README.md quotes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from estimates import bill, costs_page, shares
from estimates.idle import UnpricedResource, idle
from estimates.page_tables import renewed, shown
from estimates.prices import PRICES
from stacks.stage import SETTINGS
from tests.support.hardened import HARDENED
from tests.support.synthesis import ROOT, stage_config
from tools.failures import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized

GRADUAL: Final = "api_deployment=canary api_concurrency=20"
PAGE: Final = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")


@pytest.fixture
def made(dev: Synthesized, playground_template: dict[str, Any], monitoring: Synthesized) -> dict[str, str]:
    """Return the tables of the page, made now."""
    return costs_page.tables(
        dev.config, template=dev.template, playground=playground_template, monitoring=monitoring.template
    )


def test_the_tables_of_the_page_are_those_of_the_arithmetic(made: dict[str, str]) -> None:
    """If they are not, `make pages` makes them anew."""
    assert shown(PAGE) == made


def test_an_idle_stage_costs_about_a_dollar(dev: Synthesized) -> None:
    """README.md says how much, and of what most of it consists."""
    lines = idle(dev.template, memory_mb=dev.config.memory_mb)
    sums = bill.by_service(lines)
    sweep = bill.total(lines) - sums["SQS"] - sums["Secrets Manager"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"\| a stage that nobody uses, a month: (.+) \|", readme)
    parts = [f"${usd:.2f}" for usd in (sums["SQS"], sums["Secrets Manager"], sweep, bill.total(lines))]
    assert re.findall(r"\$[\d.]+", row) == parts


@pytest.mark.parametrize("stage", ["prod", "local"])
def test_every_resource_of_every_stage_has_a_price(stage: str, request: pytest.FixtureRequest) -> None:
    """Also if it is nothing."""
    found: Synthesized = request.getfixturevalue(stage)
    assert bill.total(idle(found.template, memory_mb=found.config.memory_mb)) > 1


def test_a_resource_that_nobody_has_priced_is_an_error() -> None:
    """It names the resource and where its price belongs."""
    template = {"Resources": {"Stream": {"Type": "AWS::Kinesis::Stream"}}}
    with pytest.raises(
        UnpricedResource, match=r"Stream is a resource of type AWS::Kinesis::Stream.*idle\.py"
    ):
        idle(template, memory_mb=512)


@pytest.mark.parametrize(
    ("schedule", "runs"),
    [
        ("rate(1 day)", 730 / 24),
        ("rate(5 minutes)", 8_760),
        ("rate(12 hours)", 730 / 12),
        ("cron(0 6 * * ? *)", 730 / 24),
    ],
)
def test_a_schedule_is_counted_by_its_runs(schedule: str, runs: float) -> None:
    """A function that runs now and then costs next to nothing; only the sweep also queries the table."""
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": schedule}}
    lines = idle({"Resources": {"Tick": rule}}, memory_mb=512)
    a_run = 0.2e-6 + 0.1 * 0.5 * 0.0000133334 + 500 * 0.5e-9
    assert bill.total(lines) == pytest.approx(runs * a_run)
    assert {line.service for line in lines} == {"Lambda", "CloudWatch"}


def test_a_schedule_that_cannot_be_counted_is_an_error() -> None:
    """Such as several times a day."""
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "cron(0/5 * * * ? *)"}}
    with pytest.raises(UnpricedResource, match="0/5"):
        idle({"Resources": {"Tick": rule}}, memory_mb=512)


@pytest.mark.parametrize(
    ("resource", "usd"),
    [
        ({"Type": "AWS::CloudWatch::Alarm"}, 0.10),
        (
            {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {"Metrics": [{"Expression": "a/b"}, {"MetricStat": {}}, {"MetricStat": {}}]},
            },
            0.20,
        ),
        ({"Type": "AWS::CloudWatch::Dashboard"}, 3),
        ({"Type": "AWS::KMS::Key"}, 1),
        ({"Type": "AWS::WAFv2::WebACL", "Properties": {"Rules": [{}, {}]}}, 7),
        ({"Type": "AWS::SNS::Topic"}, 0),
        ({"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {}}}, 0),
    ],
)
def test_what_an_operator_adds_is_counted(resource: dict[str, Any], usd: float) -> None:
    """By the type of the resource; an alarm on a formula counts for each of its metrics."""
    lines = idle({"Resources": {"Added": resource}}, memory_mb=512)
    assert bill.total(lines) == pytest.approx(usd)


def test_every_setting_has_its_share_or_is_known_to_cost_nothing() -> None:
    """Whoever adds a setting says which."""
    added = {"monitoring", "tracing", *shares.ADDED}
    priced = {*shares.IDLE, *shares.VARIANTS, *shares.IN_WORDS, *added}
    assert priced | set(shares.FREE) == set(SETTINGS)
    assert priced & set(shares.FREE) == set()


def test_the_monitoring_costs_what_its_page_says(monitoring: Synthesized) -> None:
    """Alarms and dashboard; README.md says it of `prod`, which has it."""
    usd = bill.total(idle(monitoring.template, memory_mb=monitoring.config.memory_mb))
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:\d+ alarms|one dashboard)[^|]*\| \$([\d.]+) \|", page, re.MULTILINE)
    assert sum(map(float, rows)) == pytest.approx(usd, abs=0.01)
    assert f"adds ${usd:.2f} a month" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_an_idle_production_costs_what_the_pages_say(prod: Synthesized, monitoring: Synthesized) -> None:
    """Its own stack and the one that watches it; staging has the same resources."""
    usd = bill.total(idle([prod.template, monitoring.template], memory_mb=prod.config.memory_mb))
    assert prod.config.monitoring
    assert re.search(rf"`prod` and `staging` have it, and each of them costs\s\${usd:.2f} in", PAGE)
    assert f"costs ${usd:.2f} idle" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_a_setting_adds_to_the_stack_is_what_its_template_adds(
    dev: Synthesized, synthesized: Callable[[str, str], Synthesized]
) -> None:
    """Firewall and key together, which one template has, and the alarm of a gradual deployment."""
    plain = bill.total(idle(dev.template, memory_mb=512))
    added = {name: usd for name, (_, usd) in shares.ADDED.items()}
    hardened = bill.total(idle(synthesized("dev", HARDENED).template, memory_mb=512))
    assert hardened - plain == pytest.approx(added.pop("waf") + added.pop("encryption"))
    gradual = bill.total(idle(synthesized("dev", GRADUAL).template, memory_mb=512))
    assert gradual - plain == pytest.approx(added.pop("api_deployment"))
    assert added == {}


def test_a_snapshot_is_paid_for_as_long_as_its_version_is_there(
    dev: Synthesized, synthesized: Callable[[str, str], Synthesized], made: dict[str, str]
) -> None:
    """By the function's memory, once for the one version that a stage has; the page says it in words."""
    plain = bill.total(idle(dev.template, memory_mb=512))
    for overrides, memory_mb, usd in [
        ("snapstart=true", 512, 1.977),
        ("snapstart=true memory_mb=1024", 1024, 3.954),
    ]:
        lines = idle(synthesized("dev", overrides).template, memory_mb=memory_mb)
        (kept,) = [line for line in lines if "snapshot" in line.what]
        assert kept.usd == pytest.approx(usd, abs=0.001)
        assert kept.resource.startswith("ApiFunction")
        assert bill.total(lines) - kept.usd == pytest.approx(plain, abs=0.05)
    assert (
        "| `snapstart` | $1.98 idle, for one version; $0.07 a thousand starts of the api function |"
        in (made["settings"])
    )


def test_a_free_setting_changes_neither_image_nor_idle_month(dev: Synthesized) -> None:
    """For those of them that hold a number, and have one more."""
    today = costs_page.TODAY
    numbers = [name for name in shares.FREE if type(getattr(dev.config, name)) in {int, float}]
    assert len(numbers) >= 8
    for name in numbers:
        other = dev.config.model_copy(update={name: getattr(dev.config, name) + 1})
        for way in ("synchronous", "with a call-back"):
            assert bill.image(other, way, today=today) == bill.image(dev.config, way, today=today), name


def test_the_price_of_the_model_is_the_registrys() -> None:
    """Of the first one of the list that has not ended."""
    config = stage_config("dev")
    assert bill.serving(config, today=costs_page.TODAY).id == "stability.stable-image-core-v1:1"
    lines = bill.image(config, "synchronous", today=costs_page.TODAY)
    assert {line.usd for line in lines if line.service == "Bedrock"} == {0.04}


def test_every_price_says_where_it_was_read() -> None:
    """The page is one of AWS's."""
    assert all(price.page.startswith("https://aws.amazon.com/") for price in PRICES.values())
    assert all(price.usd > 0 < price.per for price in PRICES.values())


def test_a_page_without_a_table_is_not_renewed() -> None:
    """Otherwise a table that was removed by mistake would stay away."""
    page = "<!-- table one: make pages -->\n\nold\n\n<!-- end -->\n"
    assert renewed(page, {"one": "new"}) == page.replace("old", "new")
    with pytest.raises(LocalError, match=r"tables one, .* are one, two"):
        renewed(page, {"one": "new", "two": "new"})
