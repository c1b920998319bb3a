import logging
from hashlib import sha256
from typing import Any

import pytest
from itsdangerous import Signer

from consentkit.consent.secret_keys import signer, validated_keys
from consentkit.errors import SecretKeyError

NEWEST, OLDER = "an older key of at least 32 characters", b"a newer key of at least 32 characters"


def test_signer_signs_with_the_newest_key_and_accepts_all_keys() -> None:
    newest, older = b"n" * 31 + b"1", b"o" * 31 + b"2"
    made = signer([older, newest], "salt")
    stock = Signer(newest, "salt", key_derivation="hmac", digest_method=sha256)
    assert made.sign(b"value") == stock.sign(b"value")
    assert made.unsign(signer([older], "salt").sign(b"value")) == b"value"
    assert not made.validate(signer([newest], "another salt").sign(b"value"))


def test_validated_keys_are_bytes_newest_first() -> None:
    assert validated_keys([NEWEST, OLDER]) == [NEWEST.encode(), OLDER]
    assert validated_keys(OLDER) == [OLDER]


# SG-08
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "0 characters"),
        (b"", "0 characters"),
        ([], "empty"),
        ((), "empty"),
        ("x", "1 characters"),
        ("changeme", "8 characters"),
        ("k" * 31, "31 characters"),
        ([NEWEST, ""], "0 characters"),
        ([NEWEST, "short"], "5 characters"),
        ([None], "NoneType"),
        ([NEWEST, 5], "int"),
        ([[NEWEST]], "list"),
    ],
)
def test_missing_or_short_key_raises_without_showing_it(keys: Any, message: str) -> None:
    with pytest.raises(SecretKeyError, match=message) as raised:
        validated_keys(keys)
    for secret in ("changeme", "kkkkk", "short"):
        assert secret not in str(raised.value)


def test_placeholder_key_is_warned_about_without_showing_it(
    caplog: pytest.LogCaptureFixture,
) -> None:  # SG-08
    with caplog.at_level(logging.WARNING, "consentkit.cookie"):
        validated_keys([NEWEST, OLDER])
        assert not caplog.records
        validated_keys("abc" * 20)
    assert "3 different characters" in caplog.text
    assert "abcabc" not in caplog.text


def test_key_is_the_same_as_text_and_as_bytes() -> None:
    text, raw = "schlüssel-aus-der-umgebung-0123456789", "schlüssel-aus-der-umgebung-0123456789".encode()
    # os.environ has bytes that are not UTF-8 as lone surrogates.
    odd = b"\xff\xfe" + raw
    assert validated_keys([text, odd.decode("utf-8", "surrogateescape")]) == [raw, odd]
