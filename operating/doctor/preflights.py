"""Whether pages of each configured origin may call the deployed service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from imagegen.http import surface
from operating.doctor.examined import Examined
from operating.doctor.finding import Finding, fine, problem
from operating.doctor.service import url_of

if TYPE_CHECKING:
    import httpx

ANY: Final = "*"
SOME_PAGE: Final = "https://page.example"
"""Stands for any page, if every origin may call."""
ASKED_FOR: Final = ("authorization", "content-type", "x-api-key")
"""Headers that clients of the service send from pages; a browser asks for each of them by name."""


def preflights(examined: Examined) -> Iterator[Finding]:
    """Ask as a browser does before a page's first request (WHATWG Fetch standard, "CORS-preflight fetch")."""
    told = examined.service.settings
    # `make up` has its own CONFIG, so what is deployed says which origins were configured.
    origins = told.cors_origins if examined.is_local and told else examined.config.cors_origins
    if not origins:
        yield fine("No page of another origin may call the service (cors_origins).")
    for origin in origins:
        yield _preflight(examined, origin)


def _preflight(examined: Examined, origin: str) -> Finding:
    url = url_of(examined, surface.path_of("createGeneration"))
    page = SOME_PAGE if origin == ANY else origin
    headers = {
        "origin": page,
        "access-control-request-method": "POST",
        "access-control-request-headers": ",".join(ASKED_FOR),
    }
    reply = examined.web.options(url, headers=headers)
    mend = examined.deploy()
    if not reply.is_success:
        return problem(f"A preflight from {page} gets {reply.status_code} instead of 204.", mend)
    if (allowed := reply.headers.get("access-control-allow-origin", "")) not in {ANY, page}:
        return problem(f"A preflight from {page} is allowed for {allowed or 'no origin'}.", mend)
    lacking = [
        *({"POST"} - _listed(reply, "access-control-allow-methods")),
        *(set(ASKED_FOR) - {name.lower() for name in _listed(reply, "access-control-allow-headers")}),
    ]
    if lacking:
        return problem(f"A preflight from {page} does not allow {', '.join(sorted(lacking))}.", mend)
    return fine(f"A preflight from {page} passes.")


def _listed(reply: httpx.Response, header: str) -> set[str]:
    return {each.strip() for each in reply.headers.get(header, "").split(",")}
