"""Requests and replies of AWS that have every member that botocore's description of a shape allows."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from local.bedrock.event_stream import chunk, failure
from tests.support.far_side import answer

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.model import Shape

MOMENT: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
NAMED: Final[Mapping[str, str]] = {
    "Bucket": "pictures",
    "ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg==",
    "QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/jobs",
    "SSECustomerKey": "k" * 32,
    "TableName": "generations",
    "modelId": "stability.stable-image-core-v1:1",
    "modelIdentifier": "stability.stable-image-core-v1:1",
}
"""Members that botocore looks into."""
_DEPTH: Final = 4
_SCALARS: Final[Mapping[str, object]] = {"boolean": True, "double": 0.5, "float": 0.5, "timestamp": MOMENT}


def sample(shape: Any, name: str = "", *, depth: int = 0) -> Any:
    """Return a value of a shape, as a caller gives it; `name` is that of the member."""
    deep = depth >= _DEPTH
    match shape.type_name:
        case "structure":
            given = _members(shape, required=deep)
            value: Any = {member: sample(inner, member, depth=depth + 1) for member, inner in given}
        case "list":
            value = [] if deep else [sample(shape.member, name, depth=depth + 1)]
        case "map":
            value = {} if deep else {"a": sample(shape.value, depth=depth + 1)}
        case "string" | "character":
            default = (shape.metadata.get("enum") or ["text".ljust(shape.metadata.get("min", 1), "x")])[0]
            value = NAMED.get(name, default)
        case "integer" | "long":
            value = shape.metadata.get("min", 7)
        case other:
            value = _SCALARS.get(other, b"bytes")
    return value


def full_reply(shape: Shape | None, *, protocol: str, status: int = 200, error: str = "") -> dict[str, Any]:
    """Return status, body and headers of a reply that has every member of a shape; `error` is the code of an error."""
    headers = {"x-amzn-requestid": "id-1", "x-amz-request-id": "id-1"}
    members: dict[str, Any] = {}
    body = b""
    for name, member in getattr(shape, "members", {}).items():
        serialization = member.serialization
        wire = serialization.get("name", name)
        location = serialization.get("location")
        if location == "headers":
            headers[f"{wire}a"] = "text"
        elif location == "header" and wire != "Content-Length":
            headers[wire] = _header(member)
        elif location != "statusCode" and member.type_name == "blob" and _is_payload(shape, name):
            body = b"the whole body"
        elif serialization.get("eventstream"):
            body = chunk(b"part") + failure("throttlingException", "slower")
        elif location is None:
            members[wire] = _plain(sample(member, name))
    if error and protocol == "rest-xml":
        texts = "".join(f"<{name}>text</{name}>" for name in members if name not in {"Code", "Message"})
        body = f"<Error><Code>{error}</Code><Message>why</Message>{texts}</Error>".encode()
    elif error:
        headers["x-amzn-errortype"] = error
        headers["x-amzn-query-error"] = f"{error};Sender"
        body = json.dumps({"message": "why", **members, "__type": f"com.amazonaws#{error}"}).encode()
    elif not body:
        body = json.dumps(members).encode() if protocol != "rest-xml" else b""
    return {"status": status, "body": body, "headers": headers}


def reply_of(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> AWSResponse:
    """Return a reply as it arrives."""
    return answer(status, body, headers)


def _members(shape: Any, *, required: bool) -> list[tuple[str, Shape]]:
    members = list(shape.members.items())
    # Of a union, a caller gives one member. DynamoDB's values are one, although they do not say so.
    if shape.is_tagged_union or shape.name == "AttributeValue":
        return members[:1]
    return [each for each in members if not required or each[0] in shape.required_members]


def _is_payload(shape: Any, name: str) -> bool:
    return bool(shape.serialization.get("payload") == name)


def _header(shape: Shape) -> str:
    value = sample(shape)
    if shape.type_name == "timestamp":
        return "Sun, 29 Nov 2026 12:00:00 GMT"
    return str(value).lower() if shape.type_name == "boolean" else str(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.timestamp() if isinstance(value, datetime) else value
