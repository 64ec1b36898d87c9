"""Semantic Kernel's service for images: the call of its description; it prints the image in base64."""

import asyncio
import sys

from semantic_kernel.connectors.ai.open_ai import OpenAITextToImage


async def main() -> None:
    """Make one picture."""
    service = OpenAITextToImage(ai_model_id="gpt-image-1")
    images = await service.generate_images(sys.argv[1])
    print(images[0])


asyncio.run(main())
