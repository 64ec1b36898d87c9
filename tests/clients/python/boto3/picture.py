"""boto3: SDXL's example of the Amazon Bedrock user guide, cut down to its call; it prints the image in base64."""

import json
import sys

import boto3

bedrock = boto3.client(service_name="bedrock-runtime")
response = bedrock.invoke_model(
    modelId="stability.stable-diffusion-xl-v1",
    body=json.dumps(
        {
            "text_prompts": [{"text": sys.argv[1]}],
            "cfg_scale": 10,
            "seed": 0,
            "steps": 50,
            "samples": 1,
            "style_preset": "photographic",
        }
    ),
    accept="application/json",
    contentType="application/json",
)
print(json.loads(response["body"].read())["artifacts"][0]["base64"])
