"""The signature of the authorizer's call is botocore's, byte for byte, and the one that AWS documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from imagegen.adapters.key_table.signature import Credentials, signed

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


def test_the_signature_is_that_of_awss_own_example() -> None:
    """The case `post-vanilla` of AWS's Signature Version 4 test suite."""
    headers = signed(
        {"Host": "example.amazonaws.com"},
        b"",
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
        body,
        credentials=Credentials(access_key_id=key_id, secret_access_key=secret, session_token=token),
        region=region,
        service="dynamodb",
        now=datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
    )
    assert ours == {"Host": host, **dict(request.headers.items())}


@pytest.mark.parametrize("changed", [{"X-Amz-Target": "other"}, {"Host": "other"}])
def test_a_signature_covers_the_headers(changed: dict[str, str]) -> None:
    """Whoever changes one needs another signature."""
    headers = {"Host": "example.amazonaws.com", "X-Amz-Target": "one"}

    def signature(headers: dict[str, str], body: bytes = b"") -> str:
        return signed(headers, body, credentials=EXAMPLE, region="us-east-1", service="dynamodb", now=NOW)[
            "Authorization"
        ]

    assert signature({**headers, **changed}) != signature(headers)
    assert signature(headers, b"x") != signature(headers)


def test_credentials_do_not_show_what_is_secret() -> None:
    """Credentials may be part of a traceback."""
    shown = repr(Credentials(access_key_id="AKID", secret_access_key="hush", session_token="hush"))
    assert "AKID" in shown
    assert "hush" not in shown
