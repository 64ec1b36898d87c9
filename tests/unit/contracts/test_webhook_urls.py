"""A webhook URL names a public DNS host over https, in a form that all parsers read the same way."""

from __future__ import annotations

import pytest

from imagegen.contracts import webhook_urls
from imagegen.contracts.text_to_image import schema
from imagegen.errors import InvalidParameter
from tests.support.receivers import LOOPBACK, NEIGHBOURS

PROMPTS = [{"text": "tea"}]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/",
        "https://hooks.example.co.uk:8443/a/b?c=d&e=%20",
        "https://xn--bcher-kva.example/x",
        "https://a-1.example.com:65535",
        "https://EXAMPLE.com?x",
        "https://example.com/a@b:c",
        f"https://example.com/{'x' * 2028}",
    ],
)
def test_https_urls_of_public_names_are_taken_as_webhooks(url: str) -> None:
    """A URL may have any port, path and query."""
    assert schema.parse({"text_prompts": PROMPTS, "webhook_url": url}).webhook_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "//example.com/",
        "example.com",
        "https://",
        "https:///x",
        "https://example",
        "https://localhost/",
        "https://LOCALHOST:443",
        "https://a.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://metadata.google.INTERNAL:443/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://8.8.8.8/",
        "https://0.0.0.0",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.0x1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com#@127.0.0.1/",
        "https://example.com/#top",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:/",
        "https://example.com:-1/",
        "https://example.com:4٤3/",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/\r\nHost: x",
        "https://example.com/\n",
        " https://example.com/",
        "https://example.com/é",
        "https://bücher.example/",
        "https://example.com./",
        "https://-example.com/",
        "https://example-.com/",
        "https://example..com/",
        "https://exam%70le.com/",
        "https://example。com/",
        f"https://example.com/{'x' * 2029}",
    ],
)
def test_other_webhook_urls_are_refused(url: str) -> None:
    """Other schemes, addresses, users, fragments and anything that parsers read differently are refused."""
    with pytest.raises(InvalidParameter) as caught:
        schema.parse({"text_prompts": PROMPTS, "webhook_url": url})
    assert [found.field for found in caught.value.errors] == ["webhook_url"]


@pytest.mark.parametrize("url", [*LOOPBACK, *NEIGHBOURS])
def test_the_contract_takes_no_receiver_on_this_machine(url: str) -> None:
    """Only a deployment that allows them takes them, and it asks `is_loopback` first."""
    with pytest.raises(InvalidParameter) as caught:
        schema.parse({"text_prompts": PROMPTS, "webhook_url": url})
    assert [found.field for found in caught.value.errors] == ["webhook_url"]


@pytest.mark.parametrize("url", LOOPBACK)
def test_this_machine_has_two_spellings(url: str) -> None:
    """Either of them needs a port, and may have any path and query."""
    assert webhook_urls.is_loopback(url)


@pytest.mark.parametrize("url", NEIGHBOURS)
def test_nothing_else_is_this_machine(url: str) -> None:
    """Other addresses, notations, names, users, ports and schemes are not."""
    assert not webhook_urls.is_loopback(url)
