"""The HTTP API: each route reads the request, makes one call and returns; one mapper turns errors into problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response

from imagegen import errors
from imagegen.contracts.generation_request import fingerprint
from imagegen.contracts.text_to_image import schema
from imagegen.errors import ImagegenError
from imagegen.generations.history import History
from imagegen.generations.submit import POLL_AFTER, Submission, Submitter
from imagegen.http import request as parameters
from imagegen.http import serialize
from imagegen.http.compat_routes import CompatibilityRoutes
from imagegen.http.reply import BASE_PATH, Answer, Exchange

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.exceptions import NotFoundError

    from imagegen.generations.generation import Generation
    from imagegen.generations.ports import Clock, Observer
    from imagegen.models.registry import ModelRef

Route = Callable[..., Answer]

EXPOSED_HEADERS: Final = (
    "Location",
    "Retry-After",
    "Preference-Applied",
    "Idempotent-Replayed",
    "X-Request-Id",
    "Allow",
    "Finish-Reason",
    "Seed",
)
_ALLOWED: Final = ["Content-Type", "X-Api-Key", "Idempotency-Key", "Prefer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes call; made once a process by `wiring.py`."""

    submitter: Submitter
    history: History
    models: Sequence[ModelRef]
    cors_origins: Sequence[str]
    webhooks: bool
    observer: Observer
    clock: Clock


