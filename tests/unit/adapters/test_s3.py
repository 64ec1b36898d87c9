"""The bucket's adapter stores and finds images, and signs URLs for the bucket's own region."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.direct.session import DirectSession
from imagegen.adapters.s3 import S3Images
from imagegen.generations.generation import StoredImage
from tests.support.fakes import CORE, FakeClock, png
from tests.support.far_side import REGION, FarSide, Reply, answer, new_session, session
from tests.support.tasks import image_name

if TYPE_CHECKING:
    from botocore.session import Session

URL = "https://far.example"
PNG = png(64, 64)
NAME = image_name("alice", "gen_1")
IMAGE = StoredImage(
    model=CORE, seed=3407, width=64, height=64, bytes=len(PNG), sha256="ab" * 32, content_type="image/png"
)
METADATA = {
    "x-amz-meta-model": CORE,
    "x-amz-meta-seed": "3407",
    "x-amz-meta-width": "64",
    "x-amz-meta-height": "64",
    "x-amz-meta-sha256": "ab" * 32,
    "content-type": "image/png",
}
DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>no</Message></Error>"


def far_away(*replies: Reply, url_ttl: int = 3600) -> tuple[S3Images, FarSide]:
    """Return an image store over these responses, and the requests that it sends."""
    client = clients.s3(session(), addressing_style="virtual")
    far = FarSide(client, *replies)
    return S3Images(client=client, bucket="pictures", url_ttl=url_ttl, clock=FakeClock()), far


def deployed(
    session: Session,
    *,
    url_ttl: int = 3600,
    clock: FakeClock | None = None,
    addressing_style: clients.AddressingStyle = "virtual",
) -> S3Images:
    """Return an image store as the service makes it."""
    clock = clock or FakeClock()
    client = clients.s3(session, addressing_style=addressing_style)
    client = DirectSession(session, url_suffix="amazonaws.com", clock=clock).bucket(client)
    return S3Images(client=client, bucket="pictures", url_ttl=url_ttl, clock=clock)


def test_an_image_is_found_with_all_that_was_put() -> None:
    """The metadata describe the whole stored image, so that a record can be completed from them."""
    images, _ = far_away(answer(headers={**METADATA, "content-length": str(len(PNG))}))
    assert images.find(NAME) == IMAGE


@pytest.mark.parametrize("status", [403, 404])
def test_a_missing_key_is_none_whether_or_not_it_may_be_listed(status: int) -> None:
    """Without the right to list keys, S3 sends 403 for a missing one, and a HEAD response has no body."""
    images, _ = far_away(answer(status), answer(status))
    assert images.find(NAME) is None
    assert images.read(NAME) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**METADATA, "x-amz-meta-seed": "many"},
        {**METADATA, "x-amz-meta-width": "9" * 5000},
        {name: value for name, value in METADATA.items() if name != "x-amz-meta-sha256"},
    ],
    ids=["none", "no number", "endless number", "one missing"],
)
def test_an_object_that_somebody_else_put_there_is_no_image(headers: Mapping[str, str]) -> None:
    """Such an object has no usable metadata, and must not make the look-up fail."""
    images, _ = far_away(answer(headers=headers))
    assert images.find(NAME) is None


def test_an_image_is_read_whole() -> None:
    """A body that is cut off is an error, so no caller gets half an image."""
    images, _ = far_away(answer(body=PNG), answer(body=PNG[:-1], headers={"content-length": str(len(PNG))}))
    assert images.read(NAME) == PNG
    with pytest.raises(errors.InternalError):
        images.read(NAME)


@pytest.mark.parametrize(
    ("failure", "requests"),
    [
        (answer(403, DENIED), 1),
        (answer(403, b"<html>not XML"), 1),
        (answer(400, b""), 1),
    ],
    ids=["denied", "HTML", "nothing"],
)
def test_a_refused_put_is_not_repeated_here(failure: Reply, requests: int) -> None:
    """The use case decides whether to try again, because the image is paid for."""
    images, far = far_away(failure)
    with pytest.raises(errors.StoreFailed) as raised:
        images.put(NAME, PNG, IMAGE)
    assert raised.value.__cause__ is not None
    assert len(far.requests) == requests


def test_a_put_whose_answer_is_lost_is_sent_again() -> None:
    """The second put replaces the object with the same bytes."""
    images, far = far_away(ConnectionClosedError(endpoint_url=URL), answer())
    images.put(NAME, PNG, IMAGE)
    assert far.bodies == [PNG, PNG]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (answer(403, DENIED), errors.Misconfigured),
        (answer(400, BUSY), errors.InternalError),
        (answer(400, b"<html>not XML"), errors.InternalError),
    ],
    ids=["denied", "busy", "HTML"],
)
def test_an_image_that_cannot_be_removed_is_an_error(
    failure: Reply, error: type[errors.ImagegenError]
) -> None:
    """The error says whether the deployment lacks a right or the bucket failed."""
    images, _ = far_away(failure)
    with pytest.raises(error):
        images.delete(NAME)


def test_a_silent_bucket_is_asked_three_times() -> None:
    """After three tries an error is raised; the image does not count as missing."""
    silence = ReadTimeoutError(endpoint_url=URL)
    images, far = far_away(silence, silence, silence)
    with pytest.raises(errors.InternalError):
        images.find(NAME)
    assert len(far.requests) == 3


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "pictures.s3.us-east-1.amazonaws.com"),
        ("us-west-2", "pictures.s3.us-west-2.amazonaws.com"),
        ("eu-central-1", "pictures.s3.eu-central-1.amazonaws.com"),
    ],
)
def test_a_url_is_signed_by_version_4_for_the_buckets_regional_host(region: str, host: str) -> None:
    """The SDK by default signs with version 2, for the global host."""
    images = deployed(session(region), url_ttl=900)
    parts = urlsplit(images.url(NAME).url)
    query: dict[str, Any] = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (parts.scheme, parts.netloc, parts.path) == ("https", host, "/images/alice/gen_1.png")
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Credential"].endswith(f"/{region}/s3/aws4_request")
    assert query["X-Amz-Expires"] == "900"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert query["X-Amz-Security-Token"] == "token"


def signed_query(download: str | None) -> dict[str, str]:
    """Return the query of a presigned URL."""
    images = deployed(session())
    parts = urlsplit(images.url(NAME, download=download).url)
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


@pytest.mark.parametrize("download", [None, "tea.png"])
def test_a_url_says_that_no_browser_may_use_an_image_without_asking_again(download: str | None) -> None:
    """It also holds for images that an older release stored with a long life."""
    assert signed_query(download)["response-cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("download", "disposition"),
    [
        (None, 'inline; filename="imagegen-gen_1.png"'),
        ("tea.png", "attachment; filename=\"tea.png\"; filename*=UTF-8''tea.png"),
        (
            "my tea; 50%.png",
            "attachment; filename=\"my tea; 50_.png\"; filename*=UTF-8''my%20tea%3B%2050%25.png",
        ),
        ("Tée.png", "attachment; filename=\"T_e.png\"; filename*=UTF-8''T%C3%A9e.png"),
    ],
)
def test_a_url_says_under_which_name_a_browser_saves_the_image(
    download: str | None, disposition: str
) -> None:
    """Without a name a browser shows the image. Both names of RFC 6266 are ASCII, as S3 requires."""
    assert signed_query(download)["response-content-disposition"] == disposition


def test_a_url_follows_the_endpoint_of_an_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL has the path style, which the emulator's host needs."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    images = deployed(new_session("us-east-1"), addressing_style="path")
    url = images.url(NAME).url
    assert url.startswith("http://127.0.0.1:4566/pictures/images/alice/gen_1.png?")
    assert "&response-cache-control=private%2C%20no-cache&" in url


def test_a_url_never_promises_more_than_its_signature() -> None:
    """Signing drops fractions of a second, so `expires_at` drops them as well."""
    clock = FakeClock(datetime(2026, 11, 25, 12, 0, 0, 999_999, tzinfo=UTC))
    images = deployed(session(), url_ttl=60, clock=clock)
    assert images.url(NAME).expires_at == datetime(2026, 11, 25, 12, 1, tzinfo=UTC)


def test_a_url_needs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing credentials are an error of the deployment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session = botocore.session.get_session()
    session.set_config_variable("region", REGION)
    images = deployed(session)
    with pytest.raises(errors.Misconfigured):
        images.url(NAME)
