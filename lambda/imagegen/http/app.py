"""The HTTP API: each route reads the request, makes one call and returns; one place turns errors into replies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response

from imagegen import errors
from imagegen.contracts import webhook_urls
from imagegen.contracts.generation_request import GenerationRequest, fingerprint
from imagegen.contracts.text_to_image import reading as text_to_image
from imagegen.errors import ImagegenError
from imagegen.generations.history import History
from imagegen.generations.submit import POLL_AFTER, Submission, Submitter
from imagegen.http import model_bodies, problems, reply, serialize, surface
from imagegen.http.compat import RouteFunction, Shape, bedrock, openai, stability
from imagegen.http.reply import Reply, error_headers
from imagegen.http.request import (
    Request,
    below_base,
    check_query,
    cursor,
    download_name,
    generation_id,
    history_limit,
    usage_days,
)
from imagegen.http.surface import Route

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.exceptions import NotFoundError
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from imagegen.generations.generation import Generation
    from imagegen.generations.ports import Clock, Observer
    from imagegen.models.registry import ModelRef

Contract = Callable[[dict[str, Any]], GenerationRequest]
"""Returns the generation request that a body's members describe, or raises an error that names the wrong ones."""

CONTRACTS: Final[Mapping[str, Contract]] = {"text_to_image": text_to_image.parse}
"""The contract of each task that a route of our own may name."""

SHAPES: Final[Mapping[str, Callable[..., Shape]]] = {
    "bedrock": bedrock.Bedrock,
    "openai": openai.OpenAI,
    "stability": stability.Stability,
}
"""The shapes of other APIs; each is constructed with `submitter`, `history` and `models`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The objects that the routes call; `wiring.py` makes them once for each process."""

    submitter: Submitter
    history: History
    models: Sequence[ModelRef]
    cors_origins: Sequence[str]
    webhooks: bool
    owner_salt: str
    observer: Observer
    clock: Clock
    openai_model_aliases: Sequence[str] = ()
    webhook_loopback: bool = False


def create_app(
    services: Services,
    *,
    routes: Sequence[Route] = surface.ROUTES,
    shapes: Mapping[str, Callable[..., Shape]] = SHAPES,
    contracts: Mapping[str, Contract] = CONTRACTS,
) -> APIGatewayRestResolver:
    """Return the resolver that serves every route.

    Args:
        services: What the routes call.
        routes: The route table.
        shapes: The shapes that a row of the table may name, besides our own.
        contracts: The contract of each task that a row of the table may name.
    """
    own = OwnRoutes(services=services, contracts=contracts, routes=routes)
    others = {
        name: make(
            submitter=services.submitter,
            history=services.history,
            models=services.models,
            **_settings_of(name, services),
        )
        for name, make in shapes.items()
    }
    return _App(services, routes=routes, shapes={surface.OWN_SHAPE: own, **others}).resolver


class _Resolver(APIGatewayRestResolver):
    """Finds routes by the path below the base path, and keeps its event out of other resolvers' sight.

    Powertools keeps the event and its context in attributes of a class, where a resolver in another thread would
    replace them. A resolver itself serves one request at a time.
    """

    _event: APIGatewayProxyEvent
    _lambda_context: LambdaContext

    def __init__(self, *, cors: CORSConfig | None) -> None:
        # `debug` is given, because Powertools would otherwise let POWERTOOLS_DEV show tracebacks to clients.
        super().__init__(cors=cors, debug=False)

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        """Serve an event."""
        # `strip_prefixes` would do this with less care: it would serve /v1/v1/models as /v1/models.
        own = {**event, "path": below_base(event)}
        self._event = cast("APIGatewayProxyEvent", self._to_proxy_event(own))
        self._lambda_context = context
        return super().resolve(own, context)

    @property
    def current_event(self) -> APIGatewayProxyEvent:  # type: ignore[override]  # an attribute there
        """The event that this resolver serves."""
        return self._event

    @property
    def lambda_context(self) -> LambdaContext:  # type: ignore[override]  # likewise
        """Its context."""
        return self._lambda_context


