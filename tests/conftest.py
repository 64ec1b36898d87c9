"""How the suite is spread over processes, and how Hypothesis chooses its examples (`tests/README.md`)."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no types

if TYPE_CHECKING:
    from xdist.remote import Producer  # type: ignore[import-untyped]  # likewise

    from tests.support.local_instances import Instance

DEPLOYED_STACK: Final = "deployed stack"
CLONES: Final = "clones"
WITHOUT_STACK: Final = (
    "test_adapters.py",
    "test_audit.py",
    "test_bench.py",
    "test_budget_kills.py",
    "test_budget_storm.py",
    "test_canaries.py",
    "test_command_line_codes.py",
    "test_command_line_mistakes.py",
    "test_concurrency_benchmark.py",
    "test_damaged_folders.py",
    "test_deploying.py",
    "test_docs_site.py",
    "test_first_deployment.py",
    "test_growth.py",
    "test_key_look_up.py",
    "test_kills.py",
    "test_local_keys.py",
    "test_life_cycle.py",  # starts and stops an instance of its own
    "test_openai_errors.py",
    "test_page_server.py",
    "test_picture_readers.py",
    "test_quotas.py",
    "test_sbom.py",
    "test_set_up.py",
    "test_store_faults.py",
    "test_storm.py",
    "test_variables.py",
    "test_webhook_delivery.py",
    "test_wire_faults.py",
)
OTHER_STACKS: Final = {
    "stack of the pages": ("test_browser", "test_playground"),
    "stack of the tools": (
        *("test_command_line", "test_doctor", "test_keys", "test_mcp", "test_python_client", "test_readme"),
        *("test_storm_over_http", "test_tutorial"),
    ),
}
"""How the names begin of modules that share a stack of their own, so that the whole run waits less for one stack."""
STACKS: Final = (DEPLOYED_STACK, *OTHER_STACKS)
WITHOUT_TEMPLATES: Final = (
    *("test_app.py", "test_bundling.py", "test_iam.py", "test_service_data.py", "test_zip_contents.py"),
)
LIFE: Final = "tests/deployments/test_life_of_a_stage.py"
AUDIT: Final = "tests/deployments/test_audit.py"
SPREAD: Final = ("test_dialect_properties.py", "test_fault_schedules.py", "test_hostile_bodies.py")
"""Modules whose tests share nothing and take so long that each is worth a turn of its own."""
LONGEST: Final = (
    *STACKS,
    CLONES,
    LIFE,
    "tests/local/test_life_cycle.py",
    "tests/api/test_schemathesis.py",
    "tests/local/test_kills.py",
    "tests/local/test_storm.py",
    "tests/infrastructure/test_bundling.py",
    "templates",
)

# The same examples in every run, however slow the machine is: a test fails because of a change, not by chance.
settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture(scope="session")
def create_instance() -> Iterator[Callable[[str], Instance]]:
    """Make instances of the local service by name; what killed test runs left is stopped, this one leaves nothing.

    It stands here once: of two fixtures with this name, the first to end would remove what the other's tests still use.
    """
    # Most tests start no service, and need not load what one needs.
    from tests.support import local_instances  # noqa: PLC0415

    local_instances.remove_abandoned()
    yield local_instances.create
    local_instances.remove_own()


@pytest.hookimpl(optionalhook=True)  # for `-p no:xdist`
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Run the tests of one group in one process, one after the other, whatever `--dist` says."""
    config.option.loadscopereorder = False  # in the order of `pytest_collection_modifyitems`
    return Groups(config, log)


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # likewise
    """Hands out groups of tests instead of modules."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the group of a test: one of the deployed stacks, the templates, the clones, its module, or itself.

    Not xdist's own marker: xdist 3.8 writes it into the node's id, which pytest 9 does not read.
    """
    path = nodeid.partition("::")[0]
    folder, _, name = path.rpartition("/")
    if (folder == "tests/local" and name not in WITHOUT_STACK) or folder == "tests/clients":
        others = (stack for stack, names in OTHER_STACKS.items() if name.startswith(names))
        return next(others, DEPLOYED_STACK)
    if folder == "tests/infrastructure" and name not in WITHOUT_TEMPLATES:
        return "templates"
    if folder == "tests/deployments" and path not in {LIFE, AUDIT}:
        return CLONES
    return nodeid if name in SPREAD else path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups that take longest, so that the processes end at about the same time."""
    _tell_apart(items)
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()) and group_of(item.nodeid) not in STACKS:
            raise pytest.UsageError(
                f"{item.nodeid} uses the deployed stack: see WITHOUT_STACK in {__file__}."
            )
    items.sort(key=_rank)


def _tell_apart(items: list[pytest.Item]) -> None:
    """Give each test an id of its own: xdist runs one of those that share an id, and schemathesis makes such."""
    for item in items:
        operation = getattr(item, "operation_label", None)
        if operation is not None:
            item._id = replace(item._id, params=operation)
    if len({item.nodeid for item in items}) < len(items):
        raise pytest.UsageError("Several tests have the same id, and only one of them would be run.")


def _rank(item: pytest.Item) -> int:
    group = group_of(item.nodeid)
    if group in LONGEST:
        return LONGEST.index(group)
    return len(LONGEST) + (item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what is imported and collected out of the garbage collector's way: it lives as long as the process."""
    # To look through these objects again and again takes a tenth of the time.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what cannot travel between processes: half a surrogate pair that a test had logged."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report
