"""The workflows of GitHub run targets of make alone, pin what they use, and have no more rights than they need."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from stacks.cdk_json import stages_of
from tests.support.local_instances import ENVIRON
from tools.checkout import CHECKOUT

FOLDER = CHECKOUT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*"))
TARGETS = set(
    re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
)
READ = {"contents": "read"}
DEPLOY = {**READ, "id-token": "write"}
MAY_SIGN_IN = {("deploy.yml", "deploy"), ("promote.yml", "staging"), ("promote.yml", "prod")}
"""The jobs that may prove to AWS who they are, or call one that may."""
ACTIONS = {
    "actions/checkout",
    "actions/setup-node",
    "actions/setup-python",
    "actions/upload-artifact",
    "aws-actions/configure-aws-credentials",
}
OF_OTHERS = re.compile(r"(?P<action>[\w.-]+/[\w.-]+)@(?P<sha>[0-9a-f]{40}) # v\d+\.\d+\.\d+")


def workflow(path: Path) -> dict[str, Any]:
    """Return a workflow; YAML 1.1 reads the word `on` as true."""
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in read.items()}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each job, with its file and its name."""
    for path in FILES:
        for name, job in workflow(path)["jobs"].items():
            yield path.name, name, job


def steps() -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for _, _, job in jobs() for step in job.get("steps", ())]