def _settings_of(shape: str, services: Services) -> Mapping[str, Any]:
    """Return the settings that only this shape has."""
    return {"aliases": services.openai_model_aliases} if shape == "openai" else {}


class _App:
    """Takes every request the same way: from the event to a `Request`, to the route's function, to the reply."""

    def __init__(self, services: Services, *, routes: Sequence[Route], shapes: Mapping[str, Shape]) -> None:
        self.resolver = _Resolver(cors=_cors(services.cors_origins))
        self._observer = services.observer
        self._owner_salt = services.owner_salt
        # Also with `*`: the headers name the origin that asks, and a request without one gets none.
        self._varies = bool(services.cors_origins)
        self._routes = routes
        self._shapes = shapes
        for route in routes:
            function = shapes[route.shape].functions[route.name]
            self.resolver.route(_pattern(route.path), method=list(route.methods))(
                self._serve(route, function)
            )
        self.resolver.not_found(self._no_route)

    def _serve(self, route: Route, function: RouteFunction) -> Callable[..., Response[Any]]:
        def respond(**path_parameters: str) -> Response[Any]:
            return self._respond(
                route, lambda request: function(_checked(request), *path_parameters.values())
            )

        return respond

    def _no_route(self, _: NotFoundError) -> Response[Any]:
        # A client of another API that took a wrong path reads the refusal in its own shape.
        path = below_base(self.resolver.current_event.raw_event)
        route = replace(surface.NO_ROUTE, shape=surface.shape_at(path, self._routes))
        return self._respond(route, self._refuse_route)

    def _refuse_route(self, request: Request) -> NoReturn:
        allowed = _methods_at(request.path, self._routes)
        # If the path has this method and still no route matched, the id has a character that no route accepts.
        if not allowed or request.method in allowed:
            if request.path.startswith(f"{surface.route_named('listGenerations').path}/"):
                raise errors.no_such_generation()
            raise errors.NotFound("There is no such path.")
        raise errors.MethodNotAllowed("The path does not have this method.", allow=tuple(allowed))

    def _respond(self, route: Route, make: Callable[[Request], Reply]) -> Response[Any]:
        event, context = self.resolver.current_event.raw_event, self.resolver.lambda_context
        problem = self._shapes[route.shape].problem
        try:
            request = Request.from_event(event, context, route=route, owner_salt=self._owner_salt)
        except Exception as exc:  # noqa: BLE001 - even a defect in reading the event gets a problem for its reply
            request = Request.from_event({}, context, route=route, owner_salt=self._owner_salt)
            make = _raising(exc)
        try:
            outgoing = make(request)
        except ImagegenError as exc:
            self._observer.problem(exc, route=route.name)
            outgoing = problem(exc, request)
        except Exception as exc:  # noqa: BLE001 - the client always gets a problem; the log gets the reason
            self._observer.defect(exc)
            defect = errors.InternalError("A defect of the service ended this request.")
            self._observer.problem(defect, route=route.name)
            outgoing = problem(defect, request)
        return reply.response(outgoing, request, varies=self._varies)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoutes:
    """Our own routes, which reply in our own shape."""

    services: Services
    contracts: Mapping[str, Contract]
    routes: Sequence[Route]

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """The function of each route, by the route's name; one function serves every route that makes an image."""
        return {
            **{route.name: self.create_generation for route in self.routes if route.task},
            "listGenerations": self.list_generations,
            "showGeneration": self.show_generation,
            "redirectToImage": self.redirect_to_image,
            "deleteGeneration": self.delete_generation,
            "listModels": self.list_models,
            "showUsage": self.show_usage,
            "showHealth": self.show_health,
            "showOpenApi": self.show_openapi,
        }

    def problem(self, error: ImagegenError, request: Request) -> Reply:
        """Return an error as an RFC 9457 problem."""
        body = problems.problem_reply(error, request_id=request.request_id)
        headers = error_headers(error)
        return reply.json_reply(error.kind.status, body, content_type=reply.PROBLEM, headers=headers)

    def create_generation(self, request: Request) -> Reply:
        """Make an image and return it; with `Prefer: respond-async`, return where it will be."""
        # The owner comes first: whoever has no valid API key learns nothing about the body.
        owner, key, asynchronous = request.owner, request.idempotency_key, request.prefers_async
        generation_request = self._generation_request(request)
        self._check_webhook(generation_request.webhook_url, asynchronous=asynchronous)
        submission = self.services.submitter.submit(
            generation_request,
            owner=owner,
            fingerprint=fingerprint(generation_request),
            key=key,
            asynchronous=asynchronous,
            own=request.own_limits,
            key_id=request.key_id,
            signs=request.repeat_signs,
            deadline=request.deadline,
        )
        with self.services.submitter.replying(submission):
            return self._submitted(submission)

    def list_generations(self, request: Request) -> Reply:
        """Return one page of the caller's own history, newest first."""
        owner = request.owner
        limit = history_limit(request.query.get("limit", ()))
        position = cursor(request.query.get("cursor", ()))
        page = self.services.history.page(owner=owner, limit=limit, cursor=position)
        shown = [self._shown(generation, request) for generation in page.generations]
        return reply.json_reply(200, serialize.history(shown, next_cursor=page.next_cursor))

    def show_generation(self, request: Request, id_: str) -> Reply:
        """Return a generation's status and result, with a fresh URL."""
        return reply.json_reply(200, self._shown(self._found(request, id_), request, look=True))

    def redirect_to_image(self, request: Request, id_: str) -> Reply:
        """Redirect to a fresh presigned URL of the image; with `download`, to one under which browsers save it."""
        # The owner comes first: whoever has no valid API key learns nothing about the query.
        _, download = request.owner, download_name(request.query.get("download", ()))
        generation = self._found(request, id_)
        if generation.state == "failed":
            reason = surface.spoken("showGeneration", id=generation.id)
            raise errors.NotFound(f"The generation failed; {reason} says why.")
        if generation.state != "succeeded":
            raise errors.in_progress(generation.id, retry_after=POLL_AFTER)
        # Signing does not look into the bucket. Without this look, S3 would reply for a removed image, in XML.
        self.services.history.require_image(generation)
        signed = self.services.history.url(generation, download=download)
        return Reply(status=302, headers={"Location": signed.url})

    def delete_generation(self, request: Request, id_: str) -> Reply:
        """Remove a generation and its image."""
        owner = request.owner
        self.services.history.delete(generation_id(id_), owner=owner)
        return Reply(status=204)

    def list_models(self, _: Request) -> Reply:
        """Return the enabled models."""
        models = self.services.models
        ours = model_bodies.models(models, today=self.services.clock.now().date())
        # OpenAI's clients read the same path, so its reply has their members as well.
        return reply.json_reply(200, openai.models_body(ours, models))

    def show_usage(self, request: Request) -> Reply:
        """Return what the caller used on the last days, its limits, and what is left of today."""
        owner, days = request.owner, usage_days(request.query.get("days", ()))
        used = self.services.submitter.usage(owner, days=days, own=request.own_limits)
        return reply.json_reply(200, serialize.usage(used))

    def show_health(self, _: Request) -> Reply:
        """Say that the function runs and could read its settings; checks nothing else."""
        return reply.json_reply(200, serialize.health())

    def show_openapi(self, request: Request) -> Reply:
        """Return the API's document, which is the same for every deployment and every caller."""
        document = _document()
        # The one reply that a cache may keep, and only for minutes: the next release may change it. The gateway
        # compresses it for clients that accept that, so a cache must tell them apart.
        headers = {"Cache-Control": "public, max-age=300", "ETag": document.tag}
        varies = ("Accept-Encoding",)
        if request.has(document.tag):
            return Reply(status=304, headers=headers, varies=varies)
        return Reply(status=200, body=document.text, content_type=reply.JSON, headers=headers, varies=varies)

    def _generation_request(self, request: Request) -> GenerationRequest:
        contract = self.contracts[request.route.task]
        members = request.members(request.route.max_body)
        url = members.get("webhook_url")
        # The contracts know only public receivers, because their document is the same for every deployment:
        # see docs/decisions/0042-a-local-deployment-may-call-its-own-machine.md.
        if self.services.webhook_loopback and isinstance(url, str) and webhook_urls.is_loopback(url):
            others = {name: value for name, value in members.items() if name != "webhook_url"}
            return replace(contract(others), webhook_url=url)
        return contract(members)

    def _check_webhook(self, url: str | None, *, asynchronous: bool) -> None:
        if url is None:
            return
        # See docs/decisions/0005-webhooks-belong-to-asynchronous-requests.md.
        if not self.services.webhooks:
            raise errors.invalid("webhook_url", "is not enabled in this deployment")
        if not asynchronous:
            raise errors.invalid("webhook_url", "needs the header Prefer: respond-async")

    def _found(self, request: Request, id_: str) -> Generation:
        # The owner comes first: whoever has no valid API key learns nothing about ids.
        owner = request.owner
        return self.services.history.look_up(generation_id(id_), owner=owner)

    def _submitted(self, submission: Submission) -> Reply:
        generation = submission.generation
        headers = reply.REPLAYED if submission.replayed else {}
        if not generation.terminal:
            waiting = {
                "Location": surface.generation_path(generation.id),
                "Retry-After": str(POLL_AFTER),
                "Preference-Applied": "respond-async",
            }
            return reply.json_reply(202, serialize.accepted(generation), headers={**headers, **waiting})
        # An image of this request was stored a moment ago; that of an earlier request may have been removed since.
        if submission.replayed:
            self.services.history.require_image(generation)
        signed = self.services.history.url(generation)
        return reply.json_reply(200, serialize.succeeded(generation, signed), headers=headers)

    def _shown(
        self, generation: Generation, request: Request, *, look: bool = False
    ) -> serialize.GenerationDetailBody:
        if generation.state != "succeeded":
            return serialize.full(generation, None, request_id=request.request_id)
        # Each look is a request to S3, so the history, which has up to 100 generations on a page, does not look.
        if look:
            self.services.history.require_image(generation)
        signed = self.services.history.url(generation)
        return serialize.full(generation, signed, request_id=request.request_id)


