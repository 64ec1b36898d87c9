"""Reads the authorizer's environment, without `settings.py`: that takes long to load, and requests wait for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from imagegen.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizerSettings:
    """The authorizer's settings. The stack sets the first two of its variables; Lambda and the operator set the others.

    `endpoint` is where DynamoDB is: `AWS_ENDPOINT_URL_DYNAMODB`, else `AWS_ENDPOINT_URL`, else its public address in
    the region. `ca_bundle` is a file of the roots to trust, and `proxy` the URL of a proxy for that endpoint.
    """

    key_table_name: str
    region: str
    endpoint: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    ca_bundle: str | None
    proxy: str | None = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> AuthorizerSettings:
        """Read the settings.

        Raises:
            Misconfigured: variables are missing or empty; the sentence names all of them.
        """
        # Lambda sets the last three, and they stay the same for the life of the environment: AWS Lambda developer
        # guide, "Defined runtime environment variables".
        names = ("KEY_TABLE_NAME", "URL_SUFFIX", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        wrong = [
            f"{name} {'is empty' if name in environment else 'is missing'}"
            for name in names
            if not environment.get(name)
        ]
        if wrong:
            raise Misconfigured(f"The environment cannot be used: {'; '.join(wrong)}.")
        table, suffix, region, access_key_id, secret_access_key = (environment[name] for name in names)
        endpoint = (
            environment.get("AWS_ENDPOINT_URL_DYNAMODB")
            or environment.get("AWS_ENDPOINT_URL")
            or f"https://dynamodb.{region}.{suffix}"
        )
        _check_address("The address of DynamoDB", endpoint, schemes=("https", "http"))
        return cls(
            key_table_name=table,
            region=region,
            endpoint=endpoint,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=environment.get("AWS_SESSION_TOKEN", ""),
            ca_bundle=environment.get("AWS_CA_BUNDLE") or None,
            proxy=_proxy_for(endpoint, environment),
        )


def _proxy_for(endpoint: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy that the SDK would use as well."""
    proxy = _either("https_proxy", environment)
    if not proxy:
        return None
    # Only deployments with a proxy wait for this import.
    from urllib import request  # noqa: PLC0415

    host = urlsplit(endpoint).netloc
    if request.proxy_bypass_environment(host, {"no": _either("no_proxy", environment)}):  # type: ignore[attr-defined]  # typeshed lacks it
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    _check_address("HTTPS_PROXY", url, schemes=("http",))
    return url


def _either(name: str, environment: Mapping[str, str]) -> str:
    """Return a variable in small letters, or in capitals if there is none; an empty one switches the other off."""
    return environment[name] if name in environment else environment.get(name.upper(), "")


def _check_address(what: str, url: str, *, schemes: Sequence[str]) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        # Without the address, which may hold a password.
        raise Misconfigured(f"{what} must be {' or '.join(f'{scheme}://' for scheme in schemes)} and a host.")
