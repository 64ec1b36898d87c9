"""Floor (b), for a request: two calls over kept connections, signed by hand, and nothing else.

It finds the base64 in the answer's bytes instead of parsing them, and decodes it strictly. See the IAM user guide,
"Create a signed AWS API request".
"""

import hashlib
import hmac
import http.client
import json
import os
import ssl
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import pybase64

REGION = os.environ["AWS_REGION"]
ACCESS_KEY, SECRET, TOKEN = (
    os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
)
trusted = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
bedrock_host = urlsplit(os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]).netloc
s3_host = urlsplit(os.environ["AWS_ENDPOINT_URL_S3"]).netloc
bedrock = http.client.HTTPSConnection(bedrock_host, context=trusted)
s3 = http.client.HTTPSConnection(s3_host, context=trusted)
INVOKE = "/model/" + quote("stability.stable-diffusion-xl-v1", safe="") + "/invoke"
START, END = b'"base64": "', b'"'


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Make one image and return its URL."""
    body = event["body"].encode()
    bedrock.request("POST", INVOKE, body, _signed("POST", bedrock_host, INVOKE, "bedrock", _hash(body)))
    answer = bedrock.getresponse().read()
    start = answer.index(START) + len(START)
    found = memoryview(answer)[start : answer.index(END, start)]
    image = pybase64.b64decode_as_bytearray(found, validate=True)
    path = f"/{os.environ['BUCKET_NAME']}/images/{uuid.uuid4()}.png"
    headers = _signed("PUT", s3_host, path, "s3", "UNSIGNED-PAYLOAD")
    s3.request("PUT", path, image, {**headers, "Content-Type": "image/png"})
    s3.getresponse().read()
    return {"statusCode": 200, "body": json.dumps({"artifacts": [{"url": _presigned(path)}]})}


def _signed(method: str, host: str, path: str, service: str, payload: str) -> dict[str, str]:
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    headers = {
        "host": host,
        "x-amz-content-sha256": payload,
        "x-amz-date": now,
        "x-amz-security-token": TOKEN,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    scope = f"{now[:8]}/{REGION}/{service}/aws4_request"
    canonical = f"{method}\n{quote(path)}\n\n{lines}\n{names}\n{payload}"
    credential = f"Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}"
    signature = _signature(now, scope, canonical)
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {credential}, Signature={signature}"}


def _presigned(path: str) -> str:
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    query = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in (
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", f"{ACCESS_KEY}/{scope}"),
            ("X-Amz-Date", now),
            ("X-Amz-Expires", "3600"),
            ("X-Amz-Security-Token", TOKEN),
            ("X-Amz-SignedHeaders", "host"),
        )
    )
    canonical = f"GET\n{quote(path)}\n{query}\nhost:{s3_host}\n\nhost\nUNSIGNED-PAYLOAD"
    return f"https://{s3_host}{path}?{query}&X-Amz-Signature={_signature(now, scope, canonical)}"


def _signature(now: str, scope: str, canonical: str) -> str:
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{_hash(canonical.encode())}"
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
