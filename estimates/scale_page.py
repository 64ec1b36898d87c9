"""The tables of `docs/scale.md`, made from the arithmetic and the simulation."""

from __future__ import annotations

from typing import Final

from estimates import bill
from estimates.costs_page import TODAY, table
from estimates.limits import GOAL, RATE, WAY, limits, living_models, quotas_for_the_goal, workers_for
from estimates.prices import GIGABYTE, each
from estimates.queue_simulation import Outcome, Scenario, Simulation
from estimates.usage import IMAGE_BYTES, RECORD_BYTES, usage
from stacks.model_access import SECONDS_AN_IMAGE_TAKES
from stacks.stage import StageConfig

JOBS: Final = RATE * 60
QUOTA: Final = 720
"""Requests a minute that are just enough for the goal."""
PEAK: Final = (5, 15)
_MANY: Final = 10
SCENARIOS: Final = (
    Scenario(name="as deployed", jobs_a_minute=JOBS, requests_a_minute=90, workers=15),
    Scenario(name="the quota raised", jobs_a_minute=JOBS, requests_a_minute=QUOTA, workers=15),
    Scenario(name="the workers raised", jobs_a_minute=JOBS, requests_a_minute=90, workers=workers_for(QUOTA)),
    Scenario(name="both raised", jobs_a_minute=JOBS, requests_a_minute=QUOTA, workers=workers_for(QUOTA)),
    Scenario(
        name="both raised, and a peak",
        jobs_a_minute=JOBS,
        requests_a_minute=QUOTA,
        workers=workers_for(QUOTA),
        peak=PEAK,
    ),
    Scenario(
        name="both raised for the peak",
        jobs_a_minute=JOBS,
        requests_a_minute=2 * QUOTA,
        workers=workers_for(2 * QUOTA),
        peak=PEAK,
    ),
)


def limits_met(config: StageConfig) -> str:
    """Return the table of limits; those that the goal does not meet come last."""
    rows = []
    for limit in limits(config, today=TODAY):
        used = _times(GOAL / limit.images_a_day)
        rows.append([limit.what, limit.because, _round(limit.images_a_day), used, limit.turn])
    return table(
        [
            "limit",
            "how much, and what an image takes",
            "met at images a day",
            "a million a day needs",
            "then",
        ],
        rows,
    )


def models() -> str:
    """Return the table of the models' quotas."""
    rows = [
        [
            model.name,
            ", ".join(model.regions),
            str(model.requests_per_minute),
            f"{(model.requests_per_minute or 0) * 1440:,}",
            f"{RATE * 60 / (model.requests_per_minute or 1):.1f}",
            str(quotas_for_the_goal(model)),
            f"${GOAL * model.price.per_image:,.0f}",
        ]
        for model in living_models()
    ]
    head = [
        "model",
        "region",
        "requests a minute",
        "images a day",
        "times the quota",
        "accounts",
        "dollars a day",
    ]
    return table(head, rows)


def queue() -> str:
    """Return the table of the simulation."""
    return table(
        [
            "scenario",
            "model's requests a minute",
            "workers",
            "images a minute at the end",
            "jobs that wait at the end",
            "wait of half, of 95 %",
            "refused calls an image",
            "deliveries an image",
            "sent again by the sweep",
            "most in flight",
        ],
        [_row(Simulation(scenario).run()) for scenario in SCENARIOS],
    )


def a_day(config: StageConfig) -> str:
    """Return the table of what a day of the goal moves and costs."""
    asked = usage(config, WAY)
    lines = [(line.service, line.what, GOAL * line.usd) for line in bill.image(config, WAY, today=TODAY)]
    facts = [
        ["requests to the API", f"{RATE * asked.api_requests:.0f} a second"],
        ["executions of the worker at once", f"{RATE * SECONDS_AN_IMAGE_TAKES:.0f}"],
        ["write units of the table and its indexes", f"{RATE * asked.write_units:.0f} a second"],
        [
            "logs and metrics",
            f"{GOAL * asked.log_bytes / GIGABYTE:.1f} GB, ${GOAL * asked.log_bytes * each('log_byte'):.2f}",
        ],
        ["images written", f"{GOAL * IMAGE_BYTES / GIGABYTE / 1000:.1f} TB"],
        [
            f"images kept, after {config.image_retention_days} days",
            f"{config.image_retention_days * GOAL * IMAGE_BYTES / GIGABYTE / 1000:.0f} TB",
        ],
        [
            f"records kept, after {config.record_retention_days} days",
            f"{config.record_retention_days * GOAL * 2 * RECORD_BYTES / GIGABYTE:.0f} GB, with the index",
        ],
        ["the model", f"${sum(usd for service, _, usd in lines if service == 'Bedrock'):,.0f}"],
        ["AWS around it", f"${sum(usd for service, _, usd in lines if service != 'Bedrock'):,.0f}"],
    ]
    return table(["of a million images a day", "how much"], facts)


def tables(config: StageConfig) -> dict[str, str]:
    """Return every table of the page by its name, for a stage."""
    return {"day": a_day(config), "limits": limits_met(config), "models": models(), "queue": queue()}


def _row(outcome: Outcome) -> list[str]:
    scenario = outcome.scenario
    peak = f" ({scenario.peak[1] - scenario.peak[0]} min)" if scenario.peak[1] else ""
    return [
        f"{scenario.name}{peak}",
        str(scenario.requests_a_minute),
        str(scenario.workers),
        f"{outcome.images_a_minute(last=5):.0f}",
        f"{outcome.waiting:,}",
        f"{outcome.wait(0.5):.0f} s, {outcome.wait(0.95):.0f} s",
        f"{outcome.refusals / outcome.images:.1f}",
        f"{outcome.deliveries / outcome.images:.2f}",
        f"{outcome.sent_again:,}",
        str(outcome.most_in_flight),
    ]


def _times(share: float) -> str:
    if share < 1:
        return f"{share:.1%}"
    return f"{share:.1f} times" if share < _MANY else f"{share:,.0f} times"


def _round(number: float) -> str:
    """Return a large number with three digits."""
    digits = len(f"{number:.0f}")
    return f"{round(number, 3 - digits):,.0f}"
