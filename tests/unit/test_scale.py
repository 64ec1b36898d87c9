"""`docs/scale.md` shows what the arithmetic and the simulation give, and the simulation does what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

import pytest

from estimates import scale_page
from estimates.limits import GOAL, RATE, limits, living_models, quotas_for_the_goal, workers_for
from estimates.page_tables import shown
from estimates.queue_simulation import OVERHEAD, Scenario, Simulation
from stacks.cdk_json import stages_of
from stacks.model_access import SECONDS_AN_IMAGE_TAKES
from stacks.stage import load_stage
from tools.checkout import CHECKOUT

PAGE: Final = (CHECKOUT / "docs" / "scale.md").read_text(encoding="utf-8")
PROD: Final = load_stage(name="prod", stages=stages_of(CHECKOUT), overrides=None)
TODAY: Final = date(2026, 11, 28)
QUIET: Final = Scenario(name="quiet", jobs_a_minute=30, requests_a_minute=90, workers=15, minutes=10)
ONE: Final = SECONDS_AN_IMAGE_TAKES + OVERHEAD


@pytest.mark.slow
def test_the_tables_of_the_page_are_those_of_the_arithmetic() -> None:
    """If they are not, `make pages` makes them anew."""
    assert shown(PAGE) == scale_page.tables(PROD)


def test_a_quiet_queue_makes_each_image_at_once() -> None:
    """Nothing waits, is refused, or is sent again."""
    outcome = Simulation(QUIET).run()
    assert outcome.wait(1) == pytest.approx(ONE)
    assert (outcome.refusals, outcome.sent_again, outcome.dead_letters) == (0, 0, 0)
    assert outcome.deliveries == outcome.arrived
    assert outcome.images_a_minute(last=5) == pytest.approx(30, abs=1)


def test_two_runs_of_a_scenario_are_the_same() -> None:
    """Chance comes from a fixed seed."""
    busy = replace(QUIET, jobs_a_minute=120)
    first, second = Simulation(busy).run(), Simulation(busy).run()
    assert first.refusals > 0
    assert (first.ends, first.deliveries) == (second.ends, second.deliveries)


@pytest.mark.parametrize("workers", [5, 15, 60])
def test_no_more_images_are_made_than_workers_and_quota_allow(workers: int) -> None:
    """Whichever is less, and nearly all of it."""
    outcome = Simulation(replace(QUIET, jobs_a_minute=600, workers=workers)).run()
    most = min(90, workers * 60 / ONE)
    assert 0.9 * most <= outcome.images_a_minute(last=5) <= most + 1
    assert outcome.arrived == outcome.images + outcome.waiting


def test_a_job_that_the_model_never_takes_is_given_up() -> None:
    """After fifty deliveries, which take most of an hour."""
    dead = replace(QUIET, jobs_a_minute=1, requests_a_minute=0, minutes=40)
    assert Simulation(dead).run().dead_letters == 0
    assert Simulation(replace(dead, minutes=90)).run().dead_letters > 0


def test_a_message_too_many_makes_no_second_image() -> None:
    """The sweep sends jobs again that only wait."""
    outcome = Simulation(replace(QUIET, jobs_a_minute=300)).run()
    assert outcome.sent_again > 100
    assert outcome.images <= outcome.arrived
    assert outcome.images_a_minute(last=5) <= 91


def test_the_limits_are_in_the_order_in_which_they_are_met() -> None:
    """Up to the goal there are settings of the stage and Bedrock's quotas, and nothing else."""
    found = limits(PROD, today=TODAY)
    assert [one.images_a_day for one in found] == sorted(one.images_a_day for one in found)
    below = [one.what for one in found if one.images_a_day < GOAL]
    assert {what.split()[0].strip("`,") for what in below} == {
        "Bedrock's",
        "daily_images",
        "daily_usd",
        "images_per_minute_per_caller",
        "worker_concurrency",
    }


def test_a_higher_limit_is_met_later() -> None:
    """The settings are those of the stage."""
    raised = PROD.model_copy(update={"daily_images": 2_000_000, "worker_concurrency": 200})
    day = {one.what: one.images_a_day for one in limits(raised, today=TODAY)}
    assert day["`daily_images` of the stage"] == pytest.approx(2_000_000)
    assert day["`worker_concurrency`, as it is derived"] == pytest.approx(200 / ONE * 86_400)


def test_the_accounts_are_the_goal_divided_by_the_quota() -> None:
    """694 images a minute."""
    assert [quotas_for_the_goal(model) for model in living_models()] == [8, 47, 70]
    assert workers_for(RATE * 60) == 116


def test_the_page_says_how_often_the_figures_in_its_sentences_are() -> None:
    """They stand outside of the tables."""
    waiting = Simulation(scale_page.SCENARIOS[0]).run().waiting
    assert f"{waiting // 1000},000 jobs that wait" in PAGE
    executions = workers_for(scale_page.QUOTA) * 0.5 * 86_400 * 0.0000133334
    assert f"cost ${executions:.0f} a day" in PAGE
    room = scale_page.QUOTA / (RATE * 60) - 1
    assert f"the room that is left is {room:.0%}".replace("%", " %") in PAGE.replace("\n", " ")
