"""What the operator's commands ask before they start, what they delete, and what they say that AWS keeps."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from operating.deploying import APPROVALS, Order, deploy, destroy, diff, synth
from operating.stack import DeployedStack, Resource
from tools.failures import LocalError

NAME = "imagegen-dev"
SALT = "salt-of-the-first-stack"
BUCKET = Resource(logical_id="Images", name="images-1", type="AWS::S3::Bucket", kept=False)
TABLE = Resource(logical_id="Table", name="table-1", type="AWS::DynamoDB::Table", kept=False)
KEY = Resource(logical_id="Key", name="key-1", type="AWS::KMS::Key", kept=False)
ROLE = Resource(logical_id="Role", name="role-1", type="AWS::IAM::Role", kept=True)
QUEUE = Resource(logical_id="Queue", name="queue-1", type="AWS::SQS::Queue", kept=False)


def deployed(*resources: Resource, name: str = NAME) -> DeployedStack:
    """Return a stack of these resources."""
    id_ = f"arn:aws:cloudformation:eu-west-1:111122223333:stack/{name}/0a1b2c3d-0000-11ee"
    return DeployedStack(id=id_, name=name, status="UPDATE_COMPLETE", owner_salt=SALT, resources=resources)


@dataclass
class FakeAccount:
    """An account with the stack of a stage, whose bucket fills `refills` times while the stack is being deleted."""

    stack: DeployedStack | None
    page: DeployedStack | None = None
    """The stack of the playground."""
    refills: int = 0
    objects: int = 3
    emptied: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    full: str = ""

    def remove_if_empty(self, resource: Resource) -> bool:
        """Remove a resource, unless it is the full one."""
        if resource.name == self.full:
            return False
        self.removed.append(resource.name)
        return True

    def find(self, name: str) -> DeployedStack | None:
        """Return the stack of that name, if there is one."""
        return next((each for each in (self.stack, self.page) if each and each.name == name), None)

    def delete(self, stack: DeployedStack) -> None:
        """Delete the stack of the playground, while there is still the one that it refers to."""
        assert stack == self.page
        self.page = None

    def empty(self, bucket: str) -> int:
        """Empty the bucket."""
        deleted, self.objects = self.objects, 0
        self.emptied.append(bucket)
        return deleted

    def destroy(self) -> int:
        """Do what `cdk destroy` does without a playground, and return its exit status."""
        assert self.stack is not None
        assert self.page is None
        if self.refills:
            self.refills, self.objects = self.refills - 1, 1
        if self.objects and not BUCKET.kept and BUCKET in self.stack.resources:
            self.stack = replace(self.stack, status="DELETE_FAILED")
            return 1
        self.stack = None
        return 0


@dataclass
class Desk:
    """Where an operator sits: what was run and said, and what the operator types."""

    account: FakeAccount = field(default_factory=lambda: FakeAccount(None))
    typed: str | None = None
    deploys_with: int = 0
    ran: list[tuple[str, ...]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def order(
        self,
        command: str,
        *,
        stage: str = "dev",
        config: str = "",
        approve: str = "",
        environ: Mapping[str, str] | None = None,
        has_terminal: bool = True,
    ) -> Order:
        """Return the order of a command."""
        return Order(
            command=command,
            stage=stage,
            config=config,
            approve=approve,
            has_terminal=has_terminal,
            environ=environ or {},
            start=self._start,
            ask=self._ask,
            say=self.said.append,
        )

    def run(self, command: str, **order: Any) -> int:
        """Run a command by its name."""
        if command in {"synth", "diff"}:
            only_reads = synth if command == "synth" else diff
            return only_reads(self.order(command, **order))
        run = deploy if command == "deploy" else destroy
        return run(self.order(command, **order), account=lambda: self.account)

    def deploy(self, **order: Any) -> int:
        """Run `make deploy`."""
        return self.run("deploy", **order)

    def destroy(self, **order: Any) -> int:
        """Run `make destroy`."""
        return self.run("destroy", **order)

    @property
    def text(self) -> str:
        """Everything that was said."""
        return "\n".join(self.said)

    def _start(self, *words: str, environ: Mapping[str, str]) -> int:
        del environ
        self.ran.append(words)
        return self.account.destroy() if words[0] == "destroy" else self.deploys_with

    def _ask(self, question: str) -> str:
        self.said.append(question)
        assert self.typed is not None, "nobody is there to be asked"
        return self.typed


@pytest.mark.parametrize("approve", APPROVALS)
@pytest.mark.parametrize("has_terminal", [True, False])
def test_the_approval_is_handed_to_the_cdk(approve: str, has_terminal: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """With a terminal and without, whatever it is."""
    desk = Desk()
    assert desk.deploy(approve=approve, has_terminal=has_terminal) == 0
    assert desk.ran == [("deploy", "--all", "--require-approval", approve, "-c", "stage=dev")]


def test_at_a_terminal_the_cdk_asks_as_it_always_does() -> None:
    """No approval is made up."""
    desk = Desk()
    desk.deploy()
    assert desk.ran == [("deploy", "--all", "-c", "stage=dev")]


def test_without_a_terminal_a_deployment_says_what_to_set() -> None:
    """A question that nobody answers would hang."""
    desk = Desk()
    with pytest.raises(LocalError, match=r"^There is no terminal to approve.*: set APPROVE=never [^\n]*\.$"):
        desk.deploy(has_terminal=False)
    assert desk.ran == []


@pytest.mark.parametrize("approve", ["", "any-change", "broadening"])
def test_without_a_terminal_nothing_is_destroyed_but_with_never(approve: str) -> None:
    """The other approvals are about changes, and say nothing about a deletion."""
    desk = Desk(FakeAccount(deployed(BUCKET)))
    with pytest.raises(LocalError, match=r"^There is no terminal to confirm at: set APPROVE=never [^\n]*\.$"):
        desk.destroy(approve=approve, has_terminal=False)
    assert (desk.ran, desk.account.emptied) == ([], [])


def test_another_approval_is_refused() -> None:
    """The sentence lists what is allowed."""
    with pytest.raises(LocalError) as caught:
        Desk().deploy(approve="yes")
    assert str(caught.value) == "APPROVE must be one of never, any-change, broadening, not 'yes'."


@pytest.mark.parametrize("command", ["synth", "diff", "deploy", "destroy"])
def test_config_is_read_by_the_stages_own_parser_and_handed_on(command: str) -> None:
    """The same words mean the same in every command."""
    for config in ("model_timeout=5 cors_origins=https://a.example", "model_timeout=0"):
        desk = Desk(FakeAccount(deployed()))
        if config.endswith("=0"):
            with pytest.raises(LocalError, match=r"^model_timeout is 0 \(int\); it must be a whole number"):
                desk.run(command, config=config, approve="never")
            assert desk.ran == []
        else:
            assert desk.run(command, config=config, approve="never") == 0
            assert desk.ran[0][-4:] == ("-c", "stage=dev", "-c", f"config={config}")


@pytest.mark.parametrize(
    ("stage", "environ", "sentence"),
    [
        ("prd", {}, "stage is 'prd', but cdk.json has only dev, local, prod, staging; did you mean prod?"),
        ("local", {}, "The stage 'local' is for the emulator on this machine: `make up` deploys it, and"),
        ("dev", {"AWS_PROFILE": "no-such-profile"}, "AWS_PROFILE is 'no-such-profile', but your AWS config"),
    ],
)
@pytest.mark.parametrize("command", ["synth", "diff", "deploy", "destroy"])
def test_a_stage_or_profile_that_cannot_be_used_is_refused_before_anything_runs(
    command: str, stage: str, environ: dict[str, str], sentence: str
) -> None:
    """Each is one sentence."""
    desk = Desk(FakeAccount(deployed(BUCKET)))
    with pytest.raises(LocalError, match=f"^{re.escape(sentence)}[^\n]*$"):
        desk.run(command, stage=stage, environ=environ, approve="never")
    assert (desk.ran, desk.account.emptied) == ([], [])


def test_a_difference_is_shown_without_a_terminal_and_changes_nothing() -> None:
    """A pipeline shows it before it deploys; the CDK's own exit status says whether it could be shown."""
    desk = Desk(FakeAccount(deployed(BUCKET)))
    assert desk.run("diff") == 0
    assert desk.ran == [("diff", "-c", "stage=dev")]


