import base64
import string
import subprocess
from pathlib import Path

import pytest

from consentkit.errors import ConfigurationError, LedgerError
from consentkit.proof import Checkpoint, SigningKey, VerifyingKey, open_note, sign_note
from tests.support.records import NOON

HEADS = {"0": (3, "a" * 64), "log": (1, "b" * 64)}
CHECKPOINT = Checkpoint("example.org/consent", NOON, HEADS)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.new("example.org/consent")


def test_a_note_is_what_was_signed(key: SigningKey) -> None:
    note = sign_note(CHECKPOINT.to_text(), key)
    assert open_note(note, VerifyingKey.read(key.public.text)) == CHECKPOINT
    assert note.splitlines()[:2] == ["example.org/consent", "4"]


def test_keys_are_read_as_they_are_written(key: SigningKey) -> None:
    again = SigningKey.read(f" {key.text}\n")
    assert (again.text, again.public) == (key.text, key.public)
    assert VerifyingKey.read(key.public.text) == key.public


def test_the_published_example_of_a_signed_note_is_read() -> None:
    # The example of Go's package golang.org/x/mod/sumdb/note.
    key = VerifyingKey.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    with pytest.raises(LedgerError, match="signed, but is no checkpoint"):
        open_note(f"{text}\n\u2014 {signature}\n", key)


def test_every_changed_byte_of_a_note_is_found(key: SigningKey) -> None:
    note = sign_note(CHECKPOINT.to_text(), key)
    for at, character in enumerate(note):
        damaged = note[:at] + chr(ord(character) ^ 1) + note[at + 1 :]
        with pytest.raises(LedgerError):
            open_note(damaged, key.public)
    # The signature's last character has two bits that mean nothing.
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    same = letters[letters.index(note[-3]) ^ 1]
    with pytest.raises(LedgerError):
        open_note(f"{note[:-3]}{same}=\n", key.public)


def test_a_signature_is_found_among_those_of_others(key: SigningKey) -> None:
    other = SigningKey.new("witness.example")
    text = CHECKPOINT.to_text()
    witnessed = sign_note(text, other) + sign_note(text, key).removeprefix(f"{text}\n")
    assert open_note(witnessed, key.public) == open_note(witnessed, other.public) == CHECKPOINT
    namesake = SigningKey.new("example.org/consent")
    with pytest.raises(LedgerError, match="no valid signature"):
        open_note(witnessed, namesake.public)


def test_openssl_verifies_a_note(key: SigningKey, tmp_path: Path) -> None:
    text, _, signature = sign_note(CHECKPOINT.to_text(), key).partition("\n\n")
    (tmp_path / "text").write_text(f"{text}\n", "utf-8")
    (tmp_path / "signature").write_bytes(base64.b64decode(signature.split()[2])[4:])
    raw = base64.b64decode(key.public.text.split("+", 2)[2])[1:]
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + raw)
    command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in text -sigfile signature"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "Signature Verified Successfully\n", done.stderr


@pytest.mark.parametrize("note", ["", "x", "a\n\nb", "a\n\n", "a\n\n\u2014 example.org/consent !\n"])
def test_what_is_no_note_is_refused(key: SigningKey, note: str) -> None:
    with pytest.raises(LedgerError):
        open_note(note, key.public)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "x" * 201])
def test_a_name_that_no_note_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="without white space"):
        SigningKey.new(name)


def test_damaged_keys_are_refused(key: SigningKey) -> None:
    for text in ("x", key.public.text, f"PRIVATE+KEY+{key.public.text[:-4]}"):
        with pytest.raises(ConfigurationError):
            SigningKey.read(text)
    name, digest, encoded = key.public.text.split("+", 2)
    wrong = "0" * 8 if digest != "0" * 8 else "1" * 8
    with pytest.raises(ConfigurationError, match="damaged"):
        VerifyingKey.read(f"{name}+{wrong}+{encoded}")
    with pytest.raises(ConfigurationError, match="damaged"):
        SigningKey.read(key.text.replace(f"+{digest}+", f"+{wrong}+"))
    for text in ("", "a+b", "a+b+!", f"{name}+{digest}+{encoded}AAAA"):
        with pytest.raises(ConfigurationError, match="not an Ed25519 key"):
            VerifyingKey.read(text)
