"""`make smoke`: whether a deployed stage serves, as its callers see it. It is free, unless it shall make an image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from imagegen.http import surface
from local.certificates import trust
from operating import stage
from operating.sample import REQUEST
from stacks.stage import LOCAL_STAGE
from tools.checkout import CHECKOUT
from tools.failures import LocalError

SECONDS: Final = 120
"""How long one request may take; the gateway of a stage may wait for up to 29 seconds, or as long as its quota says."""
DOCUMENT: Final = surface.route_named("showOpenApi").path
HEALTH: Final = surface.route_named("showHealth").path
MODELS: Final = surface.route_named("listModels").path
IMAGES: Final = surface.route_named("createGeneration").path
_REFUSED: Final = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


def check(name: str, *, prove: str, environ: Mapping[str, str]) -> int:
    """Try the deployed stage, say what holds, and return 0; `prove` is the text of the variable PROVE.

    Raises:
        LocalError: the stage is not deployed, a variable is wrong, or the service does not serve as it should.
    """
    if prove not in {"", "1"}:
        raise LocalError(f"PROVE must be 1, to pay for an image, or be left out, not {prove!r}.")
    key = environ.get("API_KEY", "").strip()
    if prove and not key:
        raise LocalError(
            "PROVE=1 makes an image, and that needs an API key: set API_KEY to one of the stage."
        )
    url, authority = stage.address(name, environ=environ)
    with httpx.Client(
        base_url=url, verify=trust(authority), trust_env=name != LOCAL_STAGE, timeout=SECONDS
    ) as client:
        try:
            try_service(client, key=key, prove=bool(prove), say=print)
        except httpx.TransportError as error:
            raise LocalError(f"{url} cannot be reached: {type(error).__name__}: {error}.") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise LocalError(f"{url} cannot be asked: {error}.") from error
    return 0


def try_service(client: httpx.Client, *, key: str, prove: bool, say: Callable[[str], None]) -> None:
    """Try the service at the client's base URL, and say each thing that holds.

    Raises:
        LocalError: something does not hold.
    """
    _expect(client.get(HEALTH), what="The health check")
    say("The service replies.")
    served = _json(_expect(client.get(DOCUMENT), what="The API's document"))
    if served != json.loads((CHECKOUT / "lambda/imagegen/http/openapi.json").read_text(encoding="utf-8")):
        raise LocalError(
            "The stage serves another document of the API than this checkout has, so another release runs there."
        )
    say(f"It is this release, {served['info']['version']}.")
    status = client.get(MODELS).status_code
    if status not in _REFUSED:
        raise LocalError(f"A request without credentials got {status}; it must be refused with 401 or 403.")
    say("It refuses a request without credentials.")
    if not key:
        say("No API_KEY was given, so nothing was tried that needs one.")
        return
    headers = {"x-api-key": key}
    models = _json(_expect(client.get(MODELS, headers=headers), what="The list of models"))
    if not models.get("models"):
        raise LocalError("The stage has no model that serves.")
    count = len(models["models"])
    say(f"It accepts the API key, and has {count} model{'' if count == 1 else 's'}.")
    if prove:
        say(_make_image(client, headers=headers))


def _make_image(client: httpx.Client, *, headers: Mapping[str, str]) -> str:
    made = _json(_expect(client.post(IMAGES, json=REQUEST, headers=headers), what="The request for an image"))
    artifact = made["artifacts"][0]
    # The URL is absolute, and no header of this client goes to the bucket.
    image = _expect(client.get(artifact["url"]), what="The image's presigned URL")
    if hashlib.sha256(image.content).hexdigest() != artifact["sha256"]:
        raise LocalError("The image that was downloaded is not the one that the service described.")
    return f"{made['model']} made an image for ${made['cost_usd']}, and its URL opens: {made['id']}."


def _expect(response: httpx.Response, *, what: str) -> httpx.Response:
    if response.status_code == httpx.codes.OK:
        return response
    try:
        body = response.json()
    except ValueError:
        body = None
    said = body.get("detail") or body.get("message") if isinstance(body, dict) else None
    raise LocalError(f"{what} got {response.status_code}: {said or 'nothing that can be read'}")


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise LocalError(f"{response.url} did not reply with JSON.") from error
