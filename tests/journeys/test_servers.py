"""The attack cases and one visit, on every ASGI server that the documentation names."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.journeys.test_security import CASES, HAVE, SITES, executable
from tests.support.attacked import FILES, LEDGER
from tests.support.http2 import forwarding
from tests.support.servers import LOCALHOST, free_port, running

ROOT = Path(__file__).parents[2]
APP = "tests.support.served_sites:app"
UVICORN = ("-m", "uvicorn", APP, "--host", LOCALHOST, "--log-level", "warning", "--port", "{port}", "--http")
# What starts each server on a port.
SERVERS = {
    "uvicorn-h11": (*UVICORN, "h11"),
    "uvicorn-httptools": (*UVICORN, "httptools"),
    "hypercorn-http2": ("-m", "hypercorn", APP, "--workers", "0", "--bind", f"{LOCALHOST}:{{port}}"),
    "granian": (
        *("-m", "granian", APP, "--interface", "asgi", "--log-level", "warning"),
        # The attacks' runner reads until the server closes, which Granian else does not after a refused upgrade.
        *("--workers", "1", "--no-http1-keep-alive", "--host", LOCALHOST, "--port", "{port}"),
    ),
    "daphne": ("-m", "daphne", APP, "-v", "0", "-b", LOCALHOST, "-p", "{port}"),
}
# A file of more than one chunk, with every byte.
PICTURE = bytes(range(256)) * 1024
DOCUMENT = b"<!doctype html><html lang=en><head><title>x</title></head><body><p>A file</p></body></html>"
COOKIE = b"__Host-consent"


class Answer(NamedTuple):
    """A response as it came over the wire."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    @property
    def token(self) -> bytes:
        """The consent cookie's value that the response sets; empty for none."""
        lines = [line for line in self.values(b"set-cookie") if line.startswith(COOKIE + b"=")]
        return lines[0].partition(b";")[0].partition(b"=")[2] if lines else b""


class Server(NamedTuple):
    """A running server, and the port on which it can be asked over HTTP/1.1."""

    name: str
    port: int
    files: Path

    def ask(self, method: str, path: str, *fields: bytes, body: bytes = b"") -> Answer:
        """Send a request to the first site, its fields byte for byte as given."""
        first = f"{method} {path} HTTP/1.1".encode()
        length = [b"Content-Length: %d" % len(body)] if body or method != "GET" else []
        head = [first, b"Host: a.test", b"Connection: close", *length, *fields, b"", b""]
        with socket.create_connection((LOCALHOST, self.port), timeout=30) as connection:
            connection.sendall(b"\r\n".join(head) + body)
            received = b"".join(iter(lambda: connection.recv(65_536), b""))
        return read_answer(received)


def read_answer(received: bytes) -> Answer:
    """Read a response of HTTP/1.1, also one in chunks."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    split = [line.partition(b":") for line in lines]
    headers = [(name.lower(), value.strip(b" ")) for name, _, value in split]
    if (b"transfer-encoding", b"chunked") in headers:
        rest, body = body, b""
        while size := int((line := rest.partition(b"\r\n"))[0], 16):
            body += line[2][:size]
            rest = line[2][size + 2 :]
    return Answer(int(first.split(b" ")[1]), headers, body)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with the attacked sites over a fresh ledger, in a process of its own."""
    place = tmp_path_factory.mktemp(request.param)
    files = place / "files"
    files.mkdir()
    (files / "picture.png").write_bytes(PICTURE)
    (files / "page.html").write_bytes(DOCUMENT)
    environment = {LEDGER: f"sqlite:///{place / 'attacked.db'}", FILES: str(files)}
    port = free_port()
    arguments = [argument.format(port=port) for argument in SERVERS[request.param]]
    with ExitStack() as stack:
        stack.enter_context(running(arguments, port=port, environment=environment, cwd=ROOT))
        if request.param == "hypercorn-http2":
            port = stack.enter_context(forwarding(port))
        yield Server(request.param, port, files)


def test_every_attack_comes_to_nothing(server: Server, tmp_path: Path) -> None:
    play_attacks(server, tmp_path)


