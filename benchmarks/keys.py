"""Puts an API key into the stand-in's table, and makes the events that API Gateway sends the authorizer."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from benchmarks.contenders import REGION, SETTINGS
from benchmarks.fleet import Fleet
from imagegen.adapters.key_table.items import item_of
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey


def store_key(fleet: Fleet) -> ApiKey:
    """Store a new key in the table, and return it."""
    key = ApiKey.create(secrets.token_bytes)
    item = item_of(StoredKey.of(key, name="benchmark", now=datetime.now(UTC), limits={}))
    fleet.services.post(
        "/",
        headers={"X-Amz-Target": "DynamoDB_20120810.PutItem"},
        content=json.dumps(
            {
                "TableName": SETTINGS["KEY_TABLE_NAME"],
                "Item": item,
                "ConditionExpression": "attribute_not_exists(id)",
            }
        ),
    ).raise_for_status()
    return key


def authorizer_event(key: ApiKey | None) -> dict[str, Any]:
    """Return the authorizer's event for a request with this key, or with a key that no table holds."""
    sent = {"Host": "api.example", "x-api-key": (key or ApiKey.create(secrets.token_bytes)).text}
    return {
        "type": "REQUEST",
        "methodArn": f"arn:aws:execute-api:{REGION}:123456789012:api/v1/POST/text-to-image",
        "resource": "/{proxy+}",
        "path": "/text-to-image",
        "httpMethod": "POST",
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "requestContext": {"stage": "v1", "requestId": "request"},
    }
