"""Up, again, with other variables, after crashes, and down without a trace."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import ports, processes
from local.emulator import CREDENTIALS, REGION
from local.state import file as state_file
from tests.support.deployed_stack import Stack
from tests.support.local_instances import CONFIG, ENVIRON, STRICT, Instance

MEMBERS = {
    "api_url",
    "api_key",
    "other_api_key",
    "webhook_secret",
    "aws_endpoint_url",
    "bedrock_url",
    "web_url",
    "bucket",
    "table",
    "queue_url",
    "dlq_url",
    "stack",
}


@pytest.fixture(scope="module")
def instance(create_instance: Callable[[str], Instance]) -> Iterator[Instance]:
    """An instance whose ups and downs are the test."""
    created = create_instance("life-cycle")
    try:
        yield created
    finally:
        created.down()


@pytest.fixture
def service(instance: Instance) -> Instance:
    """The same instance, up with the variables of the test run."""
    instance.up()
    return instance


@pytest.fixture
def running_instance(instance: Instance) -> Instance:
    """The same instance, up with whatever variables the test before left."""
    if not instance.running():
        instance.up()
    return instance


def stack_of(instance: Instance) -> Stack:
    """Return the stack that the instance has deployed."""
    return Stack(state=instance.state(), folder=instance.folder)


def api_variables(instance: Instance) -> dict[str, str]:
    """Return the environment of the deployed api function."""
    functions = boto3.client("lambda", **stack_of(instance).aws())
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    name = next(name for name in names if "Api" in name)
    variables: dict[str, str] = functions.get_function_configuration(FunctionName=name)["Environment"][
        "Variables"
    ]
    return variables


def put_object(instance: Instance, key: str) -> None:
    """Store an object in the image bucket, to see whether it is still there later."""
    stack = stack_of(instance)
    boto3.client("s3", **stack.aws()).put_object(Bucket=stack.state.bucket, Key=key, Body=b"kept")


def get_object(instance: Instance, key: str) -> bytes:
    """Read it back."""
    stack = stack_of(instance)
    body: bytes = (
        boto3.client("s3", **stack.aws()).get_object(Bucket=stack.state.bucket, Key=key)["Body"].read()
    )
    return body


def emulator_pid(instance: Instance) -> int:
    """Return the process that listens for the emulator: the oldest of its role."""
    found = [one.pid for one in instance.running() if one.role == "emulator"]
    # Not the lowest number, because Linux begins anew after the highest.
    return min(
        found, key=lambda pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    )


def kill_emulator(instance: Instance) -> None:
    """Kill the emulator, and wait until it is gone: a large process takes a while to die on a busy machine."""
    os.kill(emulator_pid(instance), signal.SIGKILL)
    ends_at = time.monotonic() + 120
    while ports.is_listening(instance.emulator_port):
        assert time.monotonic() < ends_at
        time.sleep(0.1)


def own_ports(instance: Instance) -> tuple[int, int, int]:
    """Return the ports that the instance listens on."""
    return instance.emulator_port, instance.web_port, instance.stand_in_port


def test_state_json_has_the_documented_members_and_only_its_owner_can_read_it(service: Instance) -> None:
    """Scripts read the file by name, and it holds keys."""
    path = state_file(service.folder)
    strict = {"ca_bundle"} if STRICT else set()
    assert json.loads(path.read_text(encoding="utf-8")).keys() == MEMBERS | strict
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_api_url_ends_in_the_stage_and_works_without_name_tricks(running_instance: Instance) -> None:
    """curl, browsers and Python reach the same address."""
    stack = stack_of(running_instance)
    assert stack.state.api_url == f"{stack.state.aws_endpoint_url}/v1"
    with stack.client() as client:
        assert client.get("/health").status_code == httpx.codes.OK


def test_the_playground_is_served_and_the_api_allows_it(running_instance: Instance) -> None:
    """The local stage allows every origin; the page and its configuration come from the port that state.json names."""
    stack = stack_of(running_instance)
    with stack.client() as client:
        page = client.get(stack.state.web_url)
        config = client.get(f"{stack.state.web_url}/config.json").json()
        reply = client.get("/health", headers={"Origin": stack.state.web_url})
    assert "<title>imagegen playground</title>" in page.text
    assert config == {"api_url": stack.state.api_url, "stage": "local"}
    assert reply.headers["Access-Control-Allow-Origin"] in {"*", stack.state.web_url}


def test_both_keys_are_accepted_and_differ_and_none_is_refused(running_instance: Instance) -> None:
    """Two callers can be told apart, and a third stays outside."""
    stack = stack_of(running_instance)
    keys = (stack.state.api_key, stack.state.other_api_key, None)
    answers = []
    for key in keys:
        with stack.client(api_key=key) as client:
            answers.append(client.get("/generations", params={"limit": 1}).status_code)
    assert answers == [answers[0], answers[0], httpx.codes.UNAUTHORIZED]
    assert answers[0] == httpx.codes.OK
    assert stack.state.api_key != stack.state.other_api_key


def test_up_again_is_fast_and_keeps_keys_and_data(service: Instance) -> None:
    """Nothing has changed, so nothing is started or deployed again, which is all that takes long."""
    before, emulator = service.state(), emulator_pid(service)
    put_object(service, "images/kept-by-up")
    again = service.run("up")
    assert (again.returncode, service.state()) == (0, before)
    assert "starting" not in again.stdout
    assert "deploying" not in again.stdout
    assert emulator_pid(service) == emulator
    assert get_object(service, "images/kept-by-up") == b"kept"


def test_a_config_that_cannot_be_used_is_one_sentence_and_changes_nothing(service: Instance) -> None:
    """The key at fault is named, and the service stays as it was."""
    before = service.state()
    done = service.run("up", CONFIG="model_timeout=never")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "model_timeout" in done.stderr
    assert service.up() == before


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT_OFFSET", "many"), ("PORT_OFFSET", "60956"), ("STRICT", "yes"), ("BEDROCK_URL", "127.0.0.1:8080")],
)
def test_a_variable_that_cannot_be_used_is_one_sentence(
    instance: Instance, variable: str, value: str
) -> None:
    """The variable at fault is named."""
    done = instance.run("up", **{variable: value})
    assert done.returncode == 1
    assert done.stderr.startswith(variable)
    assert done.stderr.count("\n") == 1


def test_the_curl_line_of_the_demo_works_as_pasted(running_instance: Instance, tmp_path: Path) -> None:
    """It is one line with nothing to fill in, and answers with a picture's URL."""
    done = running_instance.run("demo", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("curl"))
    pasted = subprocess.run(  # noqa: S603 - the line that a person would paste
        ["bash", "-c", line],  # noqa: S607 - any bash will do
        env={"PATH": ENVIRON["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(pasted.stdout)["artifacts"][0]["url"].startswith(
        running_instance.state().aws_endpoint_url
    )


def test_the_demo_saves_the_picture_and_says_what_it_is(running_instance: Instance, tmp_path: Path) -> None:
    """The file is a PNG; path, model, seed, time and key are printed."""
    done = running_instance.run("demo", "--out", str(tmp_path))
    (picture,) = tmp_path.iterdir()
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if len(line.split()) > 1)
    assert said["picture"] == str(picture)
    assert said["model"].startswith("stability.")
    assert 0 < int(said["seed"]) < 2**32
    assert running_instance.state().api_key in done.stdout
    assert said["playground"] == running_instance.state().web_url


def test_status_says_where_the_service_listens(running_instance: Instance) -> None:
    """The same members as state.json, for people."""
    done = running_instance.run("status")
    assert done.returncode == 0
    assert running_instance.state().api_url in done.stdout


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A user pool on the emulator, and a token of one of its users."""

    arn: str
    token: str


def create_pool(stack: Stack) -> Pool:
    """Make a user pool with one user who has signed in."""
    cognito = boto3.client("cognito-idp", **stack.aws())
    pool = cognito.create_user_pool(PoolName="callers")["UserPool"]
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool["Id"], ClientName="page", ExplicitAuthFlows=flows
    )["UserPoolClient"]
    cognito.admin_create_user(UserPoolId=pool["Id"], Username="alice", MessageAction="SUPPRESS")
    secret = "Passw0rd!x"
    cognito.admin_set_user_password(UserPoolId=pool["Id"], Username="alice", Password=secret, Permanent=True)
    signed_in = cognito.admin_initiate_auth(
        UserPoolId=pool["Id"],
        ClientId=client["ClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "alice", "PASSWORD": secret},
    )
    return Pool(arn=pool["Arn"], token=signed_in["AuthenticationResult"]["IdToken"])


@pytest.fixture(scope="module")
def pool(instance: Instance) -> Pool:
    """The pool of the same instance, which was up with keys and is up with tokens and another time-out now."""
    instance.up()
    put_object(instance, "images/kept-by-config")
    made = create_pool(stack_of(instance))
    instance.up(CONFIG=f"{CONFIG} model_timeout=7 api_auth=cognito user_pool_arn={made.arn}")
    return made


@pytest.mark.usefixtures("pool")
def test_up_with_another_config_redeploys_in_place(instance: Instance) -> None:
    """The override reaches the function, and the data stay."""
    assert api_variables(instance)["MODEL_TIMEOUT"] == "7"
    assert get_object(instance, "images/kept-by-config") == b"kept"


def test_with_cognito_a_token_of_the_pool_is_let_in(instance: Instance, pool: Pool) -> None:
    """Nothing else is; there are no API keys then."""
    stack = stack_of(instance)
    assert (stack.state.api_key, stack.state.other_api_key) == ("", "")
    with stack.client() as client:

        def status(token: str) -> int:
            return client.get("/generations", headers={"Authorization": token}).status_code

        sent = (pool.token, f"Bearer {pool.token}", f"{pool.token[:-4]}AAAA", "Bearer x.y.z", "")
        # The emulator reads the keys of its pools over plain http, where it does not listen in strict mode.
        let_in = 401 if STRICT else 200
        assert [status(token) for token in sent] == [let_in, let_in, 401, 401, 401]


@pytest.fixture(scope="module")
def another_model_url(instance: Instance) -> str:
    """The same instance, up again with BEDROCK_URL and with signatures, after its emulator was killed."""
    if not instance.running():
        instance.up()
    url = f"http://127.0.0.1:{instance.stand_in_port + 1}"
    kill_emulator(instance)
    instance.up(BEDROCK_URL=url, CONFIG=f"{CONFIG} api_auth=iam")
    return url


@pytest.mark.usefixtures("another_model_url")
@pytest.mark.thorough
def test_up_recovers_from_a_killed_emulator(instance: Instance) -> None:
    """Everything that the emulator held is gone, so `up` deploys it all again, with the variables of now."""
    with stack_of(instance).client() as client:
        assert client.get("/health").status_code == httpx.codes.OK
    assert api_variables(instance)["MODEL_TIMEOUT"] != "7"


@pytest.mark.usefixtures("another_model_url")
@pytest.mark.thorough
def test_with_iam_a_signed_request_is_let_in(instance: Instance) -> None:
    """Whoever signs nothing is told that a signature is missing."""
    stack = stack_of(instance)
    request = AWSRequest(method="GET", url=f"{stack.state.api_url}/generations")
    credentials = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
    with stack.client() as client:
        signed = client.get("/generations", headers=dict(request.headers))
        unsigned = client.get("/generations")
    assert signed.status_code == httpx.codes.OK
    assert signed.json() == {"generations": [], "totals": {"images": 0, "cost_usd": 0.0}, "next_cursor": None}
    assert (unsigned.status_code, unsigned.json()["code"]) == (403, "forbidden")
    assert "signature" in unsigned.json()["detail"]


@pytest.mark.thorough
def test_bedrock_url_takes_the_place_of_the_stand_in(instance: Instance, another_model_url: str) -> None:
    """The functions get the operator's address, and the stand-in is not left running."""
    assert instance.state().bedrock_url == another_model_url
    assert api_variables(instance)["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == another_model_url
    assert not ports.is_listening(instance.stand_in_port)


def test_down_leaves_no_process_port_or_file_and_can_be_repeated(running_instance: Instance) -> None:
    """Nothing listens any more, and a second time there is nothing to do."""
    running_instance.down()
    assert not any(ports.is_listening(port) for port in own_ports(running_instance))
    assert running_instance.running() == []
    assert not running_instance.folder.exists()
    assert "nothing was running" in running_instance.run("down").stdout
    assert running_instance.run("status").returncode == 1


def test_down_after_a_crash_ends_what_the_crash_left(instance: Instance) -> None:
    """An `up` that was killed half-way leaves the emulator, the stand-in and a deployment that goes on alone."""
    with instance.start_command("up") as interrupted:
        assert interrupted.stdout is not None
        next(line for line in interrupted.stdout if "deploying" in line)
        while not any(found.role == "deployment" for found in instance.running()):
            assert interrupted.poll() is None
        interrupted.kill()
        interrupted.communicate()
    assert {found.role for found in instance.running()} >= {
        "emulator",
        "stand-in",
        "playground",
        "deployment",
    }
    instance.down()
    assert not any(ports.is_listening(port) for port in own_ports(instance))
    assert instance.running() == []
    assert not instance.folder.exists()


def test_a_taken_port_is_one_sentence_with_the_port_and_the_way_out(instance: Instance) -> None:
    """The other program is left alone, and PORT_OFFSET is the remedy."""
    instance.down()
    with socket.create_server(("127.0.0.1", instance.emulator_port)):
        done = instance.run("up")
    assert done.returncode == 1
    assert str(instance.emulator_port) in done.stderr
    assert "PORT_OFFSET" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_process_is_ours_by_its_environment_and_not_by_its_number(tmp_path: Path) -> None:
    """A number that was given to another program cannot make `down` end that program."""
    marked = {**processes.marks(tmp_path, "emulator"), "PYTHONUNBUFFERED": "1"}
    sleep = [sys.executable, "-c", "import time; print('awake'); time.sleep(60)"]
    with (
        subprocess.Popen(sleep, stdout=subprocess.DEVNULL) as stranger,  # noqa: S603 - this Python, asleep
        subprocess.Popen(sleep, env=marked, stdout=subprocess.PIPE) as ours,  # noqa: S603 - likewise
    ):
        try:
            assert ours.stdout is not None
            ours.stdout.readline()
            assert processes.stop(tmp_path) == 1
            assert ours.wait(timeout=120) == -signal.SIGTERM
            assert stranger.poll() is None
        finally:
            stranger.kill()
            ours.kill()


def test_where_there_is_no_proc_the_environments_are_read_from_ps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS, say; a folder with a space in its name is still one word there."""
    folder = tmp_path / "my folder"
    marks = " ".join(f"{name}={value}" for name, value in processes.marks(folder, "emulator").items())
    listed = f"  41 /bin/sh -c x HOME=/\n  42 python -m hypercorn LANG=C {marks} {processes.START}=abc\n"
    (tmp_path / "listed").write_text(listed, encoding="utf-8")
    (tmp_path / "ps").write_text(f"#!/bin/sh\nexec cat '{tmp_path}/listed'\n", encoding="utf-8")
    (tmp_path / "ps").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(processes, "PROC", tmp_path / "absent")
    assert processes.running(folder) == [processes.Running(pid=42, role="emulator", start="abc")]
    assert processes.running(tmp_path) == []


def test_a_folder_with_other_files_is_neither_used_nor_removed(instance: Instance, tmp_path: Path) -> None:
    """`down` removes the folder, so `up` claims only one of its own."""
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    up = instance.run("up", IMAGEGEN_LOCAL_DIR=str(tmp_path))
    down = instance.run("down", IMAGEGEN_LOCAL_DIR=str(tmp_path))
    assert (up.returncode, down.returncode) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
