"""The attack cases and one visit to a Flask application, on every WSGI server that the documentation names."""

import http.client
import json
import os
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journeys.test_servers import (
    COOKIE,
    DOCUMENT,
    PICTURE,
    ROOT,
    Server,
    accepted,
    granted,
    play_attacks,
)
from tests.support.attacked import FILES, LEDGER
from tests.support.served_flask import GATE
from tests.support.servers import LOCALHOST, free_port, running

APP = "tests.support.served_flask:app"
GUNICORN = ("-m", "gunicorn", APP, "--bind", f"{LOCALHOST}:{{port}}", "--log-level", "warning")
# What starts each server on a port. A clock that the cases move is one process's own.
SERVERS = {
    "gunicorn-sync": GUNICORN,
    # The attacks' runner reads until the server closes.
    "gunicorn-gthread": (*GUNICORN, "--worker-class", "gthread", "--threads", "8", "--keep-alive", "0"),
    "gunicorn-gevent": (*GUNICORN, "--worker-class", "gevent"),
    "waitress": ("-m", "waitress", "--host", LOCALHOST, "--port", "{port}", APP),
}
# Where threads are greenlets, the ledger's own ones have to share a thread with the clients of a worker.
DECISIONS = {"gunicorn-gevent": 1000}
CLIENTS = 16


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with the attacked sites over a fresh ledger, in a process of its own."""
    place = tmp_path_factory.mktemp(request.param)
    files = place / "files"
    files.mkdir()
    (files / "picture.png").write_bytes(PICTURE)
    (files / "page.html").write_bytes(DOCUMENT)
    os.mkfifo(files / GATE)
    environment = {LEDGER: f"sqlite:///{place / 'attacked.db'}", FILES: str(files)}
    port = free_port()
    arguments = [argument.format(port=port) for argument in SERVERS[request.param]]
    with running(arguments, port=port, environment=environment, cwd=ROOT):
        yield Server(request.param, port, files)


@pytest.mark.parametrize("server", ["gunicorn-gthread"], indirect=True)
def test_every_attack_comes_to_nothing(server: Server, tmp_path: Path) -> None:
    play_attacks(server, tmp_path)


def test_a_visitor_is_asked_accepts_and_withdraws(server: Server) -> None:
    assert b'id="cookie-consent"' in server.ask("GET", "/").body
    assert server.ask("GET", "/social").status == 403
    cookie = b"Cookie: " + COOKIE + b"=" + accepted(server)
    page = server.ask("GET", "/", cookie)
    assert b'id="cookie-consent"' not in page.body and b"/consent/withdraw" in page.body
    assert server.ask("GET", "/social", cookie).body == b"social"
    withdrawn = server.ask("DELETE", "/consent/decision", cookie)
    assert json.loads(withdrawn.body)["status"] == "withdrawn"
    assert granted(server, b"Cookie: " + COOKIE + b"=" + withdrawn.token) == granted(server, cookie) == []


def test_head_has_no_body(server: Server) -> None:
    for path in ("/", "/consent", "/files/picture.png"):
        answer = server.ask("HEAD", path)
        assert (answer.status, answer.body) == (200, b""), path


def test_a_file_is_served_intact_or_with_the_banner(server: Server) -> None:
    picture = server.ask("GET", "/files/picture.png")
    assert (picture.status, picture.body) == (200, PICTURE)
    assert picture.values(b"content-length") == [b"%d" % len(PICTURE)]
    page = server.ask("GET", "/files/page.html")
    assert b'id="cookie-consent"' in page.body
    assert page.values(b"content-length") in ([], [b"%d" % len(page.body)])


def test_a_page_is_sent_as_the_application_makes_it(server: Server) -> None:
    with socket.create_connection((LOCALHOST, server.port), timeout=30) as connection:
        connection.sendall(b"GET /streamed HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        received = b""
        while b"<p>first" not in received:
            received += connection.recv(65_536)
        assert b'id="cookie-consent"' in received
        (server.files / GATE).write_text("go on")
        rest = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b"<p>second" in rest


def decide(port: int, times: int) -> Counter[int]:
    """Decide as so many visitors, one after the other on one connection, and return how often each status came."""
    statuses: Counter[int] = Counter()
    connection = http.client.HTTPConnection(LOCALHOST, port, timeout=30)
    for _ in range(times):
        headers = {"Host": "a.test", "Content-Type": "application/json", "Origin": "https://a.test"}
        connection.request("POST", "/consent/decision", b'{"choice":"accept_all"}', headers)
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
    connection.close()
    return statuses


def test_decisions_of_many_clients_are_all_recorded(server: Server) -> None:
    before = len(server.ask("GET", "/_ledger").body.splitlines())
    times = DECISIONS.get(server.name, 100) // CLIENTS + 1
    with ThreadPoolExecutor(CLIENTS) as clients:
        statuses = sum(clients.map(lambda _: decide(server.port, times), range(CLIENTS)), Counter[int]())
    assert statuses == {200: CLIENTS * times}
    assert len(server.ask("GET", "/_ledger").body.splitlines()) == before + CLIENTS * times
