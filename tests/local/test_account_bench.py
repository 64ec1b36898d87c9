"""`make bench ACCOUNT=1` against the deployed service: its own lines, and lines that only an account writes."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks.account import places
from stacks.stage import stack_name
from tests.support.account_lines import access, report
from tests.support.fakes import CORE
from tests.support.local_instances import ENVIRON
from tests.support.stack_callers import keys_of
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.deployed_stack import Stack, StandIn


def measure(stack: Stack, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run what `make bench ACCOUNT=1 STAGE=local` runs."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks"],
        cwd=CHECKOUT,
        env={
            **ENVIRON,
            # What the Makefile sets.
            "PYTHONPATH": "lambda",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            "ACCOUNT": "1",
            "STAGE": "local",
            "IMAGEGEN_LOCAL_DIR": str(stack.folder),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def write(logs: Any, group: str, stream: str, messages: Sequence[str]) -> None:
    """Write lines into a log group, as Lambda and API Gateway do in an account."""
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = round(time.time() * 1000)
    events = [{"timestamp": now, "message": message} for message in messages]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def row(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a figure by its name."""
    (found,) = (each for each in table["figures"] if each["name"] == name)
    return dict(found)


def test_a_deployed_stage_is_measured(stack: Stack, stand_in: StandIn, tmp_path: Path) -> None:
    """It makes two images first. The emulator writes no access log and no start, so the test writes them."""
    stand_in.paint_once()
    logs, cloudformation = (boto3.client(name, **stack.aws()) for name in ("logs", "cloudformation"))
    found = places.find(stack_name("local"), cloudformation=cloudformation)
    # The longest that any function has, and a latency that no other line has, so that both are the greatest.
    start = report("1", billed=900_000, used=9_000, more="Init Duration: 412.34 ms\t")
    lines = {
        found.functions["authorizer"]: [start],
        found.gateway: [access(70_120, 100, 15), access(3, "-", "-")],
    }
    stream, out = f"test {secrets.token_hex(4)}", tmp_path / "figures.json"
    try:
        for group, messages in lines.items():
            write(logs, group, stream, messages)
        done = measure(stack, IMAGES="2", OUT=str(out))
    finally:
        for group in lines:
            logs.delete_log_stream(logGroupName=group, logStreamName=stream)
    assert (done.returncode, done.stderr) == (0, "")
    table = json.loads(out.read_text(encoding="utf-8"))

    assert all(group in done.stdout for group in (*found.functions.values(), found.gateway, found.table))
    assert (
        len(re.findall(rf"^Image \d of 2: 200, drawn by {CORE}, \$0\.04\.$", done.stdout, re.MULTILINE)) == 2
    )
    assert row(table, "authorizer: init")["max"] == 412.34
    assert row(table, "authorizer: billed duration")["max"] == 900_000
    assert row(table, "authorizer: max memory used")["max"] == 9_000
    assert row(table, "gateway: latency - integration latency")["max"] == 70_020
    assert row(table, "api: billed duration")["n"] >= 2
    assert row(table, f"{CORE}, 1024x1024")["n"] >= 2
    assert 0 < row(table, "generation: our share")["p50"] < 100
    synchronous = next(each for each in table["costs"] if each["way"] == "synchronous")
    assert synchronous["images"] >= 2
    assert synchronous["usd"]["Lambda, billed"] > 0
    assert synchronous["together"] > 0.04
    assert all(each["name"] in done.stdout for each in table["figures"])
    made = [key for key in keys_of(stack).list() if key.name.startswith("bench ")]
    assert {key.state(datetime.now(tz=UTC)) for key in made} == {"revoked"}


def test_a_wrong_value_is_one_sentence(stack: Stack) -> None:
    """The sentence is on standard error, and nothing has been read."""
    done = measure(stack, HOURS="0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "HOURS must be a whole number from 1 to 744, not '0'.\n"


def test_a_service_that_does_not_run_is_one_sentence(stack: Stack, tmp_path: Path) -> None:
    """The sentence says how to start the service."""
    done = measure(stack, IMAGEGEN_LOCAL_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The local service does not run: `make up` starts it.\n"
