"""How an API key looks, and what of it may be kept."""

from __future__ import annotations

import secrets

import pytest

from imagegen.keys.api_key import ApiKey


def test_a_key_is_a_prefix_an_id_and_a_secret() -> None:
    """It has 55 characters that need no quoting anywhere, and is read back as it was made."""
    key = ApiKey.create(secrets.token_bytes)
    assert key.text == f"ig_{key.id}{key.secret}"
    assert (len(key.id), len(key.secret)) == (12, 40)
    assert ApiKey.parse(key.text) == key


def test_two_keys_have_nothing_in_common() -> None:
    """Both the id and the secret are random; a secret has at least 160 bits."""
    one, other = ApiKey.create(secrets.token_bytes), ApiKey.create(secrets.token_bytes)
    assert one.id != other.id
    assert one.secret != other.secret
    drawn: list[int] = []

    def random_bytes(count: int) -> bytes:
        drawn.append(count)
        return bytes(count)

    ApiKey.create(random_bytes)
    assert 8 * drawn[-1] >= 160


def test_a_rotated_key_keeps_its_id() -> None:
    """The id is the caller's, the secret is new."""
    key = ApiKey.create(secrets.token_bytes)
    rotated = ApiKey.create(secrets.token_bytes, id_=key.id)
    assert rotated.id == key.id
    assert rotated.secret != key.secret


def test_a_key_that_is_shown_by_accident_does_not_show_its_secret() -> None:
    """Neither the text form of the object nor its digest holds the secret."""
    key = ApiKey.create(secrets.token_bytes)
    assert key.secret not in repr(key)
    assert key.secret not in key.digest
    assert len(key.digest) == 64


GOOD = ApiKey.create(lambda count: bytes(range(count))).text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ig_",
        GOOD[:-1],
        f"{GOOD}a",
        f" {GOOD}",
        f"{GOOD}\n",
        GOOD.upper(),
        f"sk{GOOD[2:]}",
        f"{GOOD[:-1]}1",
        f"{GOOD[:-1]}é",
        GOOD * 1_000,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_what_does_not_look_like_a_key_is_none(text: str) -> None:
    """It is refused without a look into the table."""
    assert ApiKey.parse(text) is None
