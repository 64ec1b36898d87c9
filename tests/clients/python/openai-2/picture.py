"""OpenAI's Python package: the call of its guide to image generation; it prints the image in base64."""

import sys

from openai import OpenAI

client = OpenAI()
result = client.images.generate(model="gpt-image-1", prompt=sys.argv[1])
print(result.data[0].b64_json)
