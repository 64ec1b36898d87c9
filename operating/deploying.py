"""`make synth`, `diff`, `deploy` and `destroy`: what they ask before they start, and what they give to the CDK."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from operating.stack import BUCKET, IDENTIFIERS, KEY, TABLE, DeployedStack, Resource
from stacks.cdk_json import stages_of
from stacks.credentials import check_place, check_profile
from stacks.stage import LOCAL_STAGE, StageConfig, StageError, load_stage, stack_name, stack_names
from tools import cdk
from tools.checkout import CHECKOUT
from tools.failures import LocalError
from tools.temporary_folder import check_temporary_folder

APPROVALS: Final = ("never", "any-change", "broadening")
"""What APPROVE may be: the values of `cdk deploy --require-approval`."""
CHANGES: Final = ("deploy", "destroy")
TRIES: Final = 2
"""A function may store an image while its stack is being deleted; after the first try there is no function left."""


def run_cdk(*words: str, environ: Mapping[str, str]) -> int:
    """Run the CDK command line of the checkout, and return its exit status."""
    return subprocess.run(  # noqa: S603 - the checkout's own CDK, with arguments of ours
        cdk.command(*words), cwd=CHECKOUT, env=cdk.environment(environ), check=False
    ).returncode


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the operator has asked for, and where the answers to questions come from."""

    command: str
    stage: str
    config: str = ""
    approve: str = ""
    has_terminal: bool
    environ: Mapping[str, str]
    start: Callable[..., int] = run_cdk
    ask: Callable[[str], str] = input
    say: Callable[[str], None] = print

    @property
    def stack_name(self) -> str:
        """The name of the stage's stack."""
        return stack_name(self.stage)

    def cdk(self, *words: str) -> int:
        """Run the CDK on this stage, and return its exit status."""
        context = ("-c", f"stage={self.stage}", *(("-c", f"config={self.config}") if self.config else ()))
        return self.start(*words, *context, environ=self.environ)


class Stacks(Protocol):
    """What the commands need of the operator's account; `operating.stack.Account` is it."""

    def find(self, name: str) -> DeployedStack | None:
        """Return the stack of that name, or None if there is none."""

    def delete(self, stack: DeployedStack) -> None:
        """Delete a stack, and wait until it is gone."""

    def empty(self, bucket: str) -> int:
        """Delete every object of a bucket, and return how many there were."""

    def remove_if_empty(self, resource: Resource) -> bool:
        """Delete a table or a bucket that has nothing in it, or a key, and say whether it is gone."""


def synth(order: Order) -> int:
    """Write the templates, and return the exit status."""
    check(order)
    return order.cdk("synth", "--quiet")


def diff(order: Order) -> int:
    """Show what a deployment would change, and return the exit status; a difference is no failure."""
    check(order)
    return order.cdk("diff")


def deploy(order: Order, *, account: Callable[[], Stacks]) -> int:
    """Deploy the stack, and return the exit status; a first deployment that fails leaves nothing behind."""
    check(order)
    approval = ("--require-approval", order.approve) if order.approve else ()
    status = order.cdk("deploy", "--all", *approval)
    if status != 0:
        _clear_away(order, account())
    return status


def destroy(order: Order, *, account: Callable[[], Stacks]) -> int:
    """Delete the stacks of the stage and what they hold, but for what the stage keeps; return the exit status.

    Raises:
        LocalError: the order cannot be carried out, or was not confirmed.
    """
    config = check(order)
    stacks = account()
    own, *others = stack_names(order.stage)
    # The others may be there although their settings are false by now, and then the CDK does not know of them.
    beside = [found for name in others if (found := stacks.find(name))]
    service = stacks.find(own)
    if not beside and service is None:
        order.say(
            f"There is no stack {order.stack_name} in this account and region, so there is nothing to destroy."
        )
        return 0
    if service and config.retain_data and service.data_deleted:
        raise LocalError(
            f"The stage {order.stage} keeps its data (retain_data), but its deployed stack would delete "
            f"{_names(service.data_deleted)}: run `make deploy STAGE={order.stage}` first."
        )
    _confirm(order, [*beside, *((service,) if service else ())])
    for each in beside:  # first, because they refer to the service's
        _empty_buckets(order, each, stacks)
        stacks.delete(each)
        order.say(f"The stack {each.name} is deleted.")
    status = _delete(order, service, stacks) if service else 0
    if service and status == 0:
        order.say(_farewell(order, service))
    return status