def uses() -> list[str]:
    """Return what follows each `uses:`, with its comment."""
    return [
        found
        for path in FILES
        for found in re.findall(r"^\s*(?:- )?uses: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def test_there_are_the_three_workflows() -> None:
    """The other tests read them all."""
    assert [path.name for path in FILES] == ["check.yml", "deploy.yml", "promote.yml"]
    assert len(steps()) > 15


def test_every_action_is_pinned_by_its_commit_with_its_version_beside_it() -> None:
    """A tag can be moved to another commit. A workflow of our own is of the same commit."""
    others = [found for found in uses() if not found.startswith("$/.github/workflows/")]
    assert [found for found in others if not OF_OTHERS.fullmatch(found)] == []
    pins = {(match["action"], match["sha"]) for found in others if (match := OF_OTHERS.fullmatch(found))}
    assert {action for action, _ in pins} == ACTIONS
    assert len(pins) == len(ACTIONS), "one action is used in two versions"
    declared = sum("uses" in each for each in (*steps(), *(job for _, _, job in jobs())))
    assert declared == len(uses())


@pytest.mark.parametrize(
    ("file", "name", "job"), list(jobs()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_job_has_only_the_rights_that_it_needs(file: str, name: str, job: dict[str, Any]) -> None:
    """Nothing is granted to a workflow as a whole; only a deployment may sign in to AWS."""
    assert workflow(FOLDER / file)["permissions"] == {}
    assert job["permissions"] == (DEPLOY if (file, name) in MAY_SIGN_IN else READ)
    assert "secrets" not in job, "a called workflow gets no secret of its caller's"


def test_no_workflow_runs_foreign_code_with_rights() -> None:
    """A pull request is checked without secrets, and starts no deployment."""
    triggers = {path.name: set(workflow(path)["on"]) for path in FILES}
    assert triggers == {
        "check.yml": {"pull_request", "push", "workflow_call"},
        "deploy.yml": {"workflow_call"},
        "promote.yml": {"workflow_dispatch", "push"},
    }
    assert workflow(FOLDER / "promote.yml")["on"]["push"] == {"tags": ["v*"]}
    assert "secrets." not in (FOLDER / "check.yml").read_text(encoding="utf-8")


def test_no_shell_line_has_an_expression_and_each_can_be_run_at_a_terminal() -> None:
    """GitHub puts the text of an expression into the script, and whoever chooses the text chooses what runs."""
    lines = [step["run"] for step in steps() if "run" in step]
    assert [line for line in lines if "${{" in line or "\n" in line] == []
    targets = [line.removeprefix("make ") for line in lines if line.startswith("make ")]
    assert set(targets) <= TARGETS
    assert [line for line in lines if not line.startswith("make ")] == [".ci/run"]


def test_the_credentials_of_git_do_not_stay_in_the_checkout() -> None:
    """Any later step could read them there."""
    fetched = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(fetched) == len([job for _, _, job in jobs() if "steps" in job])
    assert [step for step in fetched if step["with"] != {"persist-credentials": False}] == []


def needs(name: str) -> set[str]:
    """Return the jobs that a job of the promotion waits for, directly or not."""
    direct = workflow(FOLDER / "promote.yml")["jobs"][name].get("needs", [])
    found = {direct} if isinstance(direct, str) else set(direct)
    return found.union(*(needs(each) for each in found))


def test_production_waits_for_everything_before_it() -> None:
    """The checks come first, then staging; both stages are deployed in the same way, and exist."""
    promotion = workflow(FOLDER / "promote.yml")["jobs"]
    assert needs("staging") == {"check", "packages"}
    assert needs("prod") == {"check", "packages", "staging"}
    assert not any("if" in job for job in promotion.values()), "a condition could skip what went before"
    deployed = {name: job for name, job in promotion.items() if "with" in job}
    assert {job["uses"] for job in deployed.values()} == {"$/.github/workflows/deploy.yml"}
    assert {job["with"]["stage"] for job in deployed.values()} == set(deployed) == {"staging", "prod"}
    stages = stages_of(CHECKOUT)
    assert isinstance(stages, dict)
    assert set(deployed) <= set(stages)


def commands_of_a_deployment() -> list[str]:
    """Return what the deployment of a stage runs, with the two changes of role."""
    (job,) = workflow(FOLDER / "deploy.yml")["jobs"].values()
    return [step.get("run") or step.get("with", {}).get("role-to-assume", "") for step in job["steps"]]


def test_a_deployment_is_shown_made_tried_and_compared() -> None:
    """What only looks has a role that may only read, and packages are installed before there is any role."""
    commands = [command for command in commands_of_a_deployment() if command]
    assert commands == [
        "make set-up",
        "${{ vars.AWS_ROLE_ARN }}",
        "make diff",
        "make deploy",
        "${{ vars.AWS_READ_ROLE_ARN }}",
        "make doctor",
        "make smoke",
        "make drift",
    ]
    (job,) = workflow(FOLDER / "deploy.yml")["jobs"].values()
    assert job["environment"] == job["env"]["STAGE"] == "${{ inputs.stage }}"
    assert [step["env"] for step in job["steps"] if step.get("run") == "make deploy"] == [
        {"APPROVE": "never"}
    ]
    assert not any("if" in step or "continue-on-error" in step for step in job["steps"])


def test_no_workflow_has_a_credential() -> None:
    """The only secret is an API key of the stage."""
    texts = "".join(path.read_text(encoding="utf-8") for path in FILES)
    assert set(re.findall(r"\bsecrets\.(\w+)", texts)) == {"IMAGEGEN_API_KEY"}
    assert set(re.findall(r"\bvars\.(\w+)", texts)) == {"AWS_REGION", "AWS_READ_ROLE_ARN", "AWS_ROLE_ARN"}
    assert not re.search(r"AKIA|aws-access-key-id|aws-secret-access-key", texts)


def audited(*paths: Path) -> list[str]:
    """Return what zizmor finds, without asking GitHub, by the names of its audits."""
    done = subprocess.run(  # noqa: S603 - the linter of the checkout
        [
            *(
                str(CHECKOUT / ".venv" / "bin" / "zizmor"),
                "--offline",
                "--no-progress",
                "--format",
                "json-v1",
            ),
            *("--persona", "auditor", "--", *map(str, paths)),
        ],
        env=ENVIRON,
        capture_output=True,
        text=True,
        check=False,
    )
    return [finding["ident"] for finding in json.loads(done.stdout)]


def test_zizmor_finds_nothing() -> None:
    """All its audits are on, also those for auditors."""
    assert audited(CHECKOUT / ".github") == []


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    """A linter that reads nothing finds nothing as well."""
    careless = tmp_path / "careless.yml"
    text = (FOLDER / "check.yml").read_text(encoding="utf-8")
    careless.write_text(
        text.replace("pull_request:", "pull_request_target:")
        .replace("run: .ci/run", "run: echo ${{ github.event.pull_request.title }}")
        .replace("@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6"),
        encoding="utf-8",
    )
    assert {"dangerous-triggers", "template-injection", "unpinned-uses"} <= set(audited(careless))
