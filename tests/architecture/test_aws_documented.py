"""`docs/aws.md` has a remedy for every reason that the logs can name, and a command for all that nobody has tried."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from imagegen.adapters.bedrock.refusal_texts import REFUSALS
from imagegen.adapters.bedrock.refusals import NAMES
from stacks.stage import SETTINGS
from tests.architecture.test_api_documented import DOCS

ROW = re.compile(
    r"^\| (?P<reasons>`[a-z_`, ]+`) \| (?P<gets>[^|]+) \| (?P<whose>[^|]+) \| (?P<remedy>[^|]{30,}) \|$",
    re.MULTILINE,
)
PAGE = (DOCS / "aws.md").read_text(encoding="utf-8")
ROWS = {
    reason: row.groupdict()
    for row in ROW.finditer(PAGE)
    for reason in re.findall(r"`([a-z_]+)`", row["reasons"])
}

UNTRIED = (
    (DOCS / "aws.md").read_text(encoding="utf-8").partition("\n## What was never tried in an account\n")[2]
)
WORDS = re.search(r"```bash\n(.*?)```", UNTRIED, re.DOTALL)
PROLOGUE = WORDS[1] if WORDS else ""
CELL = re.compile(r"(?<!\\)\|")
CLAIMS = {
    cells[1]: cells[2:]
    for cells in ([cell.strip() for cell in CELL.split(line)] for line in UNTRIED.splitlines())
    if len(cells) == 5 and cells[1] not in {"claim", "---"}
}
OUTPUTS = set(
    re.findall(
        r"^\| `(\w+)`",
        (DOCS / "configuration.md").read_text(encoding="utf-8").partition("\n## Outputs of the stack\n")[2],
        re.MULTILINE,
    )
)
ASSIGNED = re.compile(r"(?:^|[\s;(])([A-Z_]+)=")


def commands(claim: str) -> str:
    """Return the commands of a row as one script."""
    return "\n".join(re.findall(r"`([^`]+)`", CLAIMS[claim][0])).replace("\\|", "|")


def test_every_reason_has_a_row_and_no_row_is_stale() -> None:
    """Whoever adds a cause adds its remedy."""
    assert set(ROWS) == {one.reason for one in REFUSALS} | set(NAMES) | {"unexplained"}


@pytest.mark.parametrize("reason", sorted({one.reason for one in REFUSALS}))
def test_a_row_says_which_error_the_caller_gets(reason: str) -> None:
    """The code is that of the error's class."""
    cause = next(one for one in REFUSALS if one.reason == reason)
    assert f"`{cause.error.kind.code}`" in ROWS[reason]["gets"]


def test_the_page_says_of_which_reasons_little_is_known() -> None:
    """Ten reports show how a text varies; of fewer the reader is told."""
    reported = json.loads((DOCS.parent / "tests/data/refusals.json").read_text(encoding="utf-8"))
    (sentence,) = re.findall(r"there are fewer than ten: (.+?)\. Whatever", PAGE.replace("\n", " "))
    told = {
        reason: int(count)
        for reasons, count in re.findall(r"([^()]+) \((\d+)\)", sentence)
        for reason in re.findall(r"`([a-z_]+)`", reasons)
    }
    assert told == {reason: len(texts) for reason, texts in reported.items() if len(texts) < 10}


def test_there_are_claims_and_words_to_try_them_with() -> None:
    """Otherwise the tests of the rows would say nothing."""
    assert len(CLAIMS) > 25
    assert {"API", "KEY", "STACK"} <= set(ASSIGNED.findall(PROLOGUE))
    assert {"ApiUrl", "BucketName"} <= OUTPUTS


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_has_a_command_and_says_when_it_holds(claim: str) -> None:
    """A person at a terminal can do what the row says."""
    known = r"^(?:(?:aws|ask|curl|git|gzip|logs|make|seq|status) |[A-Z_]+=)"
    assert re.search(known, commands(claim), re.MULTILINE)
    assert len(CLAIMS[claim][1]) > 12


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_command_uses_only_outputs_and_words_that_exist(claim: str) -> None:
    """A name is an output of the stack, or the page or the row itself gives it a value."""
    script = commands(claim)
    assert set(re.findall(r"(?<!-)(?<!aws )\b(?:output|logs) (\w+)", script)) <= OUTPUTS
    assert set(re.findall(r"\(lambda (\w+)", script)) <= {"Api", "Worker"}
    given = {*ASSIGNED.findall(PROLOGUE), *ASSIGNED.findall(script), *re.findall(r"\bfor (\w+) in", script)}
    if "export-credentials" in script:
        given |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert set(re.findall(r"\$\{?([A-Za-z_]\w*)", script)) <= given
    configured = [" ".join(each) for each in re.findall(r"CONFIG=(?:'([^']*)'|\"([^\"]*)|(\S+))", script)]
    assert set(re.findall(r"(?:^| )([a-z_]+)=", " ".join(configured))) <= set(SETTINGS)


@pytest.mark.parametrize("claim", CLAIMS)
def test_whatever_breaks_the_deployment_is_undone(claim: str) -> None:
    """A row that changes a function by hand says how it was before."""
    script = commands(claim)
    assert script.count("put-function-concurrency") == script.count("delete-function-concurrency")
    assert script.count("--handler nothing") == script.count("--handler imagegen.")
    assert script.count("create-user-pool ") == script.count("delete-user-pool ")


def test_bash_can_read_every_command() -> None:
    """Neither a quotation mark nor a bracket is missing, and the table's marks are no part of a command."""
    script = "\n".join([PROLOGUE, *(f"{{ {commands(claim)}\n}}" for claim in CLAIMS)])
    read = subprocess.run(
        ["/usr/bin/env", "bash", "-n"], input=script, text=True, capture_output=True, check=False
    )
    assert (read.returncode, read.stderr) == (0, "")
