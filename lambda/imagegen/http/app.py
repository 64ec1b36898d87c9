"""The HTTP API: each route reads the request, makes one call and returns; one place turns errors into answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest, fingerprint
from imagegen.contracts.text_to_image import schema as text_to_image
from imagegen.errors import ImagegenError
from imagegen.generations.history import History
from imagegen.generations.submit import POLL_AFTER, Submission, Submitter
from imagegen.http import reply, serialize, surface
from imagegen.http.compat import RouteFunction, Shape, openai, stability
from imagegen.http.reply import Answer, error_headers
from imagegen.http.request import Request, cursor, generation_id, history_limit
from imagegen.http.surface import Route

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.exceptions import NotFoundError

    from imagegen.generations.generation import Generation
    from imagegen.generations.ports import Clock, Observer
    from imagegen.models.registry import ModelRef

Contract = Callable[[dict[str, Any]], GenerationRequest]
"""What turns a body's members into a request, or refuses them by name."""

CONTRACTS: Final[Mapping[str, Contract]] = {"text_to_image": text_to_image.parse}
"""The contract of each task that a route of our own may name."""

SHAPES: Final[Mapping[str, Callable[..., Shape]]] = {
    "openai": openai.OpenAI,
    "stability": stability.Stability,
}
"""Other people's shapes; each is made with `submitter`, `history` and `models`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The objects that the routes call; `wiring.py` makes them once for each process."""

    submitter: Submitter
    history: History
    models: Sequence[ModelRef]
    cors_origins: Sequence[str]
    webhooks: bool
    observer: Observer
    clock: Clock


def create_app(
    services: Services,
    *,
    routes: Sequence[Route] = surface.ROUTES,
    shapes: Mapping[str, Callable[..., Shape]] = SHAPES,
    contracts: Mapping[str, Contract] = CONTRACTS,
) -> APIGatewayRestResolver:
    """Return the resolver of every route over the services.

    Args:
        services: What the routes call.
        routes: The route table.
        shapes: The shapes that rows of the table may name, beside our own.
        contracts: The contract of each task that a row of the table may name.
    """
    own = OwnRoutes(services=services, contracts=contracts, routes=routes)
    others = {
        name: make(submitter=services.submitter, history=services.history, models=services.models)
        for name, make in shapes.items()
    }
    return _App(services, routes=routes, shapes={surface.OWN_SHAPE: own, **others}).resolver