def play_attacks(server: Server, directory: Path) -> None:
    """Play the attack cases against a server; `directory` is for a file of the runner."""
    sites = {
        name: {"id": site, "addr": f"{LOCALHOST}:{server.port}", "host": host, "origin": f"https://{host}"}
        for name, (site, host) in SITES.items()
    }
    params = directory / "params.json"
    params.write_text(json.dumps({"sites": sites}))
    ran = subprocess.run(
        [
            sys.executable,
            str(CASES / "run_cases.py"),
            str(CASES / "cases.json"),
            *("--params", str(params), "--have", HAVE, "-v"),
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=150,
    )
    counted = re.search(r"\{'pass': (\d+), 'fail': (\d+), 'skip': \d+\}", ran.stdout)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert counted is not None, ran.stdout + ran.stderr
    assert int(counted[1]) >= executable() and counted[2] == "0", ran.stdout


def granted(server: Server, *fields: bytes) -> list[str]:
    answer = server.ask("GET", "/_probe", *fields)
    # A server may refuse a field that HTTP does not allow.
    return list(json.loads(answer.body)["granted"]) if answer.status != 400 else []


def accepted(server: Server) -> bytes:
    """Answer the banner with "Accept all", and return the token."""
    body = b'{"choice":"accept_all"}'
    answer = server.ask("POST", "/consent/decision", b"Content-Type: application/json", body=body)
    assert answer.status == 200
    return answer.token


def test_a_visitor_is_asked_accepts_and_withdraws(server: Server) -> None:
    assert b'id="cookie-consent"' in server.ask("GET", "/").body
    cookie = b"Cookie: " + COOKIE + b"=" + accepted(server)
    page = server.ask("GET", "/", cookie)
    assert b'id="cookie-consent"' not in page.body and b"/consent/withdraw" in page.body
    assert granted(server, cookie) == ["analytical", "social", "tracking"]
    withdrawn = server.ask("DELETE", "/consent/decision", cookie)
    assert json.loads(withdrawn.body)["status"] == "withdrawn"
    assert granted(server, b"Cookie: " + COOKIE + b"=" + withdrawn.token) == granted(server, cookie) == []


def test_a_picture_is_served_intact_and_a_page_in_a_file_with_the_banner(server: Server) -> None:
    picture = server.ask("GET", "/files/picture.png")
    assert (picture.status, picture.body) == (200, PICTURE)
    assert picture.values(b"content-length") == [b"%d" % len(PICTURE)]
    page = server.ask("GET", "/files/page.html")
    # Granian would read the file itself.
    sends_paths = "http.response.pathsend" in json.loads(server.ask("GET", "/_extensions").body)
    assert sends_paths is (server.name == "granian")
    assert b'id="cookie-consent"' in page.body and page.body.endswith(DOCUMENT[-14:])
    assert page.values(b"content-length") in ([], [b"%d" % len(page.body)])


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ((b"Cookie: {cookie}",), True),
        ((b"Cookie: a=1", b"Cookie: {cookie}"), True),
        ((b"Cookie: {cookie}; a=\xe9\xff",), True),
        ((b"Cookie: {name}=x; {cookie}", b"Cookie: {name}=y"), True),
        ((b"Cookie: \xa0{cookie}",), False),
        ((b"Cookie: a=1;\xa0{cookie}",), False),
        ((b"Cookie: a=1;\x0b{cookie}",), False),
        ((b"Cookie: a=1, {cookie}",), False),
        ((b'Cookie: a="1; x={cookie}"',), False),
        ((b"Cookie2: {cookie}",), False),
        ((b"X-Cookie: {cookie}",), False),
        ((b"Cookie: {cookie}\x00",), False),
    ],
    ids=ascii,
)
def test_odd_bytes_around_a_granted_cookie_grant_nothing(
    server: Server, fields: tuple[bytes, ...], counts: bool
) -> None:
    pair = COOKIE + b"=" + accepted(server)
    sent = [field.replace(b"{cookie}", pair).replace(b"{name}", COOKIE) for field in fields]
    assert bool(granted(server, *sent)) is counts


@pytest.mark.parametrize(
    "address", ["//evil.example", "/\\evil.example", "https://evil.example/", "/\t/evil.example", "/consent"]
)
def test_a_form_leads_back_to_the_site_and_repeats_nothing(server: Server, address: str) -> None:
    body = f"choice=reject_all&next={quote(address, safe='')}".encode()
    form = b"Content-Type: application/x-www-form-urlencoded"
    answer = server.ask("POST", "/consent/decision", form, body=body)
    assert (answer.status, answer.values(b"location")) == (303, [b"/"])
    page = server.ask("GET", "/consent?next=" + quote(f'{address}"><script>alert(1)</script>', safe=""))
    assert page.status == 200 and b"<script>alert" not in page.body
