"""The image bucket. An image's key is `images/<owner>/<id>` and its format's suffix: no record is needed to find it."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from botocore.exceptions import ClientError

from imagegen.errors import ImagegenError, InternalError, Misconfigured, StoreFailed
from imagegen.generations.generation import ImageName, StoredImage
from imagegen.generations.image_formats import FORMATS
from imagegen.generations.ports import SignedUrl

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

    from imagegen.generations.ports import Clock

_MISSING: Final = frozenset({"403", "404", "AccessDenied", "NoSuchKey", "NotFound"})
# Not for long, although an image never changes under its key. S3 sends `Vary` and the CORS headers only to a request
# that has an `Origin`: a browser that keeps what an <img> got would refuse it to the page's next `fetch`.
# See docs/decisions/0057-any-page-may-read-an-image-by-its-url.md.
_CACHE: Final = "private, no-cache"


class S3Images:
    """The private bucket; `url_ttl` is the life of a presigned URL in seconds."""

    def __init__(self, *, client: S3Client, bucket: str, url_ttl: int, clock: Clock) -> None:
        self._client = client
        self._bucket = bucket
        self._url_ttl = url_ttl
        self._clock = clock

    def put(self, name: ImageName, content: bytes, image: StoredImage) -> None:
        """Store an image, with the metadata that describe it; they hold no part of a prompt.

        Raises:
            StoreFailed: S3 did not confirm it; the image may be stored nevertheless.
        """
        metadata = {
            "model": image.model,
            "seed": str(image.seed),
            "width": str(image.width),
            "height": str(image.height),
            "sha256": image.sha256,
        }
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=_key(name),
                Body=content,
                ContentType=image.content_type,
                CacheControl=_CACHE,
                Metadata=metadata,
                # S3 compares it with the body, and refuses one that was damaged on the way.
                ChecksumSHA256=b64encode(bytes.fromhex(image.sha256)).decode(),
            )
        except Exception as exc:
            raise StoreFailed("The image was made and could not be stored.") from exc

    def find(self, name: ImageName) -> StoredImage | None:
        """Return what is known of a stored image, or None if it is not there.

        Raises:
            InternalError: S3 did not respond.
        """
        # Without the right to list, S3 responds with 403 for a missing key, so 403 and 404 mean the same here:
        # S3 API reference, "HeadObject".
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=_key(name))
        except Exception as exc:
            if _code(exc) in _MISSING:
                return None
            raise _no_response(exc) from exc
        return _described(head, content_type=name.content_type)

    def read(self, name: ImageName) -> bytes | None:
        """Return a stored image's bytes, or None as `find` does.

        Raises:
            InternalError: S3 did not respond, or not to the end.
        """
        try:
            return self._client.get_object(Bucket=self._bucket, Key=_key(name))["Body"].read()
        except Exception as exc:
            if _code(exc) in _MISSING:
                return None
            raise _no_response(exc) from exc

    def url(self, name: ImageName, *, download: str | None = None) -> SignedUrl:
        """Return a presigned URL (SigV4). It stops working earlier if the credentials that signed it expire.

        The URL also says which `Cache-Control` and which `Content-Disposition` S3 sends: Amazon S3 API reference,
        "GetObject", `response-cache-control` and `response-content-disposition`.

        Args:
            name: The image.
            download: The file name under which a browser saves the image; without it, a browser shows the image.

        Raises:
            Misconfigured: there are no credentials to sign with.
        """
        # The clock is read before signing, and fractions are dropped, so `expires_at` is never later than the real end.
        expires_at = self._clock.now().replace(microsecond=0) + timedelta(seconds=self._url_ttl)
        try:
            url = self._client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": _key(name),
                    # Also here, because older releases stored images with another value.
                    "ResponseCacheControl": _CACHE,
                    "ResponseContentDisposition": _disposition(name, download=download),
                },
                ExpiresIn=self._url_ttl,
            )
        except Exception as exc:
            raise Misconfigured("The service cannot sign a URL.") from exc
        return SignedUrl(url=url, expires_at=expires_at)

    def delete(self, name: ImageName) -> None:
        """Remove an image; S3 also confirms the removal of a key that is not there.

        Raises:
            Misconfigured: the function has no right to delete.
            InternalError: S3 did not respond.
        """
        try:
            self._client.delete_object(Bucket=self._bucket, Key=_key(name))
        except Exception as exc:
            raise _no_response(exc) from exc


def _key(name: ImageName) -> str:
    return f"images/{name.owner}/{name.id}{FORMATS[name.content_type].suffix}"


def _disposition(name: ImageName, *, download: str | None) -> str:
    """Return the value of `Content-Disposition` (RFC 6266)."""
    if download is None:
        # "Save as" offers this name, and not the object's key.
        return f'inline; filename="imagegen-{name.id}{FORMATS[name.content_type].suffix}"'
    # Old programs read the first name. It is ASCII, and without `%`, which some of them decode.
    plain = "".join(each if each.isascii() and each not in '%"\\' else "_" for each in download)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(download, safe='')}"


def _described(head: HeadObjectOutputTypeDef, *, content_type: str) -> StoredImage | None:
    # An object without this service's metadata was put there by somebody else, and counts as missing.
    try:
        metadata = head["Metadata"]
        return StoredImage(
            model=metadata["model"],
            seed=int(metadata["seed"]),
            width=int(metadata["width"]),
            height=int(metadata["height"]),
            bytes=head["ContentLength"],
            sha256=metadata["sha256"],
            content_type=content_type,
        )
    except (KeyError, ValueError):
        return None


def _code(exc: Exception) -> str:
    return str(exc.response.get("Error", {}).get("Code", "")) if isinstance(exc, ClientError) else ""


def _no_response(exc: Exception) -> ImagegenError:
    if _code(exc) == "AccessDenied":
        return Misconfigured("The service has no right to use its image store.")
    return InternalError("The image store did not respond.")
