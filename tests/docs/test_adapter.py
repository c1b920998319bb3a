"""The adapter in the documentation, as a server that browsers could use."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.front import COOKIE, DOCUMENT, EVERYTHING, Front
from tests.support.pages_of_docs import ROOT, blocks_of

PAGE = ROOT / "docs" / "how-to" / "adapter.md"


def application(headers: Any, consent: Any) -> tuple[int, list[tuple[bytes, bytes]], list[bytes]]:
    """Serve a page that shows what the application sees, in two pieces."""
    cookies = dict(headers).get(b"cookie", b"none")
    text = f"{DOCUMENT} {consent.allows('analytical')} ".encode()
    set_cookie = (b"set-cookie", b"_ga=1; Path=/")
    return 200, [(b"content-type", b"text/html; charset=utf-8"), set_cookie], [text, cookies]


@pytest.fixture
def client(front: Front) -> Iterator[httpx2.Client]:
    names: dict[str, Any] = {}
    block = next(block for block in blocks_of(PAGE.read_text("utf-8")) if block.title == "host.py")
    assert len(block.code.splitlines()) <= 70
    exec(compile(block.code, block.title, "exec"), names)  # noqa: S102 - ours
    server = names["make_server"](("127.0.0.1", 0), front.manager, application)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{server.server_address[1]}") as client:
            yield client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_adapter_asks_remembers_obeys_and_withdraws(client: httpx2.Client, front: Front) -> None:
    first = client.get("/", headers={"cookie": "_ga=1"})
    assert 'id="cookie-consent"' in first.text
    assert first.text.endswith("False none")
    assert "_ga=;" in first.headers["set-cookie"].replace('""', "")
    given = client.post("/consent/decision", json={"categories": EVERYTHING})
    assert given.json()["status"] == "given"
    cookie = {"cookie": f"_ga=1; {COOKIE}={given.cookies[COOKIE]}"}
    granted = client.get("/", headers=cookie)
    assert 'id="cookie-consent"' not in granted.text
    assert "True _ga=1" in granted.text
    assert granted.headers["set-cookie"].startswith("_ga=1")
    assert client.delete("/consent/decision", headers=cookie).json()["status"] == "withdrawn"
    assert [record.event for record in front.records()] == ["given", "withdrawn"]


def test_the_adapter_refuses_what_is_too_large(client: httpx2.Client, front: Front) -> None:
    assert client.post("/consent/decision", json={"choice": "x" * 20_000}).status_code == 413
    assert client.head("/consent").text == ""
    assert front.records() == []


def test_the_page_names_what_is_public() -> None:
    import consentkit.web as web

    text = Path(PAGE).read_text("utf-8")
    for name in ("BodyBuffer", "Endpoints", "Exchange", "RequestHead", "Response", "SiteServices", "refusal"):
        assert name in text
        assert name in web.__all__
