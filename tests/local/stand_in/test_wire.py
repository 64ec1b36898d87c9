"""The stand-in's headers, connections and TLS are right, and its process starts and ends cleanly."""

import datetime as dt
import http.client
import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
)

from local import certificates
from local.bedrock.settings import Settings
from local.bedrock.stand_in import StandIn
from tests.support.stand_in_calls import CHECKOUT, CORE, SDXL, client_of, core, eventually, invoke, refusal

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


def test_every_answer_has_a_request_id_and_a_success_its_latency(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """The headers are those of Bedrock's own runtime."""
    answer = client.invoke_model(modelId=CORE, body=json.dumps(core()))
    answer["body"].read()
    good = answer["ResponseMetadata"]
    bad = refusal(client, CORE, {}).response["ResponseMetadata"]

    assert len(good["RequestId"]) == len(bad["RequestId"]) == 36
    assert good["RequestId"] != bad["RequestId"]
    assert int(good["HTTPHeaders"]["x-amzn-bedrock-invocation-latency"]) >= 0
    assert bad["HTTPHeaders"]["x-amzn-errortype"] == "ValidationException"
    assert bad["HTTPHeaders"]["content-type"] == "application/json"
    assert bedrock.calls()["last"][0]["region"] == "us-west-2"


def test_one_connection_serves_many_calls(bedrock: StandIn) -> None:
    """A connection stays open after each call, also after an error."""
    connection = http.client.HTTPConnection("127.0.0.1", bedrock.port)
    statuses = []
    for body in (b"{}", json.dumps(core()), b"[]", json.dumps(core())):
        connection.request("POST", f"/model/{CORE}/invoke", body)
        response = connection.getresponse()
        response.read()
        statuses.append((response.status, response.getheader("connection")))
    connection.close()

    assert statuses == [(400, None), (200, None), (400, None), (200, None)]


def test_more_than_two_hundred_connections_are_held_at_once(bedrock: StandIn) -> None:
    """All 220 hanging calls are under way at the same time, and a reset ends them all."""
    bedrock.configure({"action": "hang"})
    body = json.dumps(core()).encode()
    request = b"POST /model/%b/invoke HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (
        CORE.encode(),
        len(body),
        body,
    )
    callers = [socket.create_connection(("127.0.0.1", bedrock.port)) for _ in range(220)]
    for caller in callers:
        caller.sendall(request)
    eventually(lambda: bedrock.calls()["calls"] == 220)
    peak = bedrock.calls()["peak_in_flight"]
    bedrock.reset()
    answers = {caller.recv(1) for caller in callers}
    for caller in callers:
        caller.close()

    assert peak == 220
    assert answers == {b""}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", "/model/x/converse"), ("DELETE", "/_control/calls")]
)
def test_an_unknown_route_answers_404(bedrock: StandIn, method: str, path: str) -> None:
    """The stand-in has only the two operations and the control routes."""
    assert httpx.request(method, bedrock.url + path, trust_env=False).status_code == 404


def test_the_stand_in_speaks_tls_when_it_has_a_certificate(tmp_path: Path) -> None:
    """The client verifies the certificate; the strict mode needs this, because it uses only https."""
    files = certificates.ensure(tmp_path, now=dt.datetime.now(dt.UTC))
    with (
        StandIn(settings=Settings(instant=True), cert=files.certificate, key=files.key) as stand_in,
        closing(client_of(stand_in, verify=str(files.authority))) as client,
    ):
        answer = invoke(client, CORE, core())

    assert stand_in.calls()["painted"] == 1
    assert answer["seeds"] == [7]


def test_the_process_says_when_it_is_ready_and_ends_on_a_signal() -> None:
    """The process prints one line with its address, serves the health route, and ends with exit status 0."""
    command = [sys.executable, "-m", "local.bedrock", "--port", "0", "--instant", "--alive", SDXL]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[-1]
        health = httpx.get(f"{url}/_control/health", trust_env=False).json()
        alive = httpx.get(f"{url}/_control/rules", trust_env=False).json()["alive"]
        process.send_signal(signal.SIGTERM)

    assert line.startswith("stand-in Bedrock runtime ready on http://127.0.0.1:")
    assert health == {"status": "ok"}
    assert alive == [SDXL]
    assert process.returncode == 0


def test_a_taken_port_is_one_sentence(bedrock: StandIn) -> None:
    """The process prints no traceback, and its exit status is 1."""
    command = [sys.executable, "-m", "local.bedrock", "--port", str(bedrock.port)]
    result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S603

    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "cannot start" in result.stderr


def test_a_stopped_stand_in_no_longer_listens() -> None:
    """The port is free at once, although a hanging call was still open."""
    stand_in = StandIn(settings=Settings(instant=True)).start()
    stand_in.configure({"action": "hang"})
    port = stand_in.port
    with ThreadPoolExecutor() as pool, closing(client_of(stand_in)) as client:
        hanging = pool.submit(client.invoke_model, modelId=CORE, body=json.dumps(core()))
        eventually(lambda: stand_in.calls()["in_flight"] == 1)
        stand_in.stop()
        error = hanging.exception()

    assert isinstance(error, ConnectionClosedError)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_stopping_ends_idle_connections_too() -> None:
    """A client with an open connection sees the end at once."""
    stand_in = StandIn(settings=Settings(instant=True)).start()
    with socket.create_connection(("127.0.0.1", stand_in.port), timeout=60) as idle:
        idle.sendall(b"GET /_control/health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = idle.recv(4096)
        stand_in.stop()
        end = idle.recv(1)

    assert answer.startswith(b"HTTP/1.1 200")
    assert end == b""
