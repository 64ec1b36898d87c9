"""LiteLLM's router with retries and a time-out of its own, in seconds; it prints the image in base64."""

import os
import sys

from litellm import Router

router = Router(
    model_list=[
        {
            "model_name": "gpt-image-1",
            "litellm_params": {
                "model": "openai/gpt-image-1",
                "api_base": os.environ["OPENAI_API_BASE"],
                "api_key": os.environ["OPENAI_API_KEY"],
                "timeout": float(sys.argv[2]),
            },
        }
    ],
    num_retries=2,
)
response = router.image_generation(prompt=sys.argv[1], model="gpt-image-1")
print(response.data[0].b64_json)
