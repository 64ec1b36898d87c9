"""What `docs/operations.md` shows is run on the deployed stack, with the AWS CLI in miniature."""

from __future__ import annotations

import secrets
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import boto3
import pytest

from tests.support import aws_command, documented
from tests.support.local_instances import ENVIRON
from tests.support.quoting import asking
from tests.support.real_parts import function_name
from tests.support.stack_callers import awaited, id_of, outputs_of, polled
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import httpx

    from tests.support.deployed_stack import Stack, StandIn

PAGE: Final = "operations.md"
EXAMPLES: Final = {"STAGE=dev": "STAGE=local"}
"""What the page has for an operator's own values, and what stands there here."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an `aws` of our own."""
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{CHECKOUT}" exec "{sys.executable}" "{aws_command.__file__}" "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return tmp_path


@pytest.fixture
def environ(stack: Stack, folder: Path) -> dict[str, str]:
    """Return the environment of an operator of the stack."""
    trusted = {"AWS_CA_BUNDLE": str(stack.ca_bundle)} if stack.ca_bundle else {}
    return {
        "PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "AWS_ENDPOINT_URL": stack.state.aws_endpoint_url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "NO_PROXY": "*",
        **trusted,
    }


def run(
    folder: Path,
    environ: Mapping[str, str],
    *parts: tuple[str, Sequence[int]],
    replaced: Mapping[str, str] | None = None,
) -> list[str]:
    """Run blocks of sections of the page, each by its number, and return what each of them printed."""
    chosen = [documented.blocks(PAGE, section="Before you begin")[0]]
    for section, numbers in parts:
        found = documented.blocks(PAGE, section=section)
        chosen += [found[number] for number in numbers]
    texts = []
    for block in chosen:
        text = block.text
        for shown, value in {**EXAMPLES, **(replaced or {})}.items():
            text = text.replace(shown, value)
        texts.append(documented.Block(kind=block.kind, text=text, file="", is_before=False))
    return documented.run(texts, folder, environ)[1:]


STOP: Final = "Stop all spending"


def by_make(stack: Stack, command: str) -> None:
    """Run `make stop` or `make start` for the stack of these tests."""
    subprocess.run(  # noqa: S603 - the checkout's own Python
        [sys.executable, "-m", "operating", "--stage", "local", command],
        cwd=CHECKOUT,
        env={**ENVIRON, "IMAGEGEN_LOCAL_DIR": str(stack.folder)},
        check=True,
        capture_output=True,
    )


@pytest.fixture
def unreserved(stack: Stack) -> Iterator[None]:
    """Leave the functions as the emulator's CloudFormation makes them, which reserves nothing."""
    yield
    functions = boto3.client("lambda", **stack.aws())
    for function in functions.list_functions()["Functions"]:
        functions.delete_function_concurrency(FunctionName=function["FunctionName"])


@pytest.mark.usefixtures("unreserved")
@pytest.mark.parametrize("way", ["make", "by hand"])
def test_the_kill_switch_stops_every_call_of_a_model_and_is_undone(
    api: httpx.Client, stack: Stack, stand_in: StandIn, folder: Path, environ: dict[str, str], way: str
) -> None:
    """Callers see what the page says, a wrong key is still refused, and afterwards all works as before."""
    prompt = f"stopped{secrets.token_hex(8)}"
    stop: Mapping[str, Callable[[], object]] = {
        "make": lambda: by_make(stack, "stop"),
        "by hand": lambda: run(folder, environ, (STOP, [1])),
    }
    start: Mapping[str, Callable[[], object]] = {
        "make": lambda: by_make(stack, "start"),
        "by hand": lambda: run(folder, environ, (STOP, [3])),
    }
    try:
        stop[way]()
        refused = api.post("/text-to-image", json=asking(prompt))
        looked = api.get("/models")
        with stack.client(api_key="ig_wrong") as stranger:
            unknown = stranger.get("/models")
    finally:
        start[way]()
    # The emulator passes Lambda's own 429 on; API Gateway makes an INTEGRATION_FAILURE of it, which is our 502.
    assert {refused.status_code, looked.status_code} <= {429, 502}
    assert unknown.status_code == 401
    assert stand_in.calls(prompt=prompt)["calls"] == 0
    assert api.post("/text-to-image", json=asking(prompt)).status_code == 200
    functions = boto3.client("lambda", **stack.aws())
    worker = functions.get_function_concurrency(FunctionName=function_name(stack, "Worker"))
    # What the template reserves, or what the page says.
    assert worker["ReservedConcurrentExecutions"] == {"make": 18, "by hand": 23}[way]