class _App:
    """The resolver, and the one way of a request through it: event, request, route, answer."""

    def __init__(self, services: Services, *, routes: Sequence[Route], shapes: Mapping[str, Shape]) -> None:
        self.resolver = APIGatewayRestResolver(
            cors=_cors(services.cors_origins), strip_prefixes=[surface.BASE_PATH], debug=False
        )
        self._observer = services.observer
        self._varies = any(origin != "*" for origin in services.cors_origins)
        self._routes = routes
        self._shapes = shapes
        for route in routes:
            function = shapes[route.shape].functions[route.name]
            self.resolver.route(_pattern(route.path), method=route.method)(self._answering(route, function))
        self.resolver.not_found(self._no_route)

    def _answering(self, route: Route, function: RouteFunction) -> Callable[..., Response[Any]]:
        def respond(**path_parameters: str) -> Response[Any]:
            request = self._request(route)
            return self._respond(request, lambda: function(request, *path_parameters.values()))

        return respond

    def _no_route(self, _: NotFoundError) -> Response[Any]:
        unrouted = self._request(surface.NO_ROUTE)
        shape = surface.shape_at(unrouted.path, self._routes)
        request = replace(unrouted, route=replace(surface.NO_ROUTE, shape=shape))
        return self._respond(request, lambda: self._refuse_route(request))

    def _refuse_route(self, request: Request) -> NoReturn:
        allowed = _methods_at(request.path, self._routes)
        # The path has this method, but no route matched: the id has a character that no route accepts.
        if not allowed or request.method in allowed:
            if request.path.startswith(f"{surface.route_named('listGenerations').path}/"):
                raise errors.no_such_generation()
            raise errors.NotFound("There is no such path.")
        raise errors.MethodNotAllowed("The path does not have this method.", allow=tuple(allowed))

    def _request(self, route: Route) -> Request:
        event, context = self.resolver.current_event.raw_event, self.resolver.lambda_context
        return Request.from_event(event, context, route=route)

    def _respond(self, request: Request, make: Callable[[], Answer]) -> Response[Any]:
        problem = self._shapes[request.route.shape].problem
        try:
            answer = make()
        except ImagegenError as exc:
            answer = problem(exc, request)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the client gets a problem and the log the reason
            self._observer.defect(exc)
            answer = problem(errors.InternalError("The service has a defect that this request met."), request)
        return reply.response(answer, request, varies=self._varies)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoutes:
    """The routes of our own, in the shape of our own."""

    services: Services
    contracts: Mapping[str, Contract]
    routes: Sequence[Route]

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """What answers each route, by its name; one function serves every route that makes an image."""
        return {
            **{route.name: self.create_generation for route in self.routes if route.task},
            "listGenerations": self.list_generations,
            "showGeneration": self.show_generation,
            "redirectToImage": self.redirect_to_image,
            "deleteGeneration": self.delete_generation,
            "listModels": self.list_models,
            "showHealth": self.show_health,
            "showOpenApi": self.show_openapi,
        }

    def problem(self, error: ImagegenError, request: Request) -> Answer:
        """Return an error as an RFC 9457 problem."""
        body = serialize.problem(error, request_id=request.request_id)
        headers = error_headers(error)
        return reply.answer(error.kind.status, body, content_type=reply.PROBLEM, headers=headers)

    def create_generation(self, request: Request) -> Answer:
        """Answer the image, or with `Prefer: respond-async` where it will be."""
        owner, key, asynchronous = request.owner, request.idempotency_key, request.prefers_async
        asked = self.contracts[request.route.task](request.members(request.route.max_body))
        self._check_webhook(asked.webhook_url, asynchronous=asynchronous)
        submission = self.services.submitter.submit(
            asked,
            owner=owner,
            fingerprint=fingerprint(asked),
            key=key,
            asynchronous=asynchronous,
            deadline=request.deadline,
        )
        return self._submitted(submission)

    def list_generations(self, request: Request) -> Answer:
        """Answer one page of the caller's own history, newest first."""
        owner = request.owner
        limit = history_limit(request.query.get("limit", ()))
        position = cursor(request.query.get("cursor", ()))
        page = self.services.history.page(owner=owner, limit=limit, cursor=position)
        shown = [self._shown(generation, request) for generation in page.generations]
        return reply.answer(200, serialize.history(shown, next_cursor=page.next_cursor))

    def show_generation(self, request: Request, id_: str) -> Answer:
        """Answer status and result, with a fresh URL."""
        return reply.answer(200, self._shown(self._found(request, id_), request, look=True))

    def redirect_to_image(self, request: Request, id_: str) -> Answer:
        """Redirect to a fresh URL."""
        generation = self._found(request, id_)
        if generation.state == "failed":
            reason = surface.spoken("showGeneration", id=generation.id)
            raise errors.NotFound(f"The generation failed; {reason} says why.")
        if generation.state != "succeeded":
            raise errors.in_progress(generation.id, retry_after=POLL_AFTER)
        self.services.history.require_image(generation)
        signed = self.services.history.url(generation)
        return Answer(status=302, headers={"Location": signed.url})

    def delete_generation(self, request: Request, id_: str) -> Answer:
        """Remove image and record."""
        owner = request.owner
        self.services.history.delete(generation_id(id_), owner=owner)
        return Answer(status=204)

    def list_models(self, _: Request) -> Answer:
        """Answer what is enabled here."""
        return reply.answer(
            200, serialize.models(self.services.models, today=self.services.clock.now().date())
        )

    def show_health(self, _: Request) -> Answer:
        """Answer that the function runs and is configured; touches nothing."""
        return reply.answer(200, serialize.health())

    def show_openapi(self, _: Request) -> Answer:
        """Answer this API's description, which is the same for every deployment and every caller."""
        headers = {"Cache-Control": "public, max-age=300"}
        return Answer(status=200, body=_document(), content_type=reply.JSON, headers=headers)

    def _check_webhook(self, url: str | None, *, asynchronous: bool) -> None:
        if url is None:
            return
        if not self.services.webhooks:
            raise errors.invalid("webhook_url", "is not enabled in this deployment")
        if not asynchronous:
            raise errors.invalid("webhook_url", "needs the header Prefer: respond-async")

    def _found(self, request: Request, id_: str) -> Generation:
        # The owner first: whoever is nobody learns nothing about ids.
        owner = request.owner
        return self.services.history.look_up(generation_id(id_), owner=owner)

    def _submitted(self, submission: Submission) -> Answer:
        generation = submission.generation
        headers = reply.REPLAYED if submission.replayed else {}
        if not generation.terminal:
            waiting = {
                "Location": surface.generation_path(generation.id),
                "Retry-After": str(POLL_AFTER),
                "Preference-Applied": "respond-async",
            }
            return reply.answer(202, serialize.accepted(generation), headers={**headers, **waiting})
        if submission.replayed:
            self.services.history.require_image(generation)
        signed = self.services.history.url(generation)
        return reply.answer(200, serialize.succeeded(generation, signed), headers=headers)

    def _shown(
        self, generation: Generation, request: Request, *, look: bool = False
    ) -> serialize.GenerationDetailBody:
        if generation.state != "succeeded":
            return serialize.full(generation, None, request_id=request.request_id)
        if look:
            self.services.history.require_image(generation)
        signed = self.services.history.url(generation)
        return serialize.full(generation, signed, request_id=request.request_id)


@cache
def _document() -> str:
    return Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origin=origins[0],
        extra_origins=list(origins[1:]),
        allow_headers=list(surface.SENT_HEADERS),
        expose_headers=list(surface.EXPOSED_HEADERS),
        max_age=600,
    )


def _pattern(path: str) -> str:
    return re.sub(r"\{(\w+)\}", r"<\1>", path)


def _methods_at(path: str, routes: Sequence[Route]) -> list[str]:
    return sorted(
        route.method for route in routes if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path) + "/*", path)
    )