def test_destroy_empties_the_bucket_and_deletes_the_stack_without_a_question_of_the_cdk() -> None:
    """What is deleted and what is kept is said before the question, and again after the deletion."""
    desk = Desk(FakeAccount(deployed(BUCKET, TABLE, QUEUE, ROLE)), typed=NAME)
    assert desk.destroy() == 0
    assert desk.account.emptied == ["images-1"]
    assert desk.ran == [("destroy", "--all", "--force", "-c", "stage=dev")]
    assert desk.said == [
        "This deletes the stack imagegen-dev in the account 111122223333, eu-west-1.",
        "  deleted, with everything in it: AWS::S3::Bucket images-1",
        "  deleted, with everything in it: AWS::DynamoDB::Table table-1",
        "  kept: AWS::IAM::Role role-1",
        "Type imagegen-dev to go on: ",
        "Deleted 3 objects from images-1.",
        (
            "The stack imagegen-dev is deleted.\n"
            "AWS keeps AWS::IAM::Role role-1.\n"
            "AWS keeps a system backup of each deleted table for 35 days."
        ),
    ]


@pytest.mark.parametrize("typed", ["", "y", "yes", "imagegen-prod"])
def test_whoever_does_not_type_the_name_deletes_nothing(typed: str) -> None:
    """A `y` comes too easily."""
    desk = Desk(FakeAccount(deployed(BUCKET)), typed=typed)
    with pytest.raises(LocalError, match=r"^Nothing was deleted\.$"):
        desk.destroy()
    assert (desk.ran, desk.account.emptied) == ([], [])


