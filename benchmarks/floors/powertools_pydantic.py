"""Floor (d): Powertools and pydantic around (c), as blueprints do it, without a record."""

import base64
import json
import os
import uuid
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel, Field

logger = Logger(service="floor")
metrics = Metrics(namespace="floor", service="floor")
app = APIGatewayRestResolver()
bedrock = boto3.client("bedrock-runtime")
s3 = boto3.client("s3")


class Prompt(BaseModel):
    """A prompt and its weight."""

    text: str = Field(max_length=2000)
    weight: float = 1


class TextToImage(BaseModel):
    """The request."""

    text_prompts: list[Prompt] = Field(min_length=1, max_length=10)
    cfg_scale: float = Field(default=7, ge=0, le=35)
    seed: int = Field(default=0, ge=0, le=4294967295)
    steps: int = Field(default=30, ge=10, le=50)
    samples: int = 1
    style_preset: str | None = None


@app.post("/text-to-image")
def create() -> dict[str, Any]:
    """Make one image and return its URL."""
    request = TextToImage.model_validate(app.current_event.json_body)
    response = bedrock.invoke_model(
        modelId="stability.stable-diffusion-xl-v1", body=request.model_dump_json(exclude_none=True)
    )
    artifact = json.loads(response["body"].read())["artifacts"][0]
    image = base64.b64decode(artifact["base64"])
    place = {"Bucket": os.environ["BUCKET_NAME"], "Key": f"images/{uuid.uuid4()}.png"}
    s3.put_object(**place, Body=image, ContentType="image/png")
    url = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=3600)
    metrics.add_metric(name="ImagesGenerated", unit=MetricUnit.Count, value=1)
    logger.info("image generated", extra={"bytes": len(image)})
    return {"result": "success", "artifacts": [{"seed": artifact["seed"], "url": url}]}


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Serve one request."""
    return app.resolve(event, context)
