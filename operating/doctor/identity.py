"""Who calls AWS, what AWS says of these credentials, and what time it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

ENDED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
UNKNOWN: Final = frozenset(
    {
        *("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId"),
        *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
    }
)
"""The codes with which AWS's front end refuses an access key, or its signature."""
SIGNED_OUT: Final = (SSOError, TokenRetrievalError, NoAuthTokenError)
"""The errors of a session of IAM Identity Center that has ended or was never begun."""
LOGGED_OUT: Final = (LoginError,)
"""The errors of a session of `aws login`, likewise."""
MISSING: Final = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound)
"""The other errors with which botocore finds no credentials that it could sign with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The operator as AWS sees them: `arn` and `account` are empty if AWS did not say, and `error` says why.

    `server_time` is what AWS's clock said in its reply, whatever the reply was.
    """

    arn: str = ""
    account: str = ""
    server_time: datetime | None = None
    error: ClientError | BotoCoreError | None = None

    @classmethod
    def of(cls, client: Callable[[], Any]) -> Identity:
        """Ask STS; `client` makes its client, which already looks for credentials."""
        try:
            reply = client().get_caller_identity()
        except ClientError as error:
            return cls(error=error, server_time=_time_of(error.response))
        except BotoCoreError as error:
            return cls(error=error)
        return cls(arn=reply.get("Arn", ""), account=reply.get("Account", ""), server_time=_time_of(reply))

    @property
    def is_usable(self) -> bool:
        """Whether it is worth while to ask AWS anything else: not if these credentials are the reason."""
        if isinstance(self.error, ClientError):
            return self.error.response["Error"]["Code"] not in ENDED | UNKNOWN
        return not isinstance(self.error, (*SIGNED_OUT, *LOGGED_OUT, *MISSING))

    @property
    def kind(self) -> str:
        """What the ARN names: user, assumed-role, root, or something else."""
        return self.arn.split(":")[5].partition("/")[0] if self.arn.count(":") >= 5 else ""  # noqa: PLR2004 - parts of an ARN

    @property
    def name(self) -> str:
        """The name of the user or role."""
        parts = self.arn.split("/")
        return parts[1] if self.kind == "assumed-role" and len(parts) > 1 else parts[-1]


def _time_of(reply: Any) -> datetime | None:
    date = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return None
