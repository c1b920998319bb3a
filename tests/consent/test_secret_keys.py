import logging
import string
import subprocess
import sys
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
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


# SG-03
def test_signer_accepts_one_spelling_of_a_signature() -> None:
    made = signer([OLDER], "salt")
    stock = Signer(OLDER, "salt", key_derivation="hmac", digest_method=sha256)
    signed = made.sign(b"value").decode()
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    last = letters.index(signed[-1])
    others = [signed[:-1] + letters[last ^ spare] for spare in range(1, 4)]
    for other in (*others, f"{signed}=", f"{signed[:-5]}*${signed[-5:]}", f"{signed[:-5]}é{signed[-5:]}"):
        assert stock.validate(other), "the attack works on the stock signer"
        assert not made.validate(other), other
    assert made.validate(signed) and not made.validate("value.A") and not made.validate("value.")


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
        (None, "NoneType"),
        (32, "int"),
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


GUESSABLE = [
    "0123456789" * 4,
    "secret-key-" * 4,
    "secret-key-secret-key-secret-key-sec",
    b"0123456789abcdef" * 2,
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "zyxwvutsrqponmlkjihgfedcba9876543210",
    bytes(range(32)),
    "x" * 40,
    "n" * 31 + "1",
    "abc" * 20,
    "0110" * 16,
]


# SG-08
@pytest.mark.parametrize("key", GUESSABLE)
def test_key_that_can_be_guessed_raises_with_the_command_that_makes_one(key: str | bytes) -> None:
    for keys in (key, [NEWEST, key]):
        with pytest.raises(SecretKeyError) as raised:
            validated_keys(keys)
        message = str(raised.value)
        assert message.endswith('make one with python -c "import secrets; print(secrets.token_urlsafe(32))"')
        shown = key if isinstance(key, str) else key.decode("ascii")
        assert shown[:8] not in message


def test_the_command_in_the_message_makes_a_key_that_is_accepted() -> None:
    with pytest.raises(SecretKeyError) as raised:
        validated_keys("x" * 40)
    command = str(raised.value).partition(' -c "')[2].rstrip('"')
    made = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert validated_keys(made.stdout.strip()) == [made.stdout.strip().encode()]


@given(st.binary(min_size=16, max_size=16).filter(lambda raw: len(set(raw)) > 8))
def test_keys_that_programs_make_are_accepted(raw: bytes) -> None:
    assert validated_keys(sha256(raw).hexdigest())
    assert validated_keys(sha256(raw).digest())


def test_placeholder_key_is_warned_about_without_showing_it(
    caplog: pytest.LogCaptureFixture,
) -> None:  # SG-08
    with caplog.at_level(logging.WARNING, "consentkit.cookie"):
        validated_keys([NEWEST, OLDER])
        assert not caplog.records
        validated_keys("test-key-" + "x" * 32)
    assert "7 different characters" in caplog.text
    assert "test-key" not in caplog.text


def test_key_is_the_same_as_text_and_as_bytes() -> None:
    text, raw = "schlüssel-aus-der-umgebung-0123456789", "schlüssel-aus-der-umgebung-0123456789".encode()
    # os.environ has bytes that are not UTF-8 as lone surrogates.
    odd = b"\xff\xfe" + raw
    assert validated_keys([text, odd.decode("utf-8", "surrogateescape")]) == [raw, odd]