def test_a_pipeline_destroys_without_a_question() -> None:
    """Nobody is asked, and the names are in the log."""
    desk = Desk(FakeAccount(deployed(BUCKET, TABLE)))
    assert desk.destroy(approve="never", has_terminal=False) == 0
    assert desk.account.find(NAME) is None
    assert "images-1" in desk.text


def test_an_image_that_is_stored_during_the_deletion_does_not_stop_it() -> None:
    """The functions go before the bucket does, so the second try finds no new image."""
    desk = Desk(FakeAccount(deployed(BUCKET), refills=1))
    assert desk.destroy(approve="never") == 0
    assert desk.account.emptied == ["images-1", "images-1"]


def test_a_deletion_that_fails_again_is_reported() -> None:
    """The exit status is the CDK's, and nothing is called deleted."""
    desk = Desk(FakeAccount(deployed(BUCKET), refills=9))
    assert desk.destroy(approve="never") == 1
    assert len(desk.ran) == 2
    assert "is deleted" not in desk.text


def test_a_stage_that_is_not_deployed_is_already_destroyed() -> None:
    """A pipeline may run it twice."""
    desk = Desk()
    assert desk.destroy(approve="never") == 0
    assert desk.said == [
        "There is no stack imagegen-dev in this account and region, so there is nothing to destroy."
    ]


@pytest.mark.parametrize("typed", ["", "owner_salt=another-salt"])
def test_production_keeps_its_data_and_is_told_how_to_come_back(typed: str) -> None:
    """The two commands name the bucket, the table, and the salt that the stack has, as a shell takes them."""
    kept = replace(BUCKET, kept=True), replace(TABLE, kept=True)
    desk = Desk(FakeAccount(deployed(*kept, ROLE, name="imagegen-prod"), objects=0))
    assert desk.destroy(stage="prod", approve="never", config=f"memory_mb=1024 {typed}".strip()) == 0
    assert desk.account.emptied == []
    *_, import_, deploy_ = desk.text.splitlines()
    config = f"memory_mb=1024 owner_salt={SALT}"
    *words, mapping = shlex.split(import_)
    assert words == [
        *(".venv/bin/python", "-m", "tools.cdk", "import", "imagegen-prod", "-c", "stage=prod"),
        *("-c", f"config={config}", "--resource-mapping-inline"),
    ]
    assert json.loads(mapping) == {"Images": {"BucketName": "images-1"}, "Table": {"TableName": "table-1"}}
    assert shlex.split(deploy_) == ["make", "deploy", "STAGE=prod", f"CONFIG={config}"]


def test_the_key_of_kept_data_comes_back_with_it() -> None:
    """Without it the imported bucket and table could not be read."""
    kept = replace(KEY, kept=True), replace(TABLE, kept=True)
    desk = Desk(FakeAccount(deployed(*kept, name="imagegen-prod"), objects=0))
    assert desk.destroy(stage="prod", approve="never") == 0
    mapping = shlex.split(desk.text.splitlines()[-2])[-1]
    assert json.loads(mapping) == {"Key": {"KeyId": "key-1"}, "Table": {"TableName": "table-1"}}


def test_a_stage_that_keeps_its_data_never_loses_it_to_an_older_deployment() -> None:
    """What is deployed may still be set to delete it, whatever cdk.json says by now."""
    desk = Desk(FakeAccount(deployed(BUCKET, replace(TABLE, kept=True), name="imagegen-prod")))
    with pytest.raises(LocalError, match=r"would delete images-1: run `make deploy STAGE=prod` first\.$"):
        desk.destroy(stage="prod", approve="never")
    assert (desk.ran, desk.account.emptied) == ([], [])


def test_a_bucket_that_the_deployed_stack_keeps_is_not_emptied() -> None:
    """Whatever cdk.json says by now, CloudFormation keeps it."""
    desk = Desk(FakeAccount(deployed(replace(BUCKET, kept=True)), objects=0))
    assert desk.destroy(approve="never") == 0
    assert desk.account.emptied == []


