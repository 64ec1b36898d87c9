"""stabilityai, a client of Stability's v1 REST API: the call of its description; it prints the image in base64."""

import asyncio
import sys

from stabilityai.client import AsyncStabilityClient


async def example() -> None:
    """Make one picture."""
    async with AsyncStabilityClient() as stability:
        results = await stability.text_to_image(text_prompt=sys.argv[1])
    print(results.artifacts[0].base64)


asyncio.run(example())
