"""How the examination proves to the deployed service who calls: a key, a token, or a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from botocore.credentials import Credentials


class Caller(Protocol):
    """A caller of the service."""

    def headers(self, method: str, url: str, *, body: bytes = b"") -> Mapping[str, str]:
        """Return the headers that prove who calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithHeader:
    """Proves itself by one header: an API key, or the token of a user pool. It is never shown."""

    name: str
    secret: str

    def headers(self, method: str, url: str, *, body: bytes = b"") -> Mapping[str, str]:
        """Return the header."""
        del method, url, body
        return {self.name: self.secret}

    def __repr__(self) -> str:
        return f"WithHeader({self.name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class WithSignature:
    """Signs each request with the operator's own AWS credentials, for a stage with `api_auth` iam."""

    credentials: Credentials
    region: str

    def headers(self, method: str, url: str, *, body: bytes = b"") -> Mapping[str, str]:
        """Return the headers of the signature (AWS Signature Version 4)."""
        request: Any = AWSRequest(method=method, url=url, data=body)
        signer: Any = SigV4Auth(self.credentials, "execute-api", self.region)
        signer.add_auth(request)
        return dict(request.headers.items())
