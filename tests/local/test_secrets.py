"""No secret leaves its place: each one is searched for by its value, everywhere that the deployed stack writes.

The secrets are the API keys, the secret of the call-backs, and the signatures of presigned URLs. A key's id is not one.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from imagegen.keys.api_key import ApiKey
from tests.support.faulty_server import FaultyServer, whole
from tests.support.stack_callers import awaited, fresh_key, id_of, keys_of, logged, outputs_of, polled

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack

HOLD_KEYS: Final = ("state.json", "keys.json")
"""The files of the local service that hold secrets for the developer; only their owner can read them."""

ASSEMBLY: Final = "cdk.out"


@dataclass(frozen=True, kw_only=True)
class Used:
    """What the requests of this module used and made."""

    secrets: Mapping[str, str]
    """Each secret by what it is."""
    digests: Mapping[str, str]
    """What the key table keeps of each key."""
    id: str
    """The id of a generation, which proves that a place is searched after the requests."""


def signature_of(url: str) -> str:
    """Return the signature of a presigned URL."""
    (signature,) = parse_qs(urlsplit(url).query)["X-Amz-Signature"]
    return signature


def post(client: httpx.Client, key: Mapping[str, str], **members: object) -> httpx.Response:
    """Ask for an image that nobody has asked for, with these headers."""
    body = {"text_prompts": [{"text": f"tea {secrets.token_hex(8)}"}], **members}
    return client.post("/text-to-image", json=body, headers=key)


@pytest.fixture(scope="module")
def used(stack: Stack, anonymous: httpx.Client) -> Used:
    """Use every secret in every way: accepted, refused, rotated, revoked, in both headers, by both functions."""
    key, other, expired = stack.state.api_key, stack.state.other_api_key, fresh_key(stack)
    renewed = keys_of(stack).rotate(id_of(expired), grace=timedelta()).text
    unknown = ApiKey.create(secrets.token_bytes).text
    for accepted in (key, other, renewed):
        for headers in ({"x-api-key": accepted}, {"Authorization": f"Bearer {accepted}"}):
            anonymous.get("/generations", headers=headers).raise_for_status()
    refused = [
        post(anonymous, {"x-api-key": unknown}),
        post(anonymous, {"x-api-key": key[1:]}),
        post(anonymous, {"Authorization": f"Basic {key}"}),
        post(anonymous, {"x-api-key": key, "Authorization": f"Bearer {other}"}),
        post(anonymous, {"x-api-key": key}, steps=key),
        anonymous.get(f"/generations/{key}", headers={"x-api-key": key}),
        anonymous.post("/text-to-image", content=key, headers={"x-api-key": key}),
    ]
    assert [answer.status_code for answer in refused] == [401, 401, 401, 400, 400, 404, 400]
    made = post(anonymous, {"Authorization": f"Bearer {key}"}).raise_for_status().json()
    location = anonymous.get(f"/generations/{made['id']}/image", headers={"x-api-key": key}).headers[
        "location"
    ]
    assert anonymous.get(location).status_code == 200
    with FaultyServer(whole(204)) as receiver, stack.client(api_key=key) as client:
        asynchronous = {"x-api-key": key, "Prefer": "respond-async"}
        url = f"http://127.0.0.1:{receiver.port}/"
        queued = post(anonymous, asynchronous, webhook_url=url).raise_for_status().json()
        polled_url = polled(client, queued["id"])["artifacts"][0]["url"]
        awaited(lambda: receiver.requests or None, "the call-back")
    keys_of(stack).revoke(id_of(renewed))
    secret = boto3.client("secretsmanager", **stack.aws()).get_secret_value(
        SecretId=outputs_of(stack)["WebhookSecretArn"]
    )["SecretString"]
    keys = {"a key": key, "another key": other, "an old key": expired, "a revoked key": renewed}
    parsed = {name: ApiKey.parse(text) for name, text in keys.items()}
    return Used(
        secrets={
            # The secret part alone finds the whole key as well.
            **{f"the secret of {name}": each.secret for name, each in parsed.items() if each},
            "an unknown key": unknown,
            "the secret of the call-backs": secret,
            "the signature of an image": signature_of(made["artifacts"][0]["url"]),
            "the signature of a redirect": signature_of(location),
            "the signature of a polled image": signature_of(polled_url),
        },
        digests={name: each.digest for name, each in parsed.items() if each},
        id=queued["id"],
    )


Found = Iterator[tuple[str, bytes]]


def template(stack: Stack) -> Found:
    """Yield what CloudFormation has of the stack."""
    client = boto3.client("cloudformation", **stack.aws())
    for stage in ("Original", "Processed"):
        body = client.get_template(StackName=stack.state.stack, TemplateStage=stage)["TemplateBody"]
        yield f"the {stage} template", json.dumps(body).encode()
    described = client.describe_stacks(StackName=stack.state.stack)["Stacks"]
    events = client.describe_stack_events(StackName=stack.state.stack)["StackEvents"]
    yield "the stack and its events", json.dumps([described, events], default=str).encode()


def assembly(stack: Stack) -> Found:
    """Yield what the CDK wrote: templates, manifests, and the functions' code."""
    return files(stack.folder / ASSEMBLY)


