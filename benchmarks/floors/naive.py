"""Floor (c): the code of a ten-line sample. It checks nothing, stores no record, and decodes base64 loosely."""

import base64
import json
import os
import uuid
from typing import Any

import boto3

bedrock = boto3.client("bedrock-runtime")
s3 = boto3.client("s3")


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Make one image and return its URL."""
    response = bedrock.invoke_model(modelId="stability.stable-diffusion-xl-v1", body=event["body"])
    artifact = json.loads(response["body"].read())["artifacts"][0]
    image = base64.b64decode(artifact["base64"])
    place = {"Bucket": os.environ["BUCKET_NAME"], "Key": f"images/{uuid.uuid4()}.png"}
    s3.put_object(**place, Body=image, ContentType="image/png")
    url = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=3600)
    body = {"result": "success", "artifacts": [{"seed": artifact["seed"], "url": url}]}
    return {"statusCode": 200, "body": json.dumps(body)}
