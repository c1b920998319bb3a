"""The example site in Wagtail, started by its one command: what editors embed waits for the visitor."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx2
import pytest

from consentkit import Ledger
from tests.support.servers import free_port, running

ROOT = Path(__file__).parents[2]
BANNER = 'id="cookie-consent"'
PLAYER = "https://www.youtube.com/embed/"

FRAMED = {"sec-fetch-dest": "iframe", "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("club") / "data"


@pytest.fixture(scope="module")
def base(data: Path) -> Iterator[str]:
    port = free_port()
    arguments = ["-m", "examples.wagtail_site", "--port", str(port), "--data", data]
    # The migrations of Wagtail take their time.
    with running(arguments, port=port, cwd=ROOT, patience=120) as base:
        yield base


@pytest.fixture
def client(base: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=base, headers={"Origin": base}, timeout=30) as client:
        yield client


def frames(page: str) -> list[str]:
    return [unescape(address) for address in re.findall(r'<iframe src="([^"]+)"', page)]


def test_editors_videos_are_placeholders_in_rich_text_and_in_a_block(client: httpx2.Client) -> None:
    page = client.get("/")
    assert page.text.count(BANNER) == 1 and "set-cookie" not in page.headers
    in_text, in_block = frames(page.text)
    for address in (in_text, in_block):
        assert address.startswith("/consent/embed/youtube?") and f'src="{PLAYER}' not in page.text
        placeholder = client.get(address)
        assert (
            placeholder.status_code == 200 and "YouTube" in placeholder.text and "<form" in placeholder.text
        )


def test_videos_play_with_consent_until_it_is_withdrawn(client: httpx2.Client, data: Path) -> None:
    assert client.post("/consent/decision", json={"choice": "accept_all"}).status_code == 200
    page = client.get("/").text
    assert BANNER not in page
    for address in frames(page):
        assert f'src="{PLAYER}' in client.get(address, headers=FRAMED).text
    assert client.delete("/consent/decision").json()["status"] == "withdrawn"
    assert f'src="{PLAYER}' not in client.get(frames(page)[0], headers=FRAMED).text
    ledger = Ledger(f"sqlite:///{data / 'consent.db'}")
    assert [record.event for record in ledger.records()][-2:] == ["given", "withdrawn"]
    ledger.close()


def test_editors_log_in_without_a_banner_and_keep_their_cookies(client: httpx2.Client) -> None:
    page = client.get("/admin/login/")
    assert page.status_code == 200 and BANNER not in page.text
    assert "csrftoken" in page.cookies
