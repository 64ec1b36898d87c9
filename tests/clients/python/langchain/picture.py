"""LangChain's wrapper for OpenAI's images: the call of its page; it prints the image's URL."""

import sys

from langchain_community.utilities.dalle_image_generator import DallEAPIWrapper

print(DallEAPIWrapper().run(sys.argv[1]))
