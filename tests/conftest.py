"""How the suite is spread over processes, and how Hypothesis chooses its examples (`tests/README.md`)."""

from __future__ import annotations

import gc
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

# The same examples in every run, however slow the machine is: a test fails because of a change, not by chance.
settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test a group: `--dist loadgroup` runs the tests of one group in one process, one after the other.

    The groups that take longest come first, so that the processes end at about the same time.
    """
    for item in items:
        group = _group(item)
        if group and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_rank)


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of the garbage collector's way: it lives as long as the process."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what cannot travel between processes: half a surrogate pair that a test had logged."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


def _group(item: pytest.Item) -> str:
    """Return the name of what a test shares with others: the deployed stack, the templates, or its module."""
    fixtures = getattr(item, "fixturenames", ())
    if "stack" in fixtures:
        return "deployed stack"
    if "synthesized" in fixtures:
        return "templates"
    if item.get_closest_marker("slow") is not None:
        return ""  # it takes long enough to be run alone
    return str(item.path.relative_to(HERE))


def _rank(item: pytest.Item) -> int:
    if item.path.is_relative_to(HERE / "local"):
        marker = item.get_closest_marker("xdist_group")
        is_long = item.path.stem == "test_life_cycle" or (marker and marker.args[0] == "deployed stack")
        return 0 if is_long else 1
    return 2 if item.get_closest_marker("slow") is not None else 3
