import base64
import builtins
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consentkit.errors import ConfigurationError
from consentkit.handoff.keys import PrivateKey, PublicKey, new_pair, public_half, sign_token, verify_token

# Of no use anywhere else. Fixed, because test names are made of them.
PRIVATE, PUBLIC = "mokyik1UVWz_rVvNDaXFQaOtewUtAYAUp3HgLTmg2Ng", "VGUJmJGJDCgNG_EFbNa7RYOmSE_DAO-gp_Jc7bAF6io"
ANOTHER = "HgeDH-fo-Z3cqRxQ8yLKFzRqX1xfJhrNMaFiULfOeUU"
CLAIMS = {"typ": "consent-handoff", "sub": "s" * 22, "iat": 1}


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(header: dict[str, Any], payload: object = CLAIMS) -> str:
    """Sign with the right key whatever the header says."""
    message = f"{packed(header)}.{packed(payload)}"
    key = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(PRIVATE + "="))
    return f"{message}.{base64.urlsafe_b64encode(key.sign(message.encode())).rstrip(b'=').decode()}"


def verify(token: str) -> dict[str, Any] | None:
    return verify_token(token, PublicKey.read(PUBLIC))


def test_what_a_site_signs_the_holder_of_its_public_key_reads() -> None:
    assert verify(sign_token(CLAIMS, PrivateKey.read(PRIVATE, PublicKey.read(PUBLIC)))) == CLAIMS


def test_keys_are_written_as_the_raw_32_bytes_and_no_two_pairs_are_alike() -> None:
    assert len(PRIVATE) == len(PUBLIC) == 43
    raw = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(PRIVATE + "="))
    assert base64.urlsafe_b64decode(PUBLIC + "=") == raw.public_key().public_bytes_raw()
    assert public_half(PRIVATE) == PUBLIC
    assert new_pair() != new_pair()


@pytest.mark.parametrize(
    "key", ["", "short", "*" * 43, PUBLIC + "=", PUBLIC[:-1], PUBLIC[:-1] + "é", "A" * 44, PUBLIC[:42] + "B"]
)
def test_a_key_in_any_other_form_is_refused_with_the_remedy(key: str) -> None:
    with pytest.raises(ConfigurationError, match="consentkit group key"):
        PublicKey.read(key)
    with pytest.raises(ConfigurationError, match="consentkit group key"):
        PrivateKey.read(key, None)


def test_a_private_key_has_to_fit_the_public_one_of_its_site() -> None:
    with pytest.raises(ConfigurationError, match=f"{PUBLIC}.*has none"):
        PrivateKey.read(PRIVATE, None)
    with pytest.raises(ConfigurationError, match=f"{PUBLIC}.*has '{ANOTHER}'"):
        PrivateKey.read(PRIVATE, PublicKey.read(ANOTHER))


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_cryptography(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_cryptography)
    with pytest.raises(ConfigurationError, match=r"consentkit\[group\]"):
        PublicKey.read(PUBLIC)
    with pytest.raises(ConfigurationError, match=r"consentkit\[group\]"):
        PrivateKey.read(PRIVATE, None)
    with pytest.raises(ConfigurationError, match=r"consentkit\[group\]"):
        new_pair()


def with_the_public_key_as_a_secret() -> str:
    message = f"{packed({'alg': 'HS256', 'typ': 'JWT'})}.{packed(CLAIMS)}"
    secret = base64.urlsafe_b64decode(PUBLIC + "=")
    mac = hmac.new(secret, message.encode(), hashlib.sha256).digest()
    return f"{message}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


GOOD = signed({"alg": "EdDSA"})


# XS-06
@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        "a.b.c",
        GOOD + ".",
        GOOD[:-4] + "AAAA",
        GOOD.rsplit(".", 1)[0] + ".",
        jwt.encode(CLAIMS, None, algorithm="none"),
        f"{packed({'alg': 'none'})}.{packed(CLAIMS)}.{GOOD.rsplit('.', 1)[1]}",
        with_the_public_key_as_a_secret(),
        jwt.encode(CLAIMS, PUBLIC, algorithm="HS256"),
        signed({"alg": "HS256"}),
        signed({"alg": "none"}),
        signed({"alg": "ES256"}),
        signed({"alg": ["EdDSA"]}),
        signed({}),
        signed({"alg": "EdDSA", "b64": False, "crit": ["b64"]}),
        signed({"alg": "EdDSA"}, ["not", "claims"]),
        signed({"alg": "EdDSA"}, "text"),
        signed({"alg": "EdDSA"}, None),
        "ÿ." + GOOD,
        GOOD + "\n",
        " " + GOOD,
        GOOD + "==",
        GOOD.replace(".", "=.", 1),
    ],
)
def test_malformed_or_wrongly_signed_token_has_no_claims(token: str) -> None:
    assert verify(token) is None


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def other_spellings(text: str) -> list[str]:
    """Return the texts with other spare bits in their last character, which decode to the same bytes."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    spellings = [text[:-1] + letter for letter in LETTERS if letter != text[-1]]
    return [other for other in spellings if base64.urlsafe_b64decode(other + "=" * (-len(other) % 4)) == raw]


# HO-17, SG-03
def test_token_with_its_signature_spelled_otherwise_has_no_claims() -> None:
    message, signature = GOOD.rsplit(".", 1)
    others = other_spellings(signature)
    assert len(others) == 15 and verify(GOOD) == CLAIMS
    for other in others:
        assert verify(f"{message}.{other}") is None, other


def test_token_with_a_payload_spelled_otherwise_has_no_claims_though_its_key_signed_it() -> None:
    header = packed({"alg": "EdDSA"})
    key = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(PRIVATE + "="))
    payloads = [packed(CLAIMS | {"x": "y" * number}) for number in range(3)]
    others = [other for payload in payloads for other in other_spellings(payload)]
    assert others
    for other in [*others, payloads[0] + "A" * (1 - len(payloads[0]) % 4)]:
        message = f"{header}.{other}"
        signature = base64.urlsafe_b64encode(key.sign(message.encode())).rstrip(b"=").decode()
        assert verify(f"{message}.{signature}") is None, other


# HO-17
def test_token_signed_by_another_site_has_no_claims_whatever_its_header_says() -> None:
    private, public = new_pair()
    other = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(private + "="))
    for header in (
        {},
        {"kid": PUBLIC},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": public}},
        {"jku": "https://stride.example/keys.json", "x5u": "https://stride.example/key.pem"},
    ):
        assert verify(jwt.encode(CLAIMS, other, algorithm="EdDSA", headers=header)) is None


def test_key_fields_in_a_token_header_are_ignored() -> None:
    assert verify(signed({"alg": "EdDSA", "kid": "../../etc/passwd", "jwk": {"kty": "OKP"}})) == CLAIMS


def test_signed_payload_that_is_not_valid_json_has_no_claims() -> None:
    key = PrivateKey.read(PRIVATE, PublicKey.read(PUBLIC)).key
    for payload in (b"[" * 5_000, b"{", b"\xff", b'{"iat": ' + b"9" * 5000 + b"}"):
        assert verify(jwt.PyJWS().encode(payload, key, algorithm="EdDSA")) is None


def test_a_token_longer_than_any_of_ours_is_not_even_parsed() -> None:
    for length, read in ((1_000, True), (8_000, False)):
        assert (verify(signed({"alg": "EdDSA"}, {"longest": "x" * length})) is not None) is read
