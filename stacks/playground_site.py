"""What the playground is made of, and the headers that it is served with: on this machine and in an account.

The page is static files: `web/`, and the libraries under `/vendor/`, which come from `node_modules/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

WEB: Final = "web"
VENDOR: Final[Mapping[str, str]] = {
    "vendor/htm.js": "htm/dist/htm.mjs",
    "vendor/htm.LICENSE": "htm/LICENSE",
    "vendor/preact.js": "preact/dist/preact.mjs",
    "vendor/preact.LICENSE": "preact/LICENSE",
}
"""What is served under which path, and where it is in `node_modules/`; everybody knows the type of `.js`."""
CONFIG: Final = "config.json"
INDEX: Final = "index.html"
TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".LICENSE": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
CACHE_CONTROL: Final = "no-cache"
"""A browser asks before it uses what it kept, so that all files of the page are of one release."""
PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
OPENER: Final = "same-origin"
TRANSPORT_SECONDS: Final = 31_536_000
"""For how long a browser remembers to come by https: a year."""


class SiteError(RuntimeError):
    """The page cannot be put together; the message is one sentence that says what to run."""


def files(root: Path) -> dict[str, Path]:
    """Return every file of the page, except `config.json`, by its path without a slash in front.

    Raises:
        SiteError: a library is not installed.
    """
    web = root / WEB
    own = {str(path.relative_to(web)): path for path in sorted(web.rglob("*")) if path.suffix in TYPES}
    vendor = {served: root / "node_modules" / path for served, path in VENDOR.items()}
    for path in vendor.values():
        if not path.is_file():
            raise SiteError(
                f"The playground needs {path}, which is not installed: run `make set-up` or `npm ci`."
            )
    return own | vendor


def content_security_policy(*, sources: tuple[str, ...]) -> str:
    """Return the policy: nothing from elsewhere, but for images and data of `sources` (the API and the bucket)."""
    elsewhere = " ".join(("'self'", *sources))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {elsewhere}",
            f"connect-src {elsewhere}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def config(*, api_url: str, stage: str) -> dict[str, str]:
    """Return the content of `config.json`; `api_url` may be a path on the page's own origin."""
    return {"api_url": api_url, "stage": stage}
