"""Calls the stand-in as a client does."""

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
)
from PIL import Image

from local.bedrock.catalogue import MODELS
from local.bedrock.refusals import STATUS_OF
from local.bedrock.stand_in import StandIn

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

CHECKOUT = Path(__file__).parents[2]
SDXL = "stability.stable-diffusion-xl-v1"
CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
SD35 = "stability.sd3-5-large-v1:0"
FAMILY = [CORE, ULTRA, SD35]
RETIRED = [model.id for model in MODELS.values() if model.end_of_life]
PROVISIONED = "arn:aws:bedrock:us-west-2:123456789012:provisioned-model/abcdef123456"
TEXT = [{"text": "Sri lanka tea plantation."}]
SEED_DOCUMENT_BODY = {
    "text_prompts": TEXT,
    "cfg_scale": 10,
    "seed": 0,
    "steps": 50,
    "samples": 1,
    "style_preset": "photographic",
}
MODELLED = sorted(set(STATUS_OF) - {"ModelStreamErrorException"})


def client_of(
    stand_in: StandIn, *, verify: str | None = None, read_timeout: float = 60
) -> "BedrockRuntimeClient":
    """Return a client that sends each call once."""
    client: BedrockRuntimeClient = boto3.client(
        "bedrock-runtime",
        endpoint_url=stand_in.url,
        region_name="us-west-2",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        verify=verify,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, connect_timeout=60),
    )
    return client


def invoke(client: "BedrockRuntimeClient", model: str, body: Any) -> Any:
    """Call a model, and return its parsed answer."""
    raw = body if isinstance(body, bytes | str) else json.dumps(body)
    return json.loads(client.invoke_model(modelId=model, body=raw)["body"].read())


def refusal(client: "BedrockRuntimeClient", model: str, body: Any) -> Any:
    """Call a model, and return the error that the call ends with."""
    with pytest.raises(ClientError) as caught:
        invoke(client, model, body)
    return caught.value


def sdxl(**members: Any) -> dict[str, Any]:
    """Return a minimal SDXL body, with these fields added or replaced."""
    return {"text_prompts": TEXT, **members}


def core(**members: Any) -> dict[str, Any]:
    """Return a minimal body of the Stable Image family, with these fields added or replaced."""
    return {"prompt": "Sri lanka tea plantation.", "seed": 7, **members}


def picture(text: str) -> Image.Image:
    """Return the picture that a base64 text holds."""
    image = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
    image.load()
    return image


def eventually(true: Callable[[], bool]) -> None:
    """Wait until `true` returns true, for at most two minutes."""
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
