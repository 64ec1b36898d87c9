"""The requests that are sent without the SDK's client are those of the SDK."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from imagegen.adapters import clients
from tests.support import sdk_clients
from tests.support.direct_calls import INVOKE, ITEM, PNG, PUT, bucket, runtime, table
from tests.support.far_side import FarSide, answer, json_answer, new_session
from tests.support.faulty_server import FaultyServer, Request, whole

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest


def text(value: str | bytes) -> str:
    """Return a header of the SDK as text."""
    return value if isinstance(value, str) else value.decode()


CALLS: Mapping[str, tuple[Callable[[], Any], Callable[[], Any], str, dict[str, Any]]] = {
    "get": (
        table,
        lambda: sdk_clients.dynamodb(new_session()),
        "get_item",
        {"TableName": "t", "Key": {"id": {"S": "é"}}, "ConsistentRead": True},
    ),
    "put": (
        table,
        lambda: sdk_clients.dynamodb(new_session()),
        "put_item",
        {
            "TableName": "t",
            "Item": ITEM,
            "ConditionExpression": "stamp = :stamp",
            "ExpressionAttributeValues": {":stamp": {"S": "x"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ),
    "update": (
        table,
        lambda: sdk_clients.dynamodb(new_session()),
        "update_item",
        {
            "TableName": "t",
            "Key": {"id": {"S": "c"}},
            "UpdateExpression": "ADD images :n",
            "ExpressionAttributeValues": {":n": {"N": "-1"}},
            "ReturnValues": "UPDATED_NEW",
        },
    ),
    "query": (
        table,
        lambda: sdk_clients.dynamodb(new_session()),
        "query",
        {
            "TableName": "t",
            "IndexName": "by_owner",
            "KeyConditionExpression": "#o = :o",
            "ExpressionAttributeNames": {"#o": "owner"},
            "ExpressionAttributeValues": {":o": {"S": "alice"}},
            "ScanIndexForward": False,
            "Limit": 3,
            "ExclusiveStartKey": {"id": {"S": "gen_0"}},
        },
    ),
    "store": (
        bucket,
        lambda: clients.s3(new_session(), addressing_style="path"),
        "put_object",
        # The SDK sends a file in parts, which it signs in another way.
        {**PUT, "Body": bytearray(PNG)},
    ),
    "invoke": (
        runtime,
        lambda: clients.bedrock_runtime(new_session(), region="us-west-2", model_timeout=60),
        "invoke_model",
        INVOKE,
    ),
}
"""What makes the call, the SDK's client for it, the method, and the parameters."""

LEFT_OUT = {
    *("amz-sdk-invocation-id", "amz-sdk-request", "accept-encoding", "user-agent", "authorization", "host"),
    *("x-amz-date", "content-length", "x-amz-sdk-checksum-algorithm", "x-amz-content-sha256"),
}
"""Headers that differ, that tests below compare, or that say only what another header says as well."""


@pytest.mark.parametrize(("make", "make_sdk", "method", "parameters"), CALLS.values(), ids=CALLS)
def test_the_request_is_the_one_that_the_sdk_sends(
    make: Callable[[], Any],
    make_sdk: Callable[[], Any],
    method: str,
    parameters: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Method, path, body and headers are the same, and the signature is valid."""
    with FaultyServer(whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        reply = getattr(make(), method)(**parameters)
        if method == "invoke_model":
            assert reply.read(seconds=60, longest=2) == b"{}"
        client = make_sdk()
        far = FarSide(client, answer() if method == "put_object" else json_answer({}))
        getattr(client, method)(**parameters)
    (ours,), (theirs,) = server.requests, far.requests
    assert ours.body == far.bodies[0] or json.loads(ours.body) == json.loads(far.bodies[0])
    verb, path, _ = ours.head.splitlines()[0].split(" ")
    assert (verb, server.url + path) == (theirs.method, theirs.url)
    expected = {
        name.lower(): text(value) for name, value in theirs.headers.items() if name.lower() not in LEFT_OUT
    }
    assert {name: ours.header(name) for name in expected} == expected
    assert ours.header("content-length") == str(len(ours.body))
    check_signature(ours, theirs, url=server.url + path)


def check_signature(ours: Request, theirs: AWSPreparedRequest, *, url: str) -> None:
    """Check that botocore signs what we sent in the same way, and that we signed no less than it did."""
    authorization = ours.header("authorization")
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    signed_by_sdk = text(theirs.headers["Authorization"]).partition("SignedHeaders=")[2].partition(",")[0]
    assert {*signed_by_sdk.split(";")} - LEFT_OUT <= {*names}
    service = scope[3]
    again = AWSRequest(
        theirs.method, url, headers={name: ours.header(name) for name in names}, data=ours.body
    )
    again.context.update(timestamp=ours.header("x-amz-date"), payload_signing_enabled=True)
    make = S3SigV4Auth if service == "s3" else SigV4Auth
    auth = make(BotocoreCredentials("AKIDEXAMPLE", "secret", "token"), service, "us-west-2")
    signature = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    assert authorization.endswith(f"Signature={signature}")


def test_the_signature_of_an_image_covers_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 compares them with the hash, which is the checksum that it stores; nothing waits for `100 Continue`."""
    with FaultyServer(whole()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        bucket().put_object(**PUT)
    (request,) = server.requests
    assert request.body == PNG
    assert request.header("x-amz-content-sha256") == hashlib.sha256(PNG).hexdigest()
    assert request.header("expect") == ""


def test_a_client_makes_all_other_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the methods that every image needs are replaced."""
    with FaultyServer(whole(204), whole(200)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        images = bucket()
        images.delete_object(Bucket="pictures", Key="k")
        images.head_object(Bucket="pictures", Key="k")
    assert [request.head.split(" ")[0] for request in server.requests] == ["DELETE", "HEAD"]