def _checked(request: Request) -> Request:
    route = request.route
    # Clients of other APIs append query parameters of their own, such as `api-version`; they have no effect.
    if route.shape == surface.OWN_SHAPE:
        if route.needs_key:
            # The owner comes first: whoever has no valid API key learns nothing about the routes.
            _ = request.owner
        check_query(request.query, route)
    return request


# The function sends the bytes of the file: see docs/decisions/0051-the-document-of-the-api.md.
def _raising(exc: Exception) -> Callable[[Request], NoReturn]:
    def make(_: Request) -> NoReturn:
        raise exc

    return make


class _Document(NamedTuple):
    text: str
    tag: str


@cache
def _document() -> _Document:
    content = Path(__file__).with_name("openapi.json").read_bytes()
    # Weak, because what the gateway compresses has other bytes under the same tag (RFC 9110 §8.8.1).
    return _Document(text=content.decode(), tag=f'W/"{hashlib.sha256(content).hexdigest()[:32]}"')


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    # No origin, no CORS: see docs/decisions/0011-cors-without-a-function.md.
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
    # Powertools writes a parameter of a path as `<name>`.
    return re.sub(r"\{(\w+)\}", r"<\1>", path)


def _methods_at(path: str, routes: Sequence[Route]) -> list[str]:
    # `/*` because Powertools' routes also match a path with slashes at its end.
    return sorted(
        method
        for route in routes
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path) + "/*", path)
        for method in route.methods
    )
