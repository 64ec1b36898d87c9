"""The version of the client, which is that of the service whose checkout it comes from."""

from typing import Final

__version__: Final = "0.1.0"
