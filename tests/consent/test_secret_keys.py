from hashlib import sha256

from itsdangerous import Signer

from consentkit.consent.secret_keys import signer, validated_keys


def test_a_signer_signs_with_the_newest_key_and_reads_those_of_all_keys() -> None:
    newest, older = b"n" * 31 + b"1", b"o" * 31 + b"2"
    made = signer([older, newest], "salt")
    assert made.sign(b"value") == Signer(newest, "salt", key_derivation="hmac", digest_method=sha256).sign(
        b"value"
    )
    assert made.unsign(signer([older], "salt").sign(b"value")) == b"value"
    assert not made.validate(signer([newest], "another salt").sign(b"value"))


def test_keys_are_bytes_newest_first_whatever_they_were_given_as() -> None:
    assert validated_keys(["k" * 32, b"l" * 32]) == [b"k" * 32, b"l" * 32]