def test_one_object_is_not_called_objects() -> None:
    """What is said can be read aloud."""
    desk = Desk(FakeAccount(deployed(BUCKET), objects=1))
    assert desk.destroy(approve="never") == 0
    assert "Deleted 1 object from images-1." in desk.said


PAGE = deployed(replace(BUCKET, name="page-1"), name=f"{NAME}-playground")


@pytest.mark.parametrize("config", ["", "playground=true", "playground=false"])
def test_the_playground_goes_with_its_stage_whatever_the_setting_says_by_now(config: str) -> None:
    """It goes first, because it refers to the stack of the service, and it is named before the question."""
    desk = Desk(FakeAccount(deployed(BUCKET), page=PAGE), typed=NAME)
    assert desk.destroy(config=config) == 0
    assert (desk.account.page, desk.account.stack) == (None, None)
    assert desk.said == [
        "This deletes the stack imagegen-dev-playground in the account 111122223333, eu-west-1.",
        "  deleted, with everything in it: AWS::S3::Bucket page-1",
        "This deletes the stack imagegen-dev in the account 111122223333, eu-west-1.",
        "  deleted, with everything in it: AWS::S3::Bucket images-1",
        "Type imagegen-dev to go on: ",
        "Deleted 3 objects from page-1.",
        "The stack imagegen-dev-playground is deleted.",
        "Deleted 0 objects from images-1.",
        "The stack imagegen-dev is deleted.",
    ]


@pytest.mark.parametrize("name", [f"{NAME}-playground", f"{NAME}-monitoring"])
def test_a_stack_that_is_left_alone_is_deleted_as_well(name: str) -> None:
    """The stack of the service may be gone since; then the name of what is left is typed."""
    desk = Desk(FakeAccount(None, page=replace(PAGE, name=name)), typed=name)
    assert desk.destroy() == 0
    assert (desk.account.page, desk.ran) == (None, [])
    assert desk.said[-1] == f"The stack {name} is deleted."


def test_nothing_of_the_playground_is_deleted_without_a_confirmation() -> None:
    """Its own name is not the stage's."""
    desk = Desk(FakeAccount(deployed(BUCKET), page=PAGE), typed=PAGE.name)
    with pytest.raises(LocalError, match=r"^Nothing was deleted\.$"):
        desk.destroy()
    assert (desk.account.page, desk.account.emptied, desk.ran) == (PAGE, [], [])


FAILED = replace(
    deployed(replace(BUCKET, kept=True), replace(TABLE, kept=True), ROLE, name="imagegen-prod"),
    status="ROLLBACK_FAILED",
)


def test_a_failed_first_deployment_leaves_nothing_behind() -> None:
    """CloudFormation cannot roll back the creation of a protected table, and keeps it when the stack is deleted."""
    desk = Desk(FakeAccount(FAILED, objects=0), deploys_with=1)
    assert desk.deploy(stage="prod", approve="never") == 1
    assert desk.account.removed == ["images-1", "table-1"]
    assert desk.account.find("imagegen-prod") is None
    assert desk.said == ["The first deployment failed, and what it had made is removed."]


def test_what_is_not_empty_is_left_alone() -> None:
    """Whoever has found a way to fill it decides."""
    desk = Desk(FakeAccount(FAILED, objects=0, full="table-1"), deploys_with=1)
    assert desk.deploy(stage="prod", approve="never") == 1
    assert [words[0] for words in desk.ran] == ["deploy"]
    assert desk.said == [
        "The deployment failed, and left table-1, with data inside: look at the data before you deploy again."
    ]


WITH_KEY = replace(
    FAILED, resources=(replace(KEY, kept=True), replace(BUCKET, kept=True), replace(TABLE, kept=True))
)


@pytest.mark.parametrize(
    ("full", "removed"), [("", ["images-1", "table-1", "key-1"]), ("table-1", ["images-1"])]
)
def test_a_key_is_removed_last_and_only_if_nothing_is_left_to_decrypt(full: str, removed: list[str]) -> None:
    """Whatever is left may be readable with the key alone."""
    desk = Desk(FakeAccount(WITH_KEY, objects=0, full=full), deploys_with=1)
    assert desk.deploy(stage="prod", approve="never") == 1
    assert desk.account.removed == removed


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "CREATE_COMPLETE"]
)
def test_no_other_failed_deployment_removes_anything(status: str) -> None:
    """An update that failed may have years of data in its tables."""
    desk = Desk(FakeAccount(replace(FAILED, status=status)), deploys_with=1)
    assert desk.deploy(stage="prod", approve="never") == 1
    assert (desk.account.removed, [words[0] for words in desk.ran], desk.said) == ([], ["deploy"], [])
