"""OpenAI's Python package with a time-out of its own, in seconds; it prints the image in base64."""

import sys

from openai import OpenAI

client = OpenAI(timeout=float(sys.argv[2]))
result = client.images.generate(model="gpt-image-1", prompt=sys.argv[1])
print(result.data[0].b64_json)