class Api:
    """The routes over one set of services, and which methods each path has."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.resolver = APIGatewayRestResolver(
            cors=_cors(services.cors_origins), strip_prefixes=[BASE_PATH], debug=False
        )
        self.exchange = Exchange(self.resolver, varies=any(origin != "*" for origin in services.cors_origins))
        self.compat = CompatibilityRoutes(
            exchange=self.exchange,
            submitter=services.submitter,
            history=services.history,
            models=services.models,
        )
        self.methods: dict[str, list[str]] = {}
        self._register()

    # -- the routes ------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        self._route("POST", "/text-to-image", self.create_generation)
        self._route("GET", "/generations", self.list_generations)
        self._route("GET", "/generations/<id_>", self.show_generation)
        self._route("GET", "/generations/<id_>/image", self.redirect_to_image)
        self._route("DELETE", "/generations/<id_>", self.delete_generation)
        self._route("GET", "/models", self.list_models)
        self._route("GET", "/health", self.show_health)
        self._route("GET", "/openapi.json", self.show_openapi)
        self._route("POST", "/images/generations", self.compat.create_openai_images)
        self._route("POST", "/generation/<engine_id>/text-to-image", self.compat.create_stability_image)
        self._route("GET", "/engines/list", self.compat.list_engines)
        self.resolver.exception_handler(ImagegenError)(self._problem)
        self.resolver.exception_handler(Exception)(self._defect)
        self.resolver.not_found(self._no_route)

    def _route(self, method: str, path: str, route: Route) -> None:
        self.resolver.route(path, method=method)(route)
        self.methods.setdefault(path, []).append(method)

    def create_generation(self) -> Answer:
        """POST /text-to-image: the image, or with `Prefer: respond-async` where it will be."""
        owner, key = self.exchange.owner, self.exchange.idempotency_key
        asynchronous = parameters.prefers_async(self.exchange.headers("prefer"))
        request = schema.parse(self.exchange.members())
        self._check_webhook(request.webhook_url, asynchronous=asynchronous)
        submission = self.services.submitter.submit(
            request,
            owner=owner,
            fingerprint=fingerprint(request),
            key=key,
            asynchronous=asynchronous,
            deadline=self.exchange.deadline(),
        )
        return self._submitted(submission)

    def list_generations(self) -> Answer:
        """GET /generations: the caller's own history, newest first."""
        owner = self.exchange.owner
        limit = parameters.history_limit(self.exchange.query("limit"))
        cursor = parameters.cursor(self.exchange.query("cursor"))
        page = self.services.history.page(owner=owner, limit=limit, cursor=cursor)
        shown = [self._shown(generation) for generation in page.generations]
        return self.exchange.answer(200, {"generations": shown, "next_cursor": page.next_cursor})

    def show_generation(self, id_: str) -> Answer:
        """GET /generations/{id}: status and result, with a fresh URL."""
        return self.exchange.answer(200, self._shown(self._found(id_), look=True))

    def redirect_to_image(self, id_: str) -> Answer:
        """GET /generations/{id}/image: 302 to a fresh URL."""
        generation = self._found(id_)
        if generation.state == "failed":
            raise errors.NotFound(f"The generation failed; GET /v1/generations/{generation.id} says why.")
        if generation.state != "succeeded":
            raise errors.in_progress(generation.id, retry_after=POLL_AFTER)
        self.services.history.require_image(generation)
        signed = self.services.history.url(generation)
        return self.exchange.answer(302, headers={"Location": signed.url})

    def delete_generation(self, id_: str) -> Answer:
        """DELETE /generations/{id}: removes image and record."""
        owner = self.exchange.owner
        self.services.history.delete(parameters.generation_id(id_), owner=owner)
        return self.exchange.answer(204)

    def list_models(self) -> Answer:
        """GET /models: what is enabled here."""
        shown = serialize.models(self.services.models, today=self.services.clock.now().date())
        return self.exchange.answer(200, shown)

    def show_health(self) -> Answer:
        """GET /health: that the function runs and is configured; needs no key and touches nothing."""
        return self.exchange.answer(200, {"status": "ok"})

    def show_openapi(self) -> Answer:
        """GET /openapi.json: this API, described; needs no key."""
        from imagegen.http.openapi import served  # noqa: PLC0415 - start-up need not pay for what few requests want

        return Response(
            status_code=200,
            content_type="application/json",
            body=served(),
            headers=self.exchange.common({"Cache-Control": "public, max-age=300"}),
        )

    # -- from the use case to an answer ----------------------------------------------------------------------------

    def _check_webhook(self, url: str | None, *, asynchronous: bool) -> None:
        if url is None:
            return
        if not self.services.webhooks:
            raise errors.invalid("webhook_url", "is not enabled in this deployment")
        if not asynchronous:
            raise errors.invalid("webhook_url", "needs the header Prefer: respond-async")

    def _found(self, id_: str) -> Generation:
        owner = self.exchange.owner
        return self.services.history.look_up(parameters.generation_id(id_), owner=owner)

    def _submitted(self, submission: Submission) -> Answer:
        generation = submission.generation
        headers = {"Idempotent-Replayed": "true"} if submission.replayed else {}
        if not generation.terminal:
            headers |= {
                "Location": f"{BASE_PATH}/generations/{generation.id}",
                "Retry-After": str(POLL_AFTER),
                "Preference-Applied": "respond-async",
            }
            return self.exchange.answer(202, serialize.accepted(generation), headers=headers)
        if submission.replayed:
            self.services.history.require_image(generation)
        signed = self.services.history.url(generation)
        return self.exchange.answer(200, serialize.succeeded(generation, signed), headers=headers)

    def _shown(self, generation: Generation, *, look: bool = False) -> dict[str, Any]:
        request_id = self.exchange.request_id
        if generation.state != "succeeded":
            return serialize.full(generation, None, request_id=request_id)
        if look:
            self.services.history.require_image(generation)
        signed = self.services.history.url(generation)
        return serialize.full(generation, signed, request_id=request_id)

    # -- the one mapper --------------------------------------------------------------------------------------------

    def _problem(self, error: ImagegenError) -> Answer:
        in_their_shape = self.compat.problem(error)
        if in_their_shape is not None:
            return in_their_shape
        body = serialize.problem(error, request_id=self.exchange.request_id)
        return self.exchange.problem(error, body, content_type="application/problem+json")

    def _defect(self, exc: Exception) -> Answer:
        self.services.observer.defect(exc)
        return self._problem(errors.InternalError("The request met a defect of the service."))

    def _no_route(self, _: NotFoundError) -> Answer:
        path = self.exchange.path
        allowed = _allowed(path, self.methods)
        # The method is there and yet no route: the id has a character that no route takes.
        if not allowed or self.exchange.method in allowed:
            if path.startswith("/generations/"):
                return self._problem(errors.no_such_generation())
            return self._problem(errors.NotFound("There is no such path."))
        return self._problem(
            errors.MethodNotAllowed("The path does not have this method.", allow=tuple(allowed))
        )


def create_app(services: Services) -> APIGatewayRestResolver:
    """Return the resolver of every route over the services."""
    return Api(services).resolver


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origin=origins[0],
        extra_origins=list(origins[1:]),
        allow_headers=_ALLOWED,
        expose_headers=list(EXPOSED_HEADERS),
        max_age=600,
    )


def _allowed(path: str, methods: Mapping[str, Sequence[str]]) -> list[str]:
    return sorted(
        method
        for pattern, own in methods.items()
        if re.fullmatch(re.sub(r"<\w+>", "[^/]+", pattern) + "/*", path)
        for method in own
    )
