"""crewai's tool for images: the tool of its page, called as an agent calls it; it prints the image's URL."""

import json
import sys

from crewai_tools import DallETool

dalle_tool = DallETool(model="dall-e-3", size="1024x1024", quality="standard", n=1)
result = dalle_tool.run(image_description=sys.argv[1])
print(json.loads(result)["image_url"])
