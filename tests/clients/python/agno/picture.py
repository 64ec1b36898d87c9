"""agno's toolkit for OpenAI: the function that agents call, called directly; it prints the image in base64."""

import base64
import sys

from agno.tools.openai import OpenAITools

result = OpenAITools(image_model="gpt-image-1").generate_image(sys.argv[1])
print(result.content)
if result.images:
    print(base64.b64encode(result.images[0].content).decode())
