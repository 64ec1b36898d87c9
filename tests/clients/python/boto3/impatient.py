"""boto3 with a time-out of its own, in seconds; it prints the image in base64."""

import json
import sys

import boto3
from botocore.config import Config

bedrock = boto3.client(service_name="bedrock-runtime", config=Config(read_timeout=float(sys.argv[2])))
response = bedrock.invoke_model(
    modelId="stability.stable-diffusion-xl-v1",
    body=json.dumps({"text_prompts": [{"text": sys.argv[1]}]}),
    accept="application/json",
    contentType="application/json",
)
print(json.loads(response["body"].read())["artifacts"][0]["base64"])
