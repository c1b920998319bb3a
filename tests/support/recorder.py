"""A server that answers for every host on one port, as vendors do, and records which hosts were asked.

A host is recorded as soon as a connection names it, with or without a request, because a preconnect already reaches the
vendor.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What the vendors' scripts store, and the hosts that they ask.
SCRIPTS = {
    "www.googletagmanager.com": "document.cookie = '_ga=1; Path=/'; document.cookie = '_ga_STRIDE=1; Path=/';"
    "fetch('https://region1.google-analytics.com/g/collect', { method: 'POST', mode: 'no-cors' });",
    "cdn.matomo.cloud": "document.cookie = '_pk_id.1=1; Path=/'; document.cookie = '_pk_ses.1=1; Path=/';"
    "new Image().src = 'https://stride.matomo.cloud/matomo.php?idsite=' + _paq.length;",
    "try.abtasty.com": "document.cookie = 'ABTasty=1; Path=/'; document.cookie = 'ABTastySession=1; Path=/';",
    "securepubads.g.doubleclick.net": "document.cookie = '__gads=1; Path=/';",
    "dynamic.criteo.com": "document.cookie = 'cto_bundle=1; Path=/'; sessionStorage.setItem('cto_seen', 1);",
    "cdn.adhub.example": "indexedDB.open('adhub-segments').onsuccess = event => event.target.result.close();"
    "new Image().src = 'https://px.adhub.example/seen.gif';",
    "connect.facebook.net": "document.querySelector('.fb-like').append(Object.assign(document.createElement('iframe'),"
    "{ title: 'Like', src: 'https://www.facebook.com/v23.0/plugins/like.php' }));",
}


# Hosts that Chromium asks by itself, on any page.
BROWSERS_OWN = {
    *("", "accounts.google.com", "android.clients.google.com", "clients2.google.com", "www.google.com"),
    *("content-autofill.googleapis.com", "optimizationguide-pa.googleapis.com", "update.googleapis.com"),
}


@dataclass
class Recorder:
    """The port of the server, and the hosts that were asked since `taken` was last called."""

    port: int
    hosts: set[str] = field(default_factory=set)

    def add(self, host: str) -> None:
        if host not in BROWSERS_OWN:
            self.hosts.add(host)

    def taken(self) -> set[str]:
        hosts, self.hosts = self.hosts, set()
        return hosts

    @property
    def arguments(self) -> tuple[str, ...]:
        """Arguments that send Chromium here for every host but the sites under test."""
        rules = f"MAP * 127.0.0.1:{self.port}, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1"
        return (f"--host-resolver-rules={rules}", "--ignore-certificate-errors")


@contextmanager
def recording(folder: Path) -> Iterator[Recorder]:
    """Run the server until the context ends."""
    server = _Server(("127.0.0.1", 0), _Vendor)
    recorder = server.recorder = Recorder(server.server_port)

    def named(connection: Any, host: str | None, context: Any) -> None:
        recorder.add(host or "")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    context.sni_callback = named
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    recorder: Recorder


class _Vendor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        host = (self.headers.get("host") or "").partition(":")[0]
        self.server.recorder.add(host)
        length = int(self.headers.get("content-length") or 0)
        if length:
            self.rfile.read(length)
        kind = "text/javascript" if host in SCRIPTS else "text/html; charset=utf-8"
        body = SCRIPTS.get(host, "<!doctype html><html lang=en><title>Theirs</title><p>Theirs</p>").encode()
        self.send_response(200)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Access-Control-Allow-Origin", "*"),
            ("Cache-Control", "no-store"),
            ("Set-Cookie", "theirs=1; Secure; SameSite=None; Partitioned"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        """Stay silent."""

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ssl.SSLError):
            return


def _certificate(folder: Path) -> Path:
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendors of the tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "vendors.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
