"""Haystack's component: its own usage example; it prints the image in base64."""

import sys

from haystack.components.generators import OpenAIImageGenerator

image_generator = OpenAIImageGenerator()
response = image_generator.run(sys.argv[1])
print(response["images"][0])
