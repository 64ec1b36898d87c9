"""The request that commands send to see how a stage replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

REQUEST: Final[Mapping[str, Any]] = {"text_prompts": [{"text": "a lighthouse at dusk"}]}
"""For one image."""
