"""LiteLLM: the call of its page on image generation; it prints the image in base64."""

import sys

from litellm import image_generation

response = image_generation(prompt=sys.argv[1], model="gpt-image-1")
print(response.data[0].b64_json)
