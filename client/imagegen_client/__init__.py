"""The client of imagegen, a text-to-image HTTPS API: `Client`, `AsyncClient`, and what they return and raise.

    from imagegen_client import Client, ImageRequest

    with Client("https://API_ID.execute-api.REGION.amazonaws.com/v1", api_key) as client:
        made = client.generate(ImageRequest(prompt="a tea plantation", style_preset="photographic"))
        client.download(made, "tea.png")

The errors are in `imagegen_client.errors`. The names in `__all__` and that module keep their meaning between minor
versions; the other modules are the package's own.
"""

from imagegen_client.asynchronous import AsyncClient
from imagegen_client.client import Client, new_key
from imagegen_client.errors import (
    CallerError,
    Charged,
    FieldError,
    ImagegenError,
    OperatorError,
    ServiceError,
    WaitError,
)
from imagegen_client.image_request import ImageRequest, Prompt
from imagegen_client.repeating import Retries
from imagegen_client.replies import Artifact, Generation, HistoryPage, Model, Price, Usage, UsageDay
from imagegen_client.version import __version__

__all__ = [
    "Artifact",
    "AsyncClient",
    "CallerError",
    "Charged",
    "Client",
    "FieldError",
    "Generation",
    "HistoryPage",
    "ImageRequest",
    "ImagegenError",
    "Model",
    "OperatorError",
    "Price",
    "Prompt",
    "Retries",
    "ServiceError",
    "Usage",
    "UsageDay",
    "WaitError",
    "__version__",
    "new_key",
]