def logs(stack: Stack) -> Found:
    """Yield the lines of every log group; the metrics are among them, in CloudWatch's embedded format."""
    for line in logged(stack):
        yield "the logs", line.encode()


def metrics(stack: Stack) -> Found:
    """Yield the names and the dimensions of every metric: those that the logs embed, and CloudWatch's own."""
    for line in logged(stack):
        if '"_aws"' in line:
            yield "the embedded metrics", line[line.index("{") :].encode()
    listed = boto3.client("cloudwatch", **stack.aws()).get_paginator("list_metrics").paginate()
    yield "CloudWatch", json.dumps([page["Metrics"] for page in listed]).encode()


def tables(stack: Stack) -> Found:
    """Yield every item of every table."""
    client = boto3.client("dynamodb", **stack.aws())
    for name in client.list_tables()["TableNames"]:
        for page in client.get_paginator("scan").paginate(TableName=name):
            for item in page["Items"]:
                yield f"the table {name}", json.dumps(item, default=str).encode()


def functions(stack: Stack) -> Found:
    """Yield what Lambda has of every function: its environment, its description, its rights."""
    client = boto3.client("lambda", **stack.aws())
    for page in client.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            yield f"the function {function['FunctionName']}", json.dumps(function, default=str).encode()


def bucket(stack: Stack) -> Found:
    """Yield the names and the metadata of the images."""
    client = boto3.client("s3", **stack.aws())
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=stack.state.bucket):
        for each in page.get("Contents", []):
            head = client.head_object(Bucket=stack.state.bucket, Key=each["Key"])
            yield each["Key"], json.dumps([each, head], default=str).encode()


def folder(stack: Stack) -> Found:
    """Yield every other file of the local service: its logs, and whatever the emulator keeps."""
    return files(stack.folder, without=(ASSEMBLY, *HOLD_KEYS))


def files(top: Path, *, without: Sequence[str] = ()) -> Found:
    """Yield the files below a folder, and the members of archives among them; `without` names some in the folder."""
    # The emulator removes the folders of functions that it ends meanwhile: `os.walk` passes over what has gone.
    found = [Path(folder_) / name for folder_, _, names in os.walk(top) for name in names]
    for path in found:
        if path.is_file() and path.relative_to(top).parts[0] not in without:
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            yield str(path), content
            if zipfile.is_zipfile(io.BytesIO(content)):
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    for member in archive.namelist():
                        yield f"{path}:{member}", archive.read(member)


PLACES: Final[Mapping[str, tuple[Callable[[Stack], Found], str]]] = {
    "template": (template, "GenerateSecretString"),
    "assembly": (assembly, "GenerateSecretString"),
    "logs": (logs, "{id}"),
    "metrics": (metrics, "ImagesGenerated"),
    "tables": (tables, "{id}"),
    "functions": (functions, "WEBHOOK_SECRET_ARN"),
    "bucket": (bucket, "{id}"),
    "folder": (folder, "imagegen"),
}
"""Where to look, and a text that is certainly there."""


@pytest.fixture(scope="module")
def hits(stack: Stack, used: Used) -> Mapping[str, set[tuple[str, str]]]:
    """Search every place once, and return where which secret or digest is, by place."""
    wanted = {**used.secrets, **{f"the digest of {name}": digest for name, digest in used.digests.items()}}

    def search(place: str) -> set[tuple[str, str]] | None:
        look, known = PLACES[place]
        values = {**wanted, "known": known.format(id=used.id)}
        found = {
            (name, where)
            for where, content in look(stack)
            for name, value in values.items()
            if value.encode() in content
        }
        # What must be there shows that the place is read, and after the requests.
        return found if any(name == "known" for name, _ in found) else None

    return {place: awaited(partial(search, place), f"what is known in {place}") for place in PLACES}


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_in(hits: Mapping[str, set[tuple[str, str]]], used: Used, place: str) -> None:
    """Every value is searched for."""
    assert {(name, where) for name, where in hits[place] if name in used.secrets} == set()


def test_the_digest_of_a_key_is_in_the_key_table_alone(
    stack: Stack, used: Used, hits: Mapping[str, set[tuple[str, str]]]
) -> None:
    """Nobody needs it anywhere else. It is a hash of 200 random bits, so it has no salt."""
    key_table = f"the table {outputs_of(stack)['KeyTableName']}"
    digests = {f"the digest of {name}" for name in used.digests}
    places = {(name, where) for found in hits.values() for name, where in found if name in digests}
    assert places == {(name, key_table) for name in digests}


def test_the_files_that_hold_secrets_are_their_owners_alone(stack: Stack) -> None:
    """A developer needs the keys; other people on the machine do not get them."""
    modes = {name: (stack.folder / name).stat().st_mode & 0o777 for name in HOLD_KEYS}
    assert modes == dict.fromkeys(HOLD_KEYS, 0o600)
