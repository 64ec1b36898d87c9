"""Records that the adapters' tests share: a queued one, its next version, and one that has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.generations.generation import Generation

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"

RECORD = Generation(
    id="gen_" + "a" * 26,
    owner="alice",
    fingerprint="fingerprint",
    request=GenerationRequest(task=TextToImage(text_prompts=(Prompt(text="tea \N{HOT BEVERAGE}"),), seed=7)),
    asynchronous=True,
    created_at=NOW,
    expires_at=NOW + timedelta(days=30),
    state="queued",
    version="first",
    claim="first",
    quota_day="2026-11-25",
    due_at=NOW + timedelta(seconds=120),
)
NEXT = replace(RECORD, state="running", version="second")
ENDED = replace(
    RECORD,
    request=replace(RECORD.request, webhook_url="https://hooks.example/done"),
    state="succeeded",
    version="last",
    due_at=None,
)
