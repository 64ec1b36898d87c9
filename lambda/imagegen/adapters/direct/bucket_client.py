"""Stores objects and signs their URLs without the SDK's client."""

from __future__ import annotations

import re
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote, urlsplit

from imagegen.adapters.direct.connection import Response
from imagegen.adapters.direct.connections import Connections
from imagegen.adapters.direct.resending import ATTEMPTS, RefusedError, repeated
from imagegen.adapters.direct.signature import Credentials, presigned_query, signed
from imagegen.adapters.direct.table_calls import USER_AGENT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_QUERY: Final = {
    "ResponseCacheControl": "response-cache-control",
    "ResponseContentDisposition": "response-content-disposition",
}
"""What a URL may ask for: the name in the SDK, and the name in the URL."""

_ERROR: Final = re.compile(rb"<Error[\s>]")
_CODE: Final = re.compile(rb"<Code>(\w{1,100})</Code>")


class DirectBucket:
    """Takes the place of the SDK's client where an image is stored and where a URL is signed, and else passes calls on.

    `connect` returns the connections to the host of an endpoint.
    """

    def __init__(
        self,
        client: S3Client,
        *,
        connect: Callable[[str], Connections],
        credentials: Callable[[], Credentials],
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._connect = connect
        self._credentials = credentials
        self._now = now
        self._sleep = sleep
        self._places: dict[str, tuple[Connections, str]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(
        self,
        *,
        Bucket: str,  # noqa: N803 - the names of the SDK
        Key: str,  # noqa: N803
        Body: bytes | bytearray,  # noqa: N803
        ContentType: str,  # noqa: N803
        CacheControl: str,  # noqa: N803
        Metadata: Mapping[str, str],  # noqa: N803
        ChecksumSHA256: str,  # noqa: N803
    ) -> None:
        """Store an object: Amazon S3 API reference, "PutObject".

        The signature covers the body by its checksum, which the caller has computed.

        Raises:
            RefusedError: S3 replied with an error.
            OSError, HTTPException, UnusableError: there was no usable response.
        """
        connections, folder = self._place(Bucket)
        path = folder + quote(Key, safe="/~")
        headers = {
            "Host": connections.host,
            "Content-Type": ContentType,
            "Cache-Control": CacheControl,
            **{f"x-amz-meta-{name}": value for name, value in Metadata.items()},
            "x-amz-checksum-sha256": ChecksumSHA256,
            "x-amz-content-sha256": b64decode(ChecksumSHA256).hex(),
        }
        region = self._client.meta.region_name

        def send() -> None:
            signed_headers = signed(
                headers,
                method="PUT",
                path=path,
                body_hash=headers["x-amz-content-sha256"],
                credentials=self._credentials(),
                region=region,
                service="s3",
                now=self._now(),
            )
            _check(connections.send("PUT", path, {**signed_headers, "User-Agent": USER_AGENT}, Body))

        repeated(send, attempts=ATTEMPTS, sleep=self._sleep)

    def generate_presigned_url(
        self,
        ClientMethod: Literal["get_object"],  # noqa: N803, ARG002
        Params: Mapping[str, str],  # noqa: N803
        ExpiresIn: int,  # noqa: N803
    ) -> str:
        """Return a URL that lets whoever has it read an object for so many seconds."""
        connections, folder = self._place(Params["Bucket"])
        path = folder + quote(Params["Key"], safe="/~")
        query = presigned_query(
            {name: Params[parameter] for parameter, name in _QUERY.items() if parameter in Params},
            host=connections.host,
            path=path,
            expires_in=ExpiresIn,
            credentials=self._credentials(),
            region=self._client.meta.region_name,
            now=self._now(),
        )
        return f"{connections.scheme}://{connections.host}{path}?{query}"

    def _place(self, bucket: str) -> tuple[Connections, str]:
        """Return the connections to a bucket's host, and the path of its root there."""
        if bucket not in self._places:
            # The SDK knows whether the bucket's name belongs into the host or into the path. It signs what it says, so
            # it is not asked at the start: the credentials of a snapshot have expired.
            url = urlsplit(
                self._client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
            )
            place = (self._connect(f"{url.scheme}://{url.netloc}"), url.path.removesuffix("k"))
            self._places[bucket] = place
        return self._places[bucket]


def _check(response: Response) -> None:
    # S3 can begin a reply with 200 and fail afterwards. It says so of other operations, and the SDK expects it of all.
    failed = _ERROR.search(response.body) is not None
    if response.status != HTTPStatus.OK or failed:
        status = HTTPStatus.INTERNAL_SERVER_ERROR if response.status == HTTPStatus.OK else response.status
        code = _CODE.search(response.body)
        raise RefusedError("S3", status, code.group(1).decode() if code else "")
