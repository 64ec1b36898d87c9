"""Every command of `docs/operations.md` is one that AWS, make and the logs know."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from imagegen.models.registry import resolve
from stacks.http_api import ACCESS_LOG_FIELDS
from tests.architecture.test_aws_documented import OUTPUTS
from tests.support import documented
from tests.support.aws_command import UnknownCommandError, parsed
from tools.checkout import CHECKOUT

NAME: Final = "operations.md"
PAGE: Final = (CHECKOUT / "docs" / NAME).read_text(encoding="utf-8")
SOURCES: Final = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((CHECKOUT / "lambda" / "imagegen").rglob("*.py"))
)
# Each command of AWS's is written down instead of run, and prints something of the kind that it would print.
PRETENDED: Final = """
set -u
aws() {
  printf '%s\\0' "$@" >> calls; printf '\\n\\0' >> calls
  case "$*" in
    *UUID*) echo 00000000-0000-0000-0000-000000000000;;
    *"--output json"*) echo '{"id": {"S": "gen_a"}}';;
    *ReservedConcurrentExecutions*) echo 1;;
    *) echo some-name;;
  esac
}
make() { printf '%s\\n' "$*" >> made; }
git() { :; }
sleep() { :; }
"""
QUERIES: Final = [
    (re.findall(r"`(\w+)`", cells[2]), cells[3].strip().strip("`").replace("\\|", "|"))
    for cells in (re.split(r"(?<!\\)\|", line) for line in PAGE.splitlines())
    if len(cells) == 5 and "LogGroup" in cells[2]
]
LAMBDAS: Final = {"@timestamp", "level", "message", "correlation_id"}
"""Members of every line that Lambda and Powertools write."""
FUNCTIONS: Final = {"count", "min", "max", "sum", "pct", "bin", "ispresent"}
WORDS: Final = {"as", "by", "and", "fields", "filter", "stats", "sort", "desc", "asc", "limit"}


def calls(folder: Path) -> list[list[str]]:
    """Return the words of every command of AWS's that the page runs, in their order."""
    script = "\n".join(
        "\n".join(documented.commands(block)) for block in documented.blocks(NAME) if block.kind == "console"
    )
    done = subprocess.run(  # noqa: S603 - the commands of this checkout's page
        ["/usr/bin/env", "bash", "-c", PRETENDED + script],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    written = (folder / "calls").read_text(encoding="utf-8")
    return [call.split("\0")[:-1] for call in written.split("\n\0") if call]


def test_every_command_of_aws_is_one_that_aws_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its operation, its options and their types are in the service's own description."""
    run = calls(tmp_path)
    assert len(run) > 30
    monkeypatch.chdir(tmp_path)
    operations = {(command.service, command.operation) for command in map(parsed, run)}
    assert {
        ("lambda", "put-function-concurrency"),
        ("dynamodb", "restore-table-to-point-in-time"),
        ("logs", "start-query"),
    } <= operations


def test_an_output_may_be_of_another_stack(tmp_path: Path) -> None:
    """The runbook asks for one of the monitoring's stack, and else for those of the stage's own."""
    words = "\n".join(documented.commands(documented.blocks(NAME, section="Before you begin")[0]))
    script = f'{PRETENDED}{words}\noutput One > one; output Two "$STACK-monitoring" > two'
    subprocess.run(["/usr/bin/env", "bash", "-c", script], cwd=tmp_path, check=True, timeout=60)  # noqa: S603 - the page's own words
    stacks = re.findall(r"--stack-name\0([^\0]+)\0", (tmp_path / "calls").read_text(encoding="utf-8"))
    assert stacks == ["imagegen-dev", "imagegen-dev-monitoring"]


@pytest.mark.parametrize(
    "words",
    [
        ["lambdas", "list-functions"],
        ["lambda", "put-concurrency"],
        ["lambda", "get-function-concurrency", "--name", "f"],
        ["sqs", "receive-message", "--queue-url"],
        ["sqs", "receive-message", "--queue-url", "q", "--max-number-of-messages", "many"],
        ["dynamodb", "wait", "table-gone", "--table-name", "t"],
        ["dynamodb", "get-item", "--table-name", "t"],
    ],
)
def test_a_command_that_aws_has_not_is_found(words: list[str]) -> None:
    """A wrong service, operation, option, value or state, and an option that is missing."""
    with pytest.raises((UnknownCommandError, ValueError)):
        parsed(words)


def test_every_output_and_every_function_that_the_page_names_exists() -> None:
    """Those of the stack, and its functions."""
    assert set(re.findall(r"\$\(output (\w+)\)", PAGE)) <= OUTPUTS
    assert set(re.findall(r"^\$ search (\w+)", PAGE, re.MULTILINE)) <= OUTPUTS
    assert set(re.findall(r"\$\(lambda (\w+)\)", PAGE)) == {"Api", "Worker"}


def test_there_is_a_search_for_each_thing_to_look_for() -> None:
    """Otherwise the tests of the searches would say nothing."""
    assert len(QUERIES) == 10
    assert {name for groups, _ in QUERIES for name in groups} <= OUTPUTS


@pytest.mark.parametrize(("groups", "query"), QUERIES, ids=[query for _, query in QUERIES])
def test_a_search_asks_for_members_that_the_logs_have(groups: list[str], query: str) -> None:
    """Those of the access log, or those that the observer writes; and for messages that stand in the code."""
    bare = re.sub(r'"[^"]*"', "", query)
    named = {
        name.partition(".")[0]
        for name in re.findall(r"@?[a-z_][a-z_.]*(?![a-z_.]*\()(?:\.\d)?", bare)
        if name not in WORDS | FUNCTIONS
    }
    own = {name for name in named if name not in set(re.findall(r"\bas (\w+)", bare))} - {"d"}
    if groups == ["AccessLogGroup"]:
        assert own <= {*ACCESS_LOG_FIELDS, "@timestamp"}
        return
    telemetry = (CHECKOUT / "lambda/imagegen/adapters/telemetry.py").read_text(encoding="utf-8")
    written = set(re.findall(r"\b(\w+)=", telemetry))
    assert own <= LAMBDAS | written
    for message in re.findall(r'message = "([^"]+)"', query):
        assert f'"{message}"' in SOURCES


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    """Deliveries, visibility, retention and the worker's own concurrency."""
    from stacks.concurrency import beside_the_queue  # noqa: PLC0415 - they load the CDK
    from stacks.generation_queue import MAX_DELIVERIES  # noqa: PLC0415 - likewise
    from stacks.model_access import concurrency_for  # noqa: PLC0415 - likewise
    from stacks.stage import StageConfig  # noqa: PLC0415 - likewise

    dev = StageConfig(name="dev")
    assert f"given up after {MAX_DELIVERIES} deliveries" in PAGE
    assert f"six time-outs ({dev.queue_visibility // 60} minutes)" in PAGE
    assert MAX_DELIVERIES * dev.queue_visibility > 6 * 3600
    assert f"the function's time-out ({dev.function_timeout} s by default)" in PAGE
    core = resolve("stability.stable-image-core-v1:1", region="us-west-2")
    reserved = concurrency_for([core], today=date(2026, 11, 28)) + beside_the_queue(dev)
    assert f"({reserved} in `dev`)" in PAGE.replace("\n", " ")
    assert f"--reserved-concurrent-executions {reserved} > started" in PAGE
    without = dev.model_copy(update={"webhooks": False})
    assert f"plus {beside_the_queue(dev)}, or plus {beside_the_queue(without)} without `webhooks`" in PAGE
