"""The signatures are botocore's, byte for byte, and those that AWS documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from imagegen.adapters.direct.signature import Credentials, hash_of, presigned_query, signed

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
# The secret of AWS's examples, which opens nothing.
EXAMPLE = Credentials(
    access_key_id="AKIDEXAMPLE", secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)
HOSTS = st.sampled_from(
    [
        "dynamodb.us-east-1.amazonaws.com",
        "dynamodb.cn-north-1.amazonaws.com.cn",
        "localhost:4566",
        "127.0.0.1:1",
    ]
)
PLAIN = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


def signed_at(text: str) -> datetime:
    """Return the time of a signature."""
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def test_the_signature_is_that_of_awss_own_example() -> None:
    """The case `post-vanilla` of AWS's Signature Version 4 test suite."""
    headers = signed(
        {"Host": "example.amazonaws.com"},
        body_hash=hash_of(b""),
        credentials=EXAMPLE,
        region="us-east-1",
        service="service",
        now=NOW,
    )
    assert headers == {
        "Host": "example.amazonaws.com",
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    }


@given(
    host=HOSTS,
    target=VALUES,
    table=st.text(max_size=100),
    key_id=PLAIN,
    secret=PLAIN,
    token=st.one_of(st.just(""), PLAIN),
    region=st.from_regex(r"[a-z]{2}-[a-z]{4,9}-[1-9]", fullmatch=True),
)
def test_every_signature_is_the_one_that_botocore_makes(
    *, host: str, target: str, table: str, key_id: str, secret: str, token: str, region: str
) -> None:
    """This holds for any table name, credentials and region."""
    body = json.dumps({"TableName": table}, ensure_ascii=False).encode()
    sent = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
    request = AWSRequest("POST", f"http://{host}/", headers=sent, data=body)
    SigV4Auth(BotocoreCredentials(key_id, secret, token or None), "dynamodb", region).add_auth(request)
    ours = signed(
        {"Host": host, **sent},
        body_hash=hash_of(body),
        credentials=Credentials(access_key_id=key_id, secret_access_key=secret, session_token=token),
        region=region,
        service="dynamodb",
        now=signed_at(request.headers["X-Amz-Date"]),
    )
    assert ours == {"Host": host, **dict(request.headers.items())}


@given(
    # A path with a dot for a part would be shortened.
    target=PLAIN.filter(lambda text: text not in {".", ".."}),
    content=st.binary(max_size=50),
    token=st.one_of(st.just(""), PLAIN),
    service=st.sampled_from(["bedrock", "s3"]),
    method=st.sampled_from(["POST", "PUT"]),
)
def test_every_path_is_signed_as_botocore_signs_it(
    *, target: str, content: bytes, token: str, service: str, method: str
) -> None:
    """S3 signs the path as it is sent, and every other service encodes it once more."""
    path = f"/model/{quote(target, safe='')}/invoke"
    sent = {
        "Content-Type": "image/png",
        "X-Amz-Content-SHA256": hash_of(content),
        "x-amz-meta-seed": " 1  2 ",
    }
    request = AWSRequest(method, f"https://far.example{path}", headers=sent, data=content)
    request.context["payload_signing_enabled"] = True
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(
        BotocoreCredentials("AKID", "secret", token or None), service, "eu-west-1"
    )
    signer.add_auth(request)
    ours = signed(
        {"Host": "far.example", **sent},
        method=method,
        path=path,
        body_hash=hash_of(content),
        credentials=Credentials(access_key_id="AKID", secret_access_key="secret", session_token=token),
        region="eu-west-1",
        service=service,
        now=signed_at(request.headers["X-Amz-Date"]),
    )
    assert ours["Authorization"] == request.headers["Authorization"]


@given(
    host=HOSTS,
    folder=st.sampled_from(["/", "/pictures/"]),
    name=st.text(max_size=40),
    seconds=st.integers(1, 604_800),
    token=st.one_of(st.just(""), PLAIN),
    query=st.dictionaries(
        st.sampled_from(["response-cache-control", "response-content-disposition"]), st.text(max_size=40)
    ),
)
def test_every_presigned_query_is_the_one_that_botocore_makes(
    *, host: str, folder: str, name: str, seconds: int, token: str, query: dict[str, str]
) -> None:
    """The members may stand in another order; the signature is made over their sorted list."""
    path = folder + quote(name, safe="/~")
    asked = "&".join(f"{each}={quote(value, safe='')}" for each, value in query.items())
    request = AWSRequest("GET", f"https://{host}{path}?{asked}" if asked else f"https://{host}{path}")
    credentials = BotocoreCredentials("AKID", "secret", token or None)
    S3SigV4QueryAuth(credentials, "s3", "eu-west-1", expires=seconds).add_auth(request)
    url: Any = request.url
    theirs = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True))
    ours = presigned_query(
        query,
        host=host,
        path=path,
        expires_in=seconds,
        credentials=Credentials(access_key_id="AKID", secret_access_key="secret", session_token=token),
        region="eu-west-1",
        now=signed_at(theirs["X-Amz-Date"]),
    )
    assert dict(parse_qsl(ours, keep_blank_values=True, strict_parsing=True)) == theirs


@pytest.mark.parametrize("changed", [{"X-Amz-Target": "other"}, {"Host": "other"}])
def test_a_signature_covers_the_headers(changed: dict[str, str]) -> None:
    """Whoever changes one needs another signature."""
    headers = {"Host": "example.amazonaws.com", "X-Amz-Target": "one"}

    def signature(headers: dict[str, str], body: bytes = b"") -> str:
        made = signed(
            headers,
            body_hash=hash_of(body),
            credentials=EXAMPLE,
            region="us-east-1",
            service="dynamodb",
            now=NOW,
        )
        return made["Authorization"]

    assert signature({**headers, **changed}) != signature(headers)
    assert signature(headers, b"x") != signature(headers)


def test_credentials_do_not_show_what_is_secret() -> None:
    """Credentials may be part of a traceback."""
    shown = repr(Credentials(access_key_id="AKID", secret_access_key="hush", session_token="hush"))
    assert "AKID" in shown
    assert "hush" not in shown