@pytest.mark.thorough
def test_jobs_are_kept_while_their_queue_is_paused(
    api: httpx.Client, folder: Path, environ: dict[str, str]
) -> None:
    """They wait, and are worked on when it goes on."""
    pausing = documented.blocks(PAGE, section=STOP)[4].text
    resume = next(
        line for line in documented.commands(documented.blocks(PAGE, section=STOP)[4]) if " --enabled" in line
    )
    run(folder, environ, (STOP, [4]), replaced={f"$ {resume}\n": ""})
    assert f"$ {resume}" in pausing
    prompt = f"paused{secrets.token_hex(8)}"
    accepted = api.post("/text-to-image", json=asking(prompt), headers={"Prefer": "respond-async"})
    id_ = accepted.json()["id"]
    assert api.get(f"/generations/{id_}").json()["status"] == "queued"
    run(folder, environ, (STOP, [4]))
    assert polled(api, id_)["status"] == "succeeded"


def test_the_generations_of_a_key_and_their_images_are_found(
    api: httpx.Client, stack: Stack, folder: Path, environ: dict[str, str]
) -> None:
    """By the id of the key alone, without the key."""
    made = api.post("/text-to-image", json=asking(f"found{secrets.token_hex(8)}")).raise_for_status().json()
    printed = run(
        folder,
        environ,
        ("A leaked key", [1]),
        ("A paid image that is missing", [0]),
        replaced={"KEY_ID=abcdefghij23": f"KEY_ID={id_of(stack.state.api_key)}", "$ID": made["id"]},
    )
    assert [made["id"], "succeeded"] in [line.split("\t")[:2] for line in printed[0].splitlines()]
    (artifact,) = made["artifacts"]
    assert printed[1].splitlines()[0].split("\t") == [
        str(artifact["bytes"]),
        made["model"],
        str(artifact["seed"]),
    ]
    assert (folder / "image.png").stat().st_size == artifact["bytes"]


@pytest.mark.thorough
def test_dead_letters_are_counted_and_a_record_is_looked_at(
    api: httpx.Client, stack: Stack, folder: Path, environ: dict[str, str]
) -> None:
    """And a job's id that is sent once more does no harm."""
    outputs = outputs_of(stack)
    sqs = boto3.client("sqs", **stack.aws())
    letter = {"claim": {"DataType": "String", "StringValue": "a-claim"}}
    made = api.post("/text-to-image", json=asking(f"dead{secrets.token_hex(8)}")).raise_for_status().json()
    dead = outputs["DeadCallBackQueueUrl"]
    sqs.send_message(
        QueueUrl=dead, MessageBody=made["id"], MessageAttributes=letter, MessageGroupId="operator"
    )
    printed = run(
        folder,
        environ,
        ("A dead letter", [0, 1, 2]),
        replaced={"ID=gen_aaaaaaaaaaaaaaaaaaaaaaaaaa": f"ID={made['id']}"},
    )
    sqs.purge_queue(QueueUrl=dead)
    jobs, call_backs, one = printed[0].splitlines()
    assert (jobs, call_backs, one) == ("0", "1", f"{made['id']}\ta-claim")
    assert printed[1].split("\t")[:2] == [made["id"], "succeeded"]
    queue = outputs["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def empty() -> bool | None:
        found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return True if not any(int(found[name]) for name in names) else None

    assert awaited(empty, "the end of the message")
    again = api.get(f"/generations/{made['id']}").json()
    assert (again["status"], again["cost_usd"]) == ("succeeded", made["cost_usd"])


@pytest.mark.thorough
def test_what_a_restored_table_has_and_the_stages_has_not_is_put_back(
    stack: Stack, folder: Path, environ: dict[str, str]
) -> None:
    """An item that exists is left as it is, and the restored table is removed. The emulator restores none itself."""
    dynamodb = boto3.client("dynamodb", **stack.aws())
    table = outputs_of(stack)["TableName"]
    restored = f"{table}-restored"
    dynamodb.create_table(
        TableName=restored,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    lost, there = (f"restored#{name}#{secrets.token_hex(8)}" for name in ("lost", "there"))
    for id_ in (lost, there):
        dynamodb.put_item(TableName=restored, Item={"id": {"S": id_}, "stamp": {"S": "of before"}})
    dynamodb.put_item(TableName=table, Item={"id": {"S": there}, "stamp": {"S": "of now"}})
    run(folder, environ, ("Restore a table", [1]), replaced={"$TABLE": table})
    stamps = [
        dynamodb.get_item(TableName=table, Key={"id": {"S": id_}})["Item"]["stamp"]["S"]
        for id_ in (lost, there)
    ]
    for id_ in (lost, there):
        dynamodb.delete_item(TableName=table, Key={"id": {"S": id_}})
    assert stamps == ["of before", "of now"]
    assert restored not in dynamodb.list_tables()["TableNames"]
