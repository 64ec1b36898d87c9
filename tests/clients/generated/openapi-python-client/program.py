"""Uses the package that openapi-python-client generated, `generated_imagegen`, and prints what it returned."""

import hashlib
import json
import os
import ssl
import uuid
from typing import Any

import attrs
import httpx
from generated_imagegen import AuthenticatedClient
from generated_imagegen.api.generations import create_generation, redirect_to_image
from generated_imagegen.api.open_ai import create_open_ai_images
from generated_imagegen.models import (
    Generation,
    OpenAIImages,
    OpenAIImagesRequest,
    ProblemReply,
    ProblemReplyCode,
    Prompt,
    TextToImageRequest,
    TextToImageRequestStylePreset,
)
from generated_imagegen.types import Unset

TRUST = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
CLIENT = AuthenticatedClient(
    base_url=os.environ["IMAGEGEN_URL"],
    token=os.environ["IMAGEGEN_KEY"],
    verify_ssl=TRUST,
    timeout=httpx.Timeout(120),
)


def body(*, steps: int = 50) -> TextToImageRequest:
    """Return a request with fields of several types."""
    return TextToImageRequest(
        text_prompts=[Prompt(text="Sri lanka tea plantation.")],
        steps=steps,
        style_preset=TextToImageRequestStylePreset.PHOTOGRAPHIC,
    )


def made(answer: object) -> dict[str, Any]:
    """Return the members of a generation, and the digest of its image."""
    assert isinstance(answer, Generation), answer
    (artifact,) = answer.artifacts
    image = httpx.get(artifact.url, verify=TRUST).raise_for_status().content
    return {
        "id": answer.id,
        "status": answer.status,
        "created_in": answer.created_at.year,
        "size": [artifact.width, artifact.height],
        "sha256": artifact.sha256,
        "downloaded": hashlib.sha256(image).hexdigest(),
    }


def refused(answer: object) -> dict[str, Any]:
    """Return the members of a problem."""
    assert isinstance(answer, ProblemReply), answer
    assert isinstance(answer.code, ProblemReplyCode)
    fields = [] if isinstance(answer.errors, Unset) else [error.field for error in answer.errors]
    return {"code": answer.code.value, "status": answer.status, "fields": fields}


safe = CLIENT.with_headers({"Idempotency-Key": str(uuid.uuid4())})
first = made(create_generation.sync(client=safe, body=body()))
images = create_open_ai_images.sync(client=CLIENT, body=OpenAIImagesRequest(prompt="tea", n=1))
assert isinstance(images, OpenAIImages), images
link = redirect_to_image.sync_detailed(client=CLIENT, id=first["id"])
wrong = attrs.evolve(CLIENT, token="not-a-key-0123456789")
print(
    json.dumps(
        {
            "made": first,
            "repeated": made(create_generation.sync(client=safe, body=body())),
            "redirect": [link.status_code, link.headers["location"].startswith("http")],
            "images": len(images.data),
            "bad_steps": refused(create_generation.sync(client=CLIENT, body=body(steps=5))),
            "wrong_key": refused(create_generation.sync(client=wrong, body=body())),
        }
    )
)
