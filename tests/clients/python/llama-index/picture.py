"""LlamaIndex's tool for OpenAI's images: the direct use of its description; it prints the image's URL."""

import os
import sys

from llama_index.tools.openai import OpenAIImageGenerationToolSpec

image_generation_tool = OpenAIImageGenerationToolSpec(api_key=os.environ["OPENAI_API_KEY"])
print(image_generation_tool.image_generation(text=sys.argv[1]))
