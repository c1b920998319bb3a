import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consentkit.manager.http_post import post
from tests.support.receiver import receiving

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@contextmanager
def dripping(
    context: ssl.SSLContext | None = None, greeting: bytes = b"HTTP/1.1 200 OK\r\nX: "
) -> Iterator[int]:
    """Listen, and answer a byte now and then, without end."""
    over = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with (
            connection,
            suppress(OSError),
            context.wrap_socket(connection, server_side=True) if context else connection as stream,
        ):
            stream.recv(10)
            for byte in greeting + b"x" * 10_000:
                stream.send(bytes([byte]))
                if over.wait(0.01):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join(30)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """A server's context with a certificate for 127.0.0.1, and a client's that trusts it."""
    return certified(tmp_path_factory.mktemp("certificate"))


def certified(folder: Path) -> Contexts:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver of the tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=path)


def test_body_and_headers_arrive_once_and_the_answer_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with receiving("/hooks/consent?token=1") as receiver:
        receiver.fails(503, retry_after="7")
        answer = post(receiver.url, b"{}", {"webhook-id": "msg_1"})
        got = receiver.next()
        assert receiver.deliveries.empty()
    assert (answer.status, answer.retry_after) == (503, "7")
    assert (got.path, got.body, got.id) == ("/hooks/consent?token=1", b"{}", "msg_1")
    assert got.headers["host"] == receiver.url.split("/")[2]


def test_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiving() as receiver, receiving() as other:
        receiver.fails(307, location=other.url)
        assert post(receiver.url, b"{}", {}).status == 307
        assert other.deliveries.empty()


def test_receiver_that_drips_is_left_when_the_time_is_over() -> None:
    with dripping() as port:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            post(f"http://127.0.0.1:{port}", b"{}", {}, limit=0.3)
        assert time.monotonic() - begun < 20


def test_endless_answer_is_not_read_to_its_end() -> None:
    with dripping(greeting=b"HTTP/1.1 200 OK\r\n\r\n") as port:
        begun = time.monotonic()
        assert post(f"http://127.0.0.1:{port}", b"{}", {}, limit=1).status == 200
        assert time.monotonic() - begun < 20


def test_handshake_that_never_ends_is_left_too() -> None:
    with dripping(greeting=b"\x16\x03\x03\x3f\xff") as port, pytest.raises(OSError):
        post(f"https://127.0.0.1:{port}", b"{}", {}, limit=0.3)


def test_https_is_spoken_to_whom_the_certificate_is_for(contexts: Contexts) -> None:
    server, client = contexts
    head = b"HTTP/1.1 204 No Content\r\n\r\n"
    with dripping(server, head) as port:
        assert post(f"https://127.0.0.1:{port}", b"{}", {}, context=client).status == 204
    with dripping(server, head) as port, pytest.raises(ssl.SSLCertVerificationError):
        post(f"https://127.0.0.1:{port}", b"{}", {})


def test_no_connection_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionError):
        post(f"http://127.0.0.1:{port}", b"{}", {})