def check(order: Order) -> StageConfig:
    """Return the stage, or say in one sentence why the order cannot be carried out.

    Raises:
        LocalError: a variable is wrong, or there is nobody to ask.
    """
    if order.approve and order.approve not in APPROVALS:
        raise LocalError(f"APPROVE must be one of {', '.join(APPROVALS)}, not {order.approve!r}.")
    try:
        config = _stage(order)
        check_place(order.environ)
        check_profile(order.environ)
    except StageError as error:
        raise LocalError(str(error)) from error
    check_temporary_folder(order.environ)
    # The CDK's own question would wait for ever where only the output is a terminal.
    if order.command in CHANGES and not order.has_terminal:
        _check_no_question(order)
    return config


def _clear_away(order: Order, stacks: Stacks) -> None:
    """Remove what a failed first deployment has made and CloudFormation could not remove: tables are protected.

    The status is that of a creation and of nothing else, so what is removed was made by this deployment.
    """
    stack = stacks.find(order.stack_name)
    if stack is None or stack.status != "ROLLBACK_FAILED":
        return
    keys = [each for each in stack.data_kept if each.type == KEY]
    left = [each for each in stack.data_kept if each not in keys and not stacks.remove_if_empty(each)]
    # Last, because what is left may be readable with the key alone.
    left = left or [each for each in keys if not stacks.remove_if_empty(each)]
    if left:
        order.say(
            f"The deployment failed, and left {_names(left)}, with data inside: "
            "look at the data before you deploy again."
        )
        return
    order.cdk("destroy", "--all", "--force")
    order.say("The first deployment failed, and what it had made is removed.")


def _stage(order: Order) -> StageConfig:
    if order.stage == LOCAL_STAGE:
        raise StageError(
            f"The stage {LOCAL_STAGE!r} is for the emulator on this machine: "
            "`make up` deploys it, and `make down` removes it."
        )
    return load_stage(name=order.stage, stages=stages_of(CHECKOUT), overrides=order.config)


def _check_no_question(order: Order) -> None:
    if order.command == "destroy" and order.approve != "never":
        raise LocalError(
            "There is no terminal to confirm at: set APPROVE=never to delete the stack and its data without a question."
        )
    if not order.approve:
        raise LocalError(
            "There is no terminal to approve the deployment at: set APPROVE=never to deploy without a question, "
            "or APPROVE=broadening to fail if rights grow."
        )


def _confirm(order: Order, stacks: Sequence[DeployedStack]) -> None:
    for stack in stacks:
        order.say(f"This deletes the stack {stack.name} in the account {stack.account}, {stack.region}.")
        for each in stack.data_deleted:
            order.say(f"  deleted, with everything in it: {each.type} {each.name}")
        for each in stack.kept:
            order.say(f"  kept: {each.type} {each.name}")
    name = stacks[-1].name
    if order.approve != "never" and _answer(order, f"Type {name} to go on: ") != name:
        raise LocalError("Nothing was deleted.")


def _answer(order: Order, question: str) -> str:
    try:
        return order.ask(question).strip()
    except (EOFError, KeyboardInterrupt):  # Ctrl-D and Ctrl-C
        return ""


def _delete(order: Order, stack: DeployedStack, stacks: Stacks) -> int:
    status = 1
    for _ in range(TRIES):
        _empty_buckets(order, stack, stacks)
        status = order.cdk("destroy", "--all", "--force")
        left = stacks.find(stack.name)
        if left is None or left.status != "DELETE_FAILED":
            break
    return status


def _empty_buckets(order: Order, stack: DeployedStack, stacks: Stacks) -> None:
    for bucket in (each for each in stack.data_deleted if each.type == BUCKET):
        deleted = stacks.empty(bucket.name)
        order.say(f"Deleted {deleted} {'object' if deleted == 1 else 'objects'} from {bucket.name}.")


def _farewell(order: Order, stack: DeployedStack) -> str:
    lines = [f"The stack {stack.name} is deleted."]
    lines += [f"AWS keeps {each.type} {each.name}." for each in stack.kept]
    if any(each.type == TABLE for each in stack.data_deleted):
        lines.append("AWS keeps a system backup of each deleted table for 35 days.")
    if stack.data_kept:
        words = [word for word in order.config.split() if not word.startswith("owner_salt=")]
        config_text = " ".join([*words, f"owner_salt={stack.owner_salt}"])
        mapping = json.dumps(
            {each.logical_id: {IDENTIFIERS[each.type]: each.name} for each in stack.data_kept}
        )
        context = f"-c stage={order.stage} -c config={shlex.quote(config_text)}"
        lines += [
            "To deploy the stage onto its data again, run these two, and keep owner_salt in cdk.json:",
            (
                f"  .venv/bin/python -m tools.cdk import {stack.name} {context} "
                f"--resource-mapping-inline {shlex.quote(mapping)}"
            ),
            f"  make deploy STAGE={order.stage} CONFIG={shlex.quote(config_text)}",
        ]
    return "\n".join(lines)


def _names(resources: Sequence[Resource]) -> str:
    return " and ".join(each.name for each in resources)
