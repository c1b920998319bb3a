import json
import re
from pathlib import Path
from typing import Any

import pytest

import consentkit
from consentkit.ui import Loader
from consentkit.ui.assets import inline_style, loader_script, shipped_assets
from tests.support.front import Front
from tests.support.told import tree


def data_of(script: str) -> Any:
    """Return what a site put into the loader."""
    before, _, after = loader_script().partition('"consentkit page"')
    assert script.startswith(before) and script.endswith(after)
    return json.loads(script[len(before) : -len(after)])


@pytest.fixture
def loader(front: Front) -> Loader:
    return front.shared.loader


def test_the_loader_has_what_a_page_for_all_visitors_has(front: Front, loader: Loader) -> None:
    data = data_of(loader.script("en"))
    (public,) = tree(front.shared.script_tag.tag("en")).iter("script")
    assert data["tag"] == {
        name.removeprefix("data-"): value for name, value in public.items() if name.startswith("data-")
    }
    assert data["style"] == inline_style()[0]
    assert data["script"] == shipped_assets()["consent.js"].hashed_name
    assert data["remote"] == shipped_assets()["remote.js"].hashed_name
    assert data["stylesheet"] == shipped_assets()["consent.css"].hashed_name


def test_the_settings_link_has_the_language_and_the_root_path(loader: Loader) -> None:
    data = data_of(loader.script("nl-BE", "/site"))
    assert data["tag"]["language"] == "nl"
    assert 'lang="nl"' in data["settings"] and 'href="/site/consent"' in data["settings"]
    assert "<form" not in data["settings"]


def test_the_loader_names_no_visitor_and_is_the_same_each_time(loader: Loader) -> None:
    assert loader.script("en") == loader.script("en")
    assert set(data_of(loader.script("en"))["tag"]).isdisjoint({"state", "reload", "form", "debug", "known"})


def test_types_and_data_of_the_loader_agree(loader: Loader) -> None:
    types = (Path(consentkit.__file__).parent / "ui/script/types.d.ts").read_text("utf-8")
    declared = re.search(r"interface LoaderData \{(.*?)\n\}", types, re.DOTALL)
    assert declared
    assert set(re.findall(r"readonly (\w+):", declared[1])) == set(data_of(loader.script("en")))


def test_address_of_the_loader_stays_and_is_asked_for_each_time(front: Front) -> None:
    client = front.client()
    response = client.get("/consent/loader.js", headers={"accept-language": "nl"})
    assert response.status_code == 200 and 'lang=\\"nl\\"' in response.text
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, no-cache"
    assert response.headers["vary"] == "Accept-Language"
    assert "set-cookie" not in response.headers
    tag = response.headers["etag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get("/consent/loader.js", headers={"accept-language": "nl", "if-none-match": sent})
        assert again.status_code == 304 and again.text == "" and again.headers["etag"] == tag
    other = client.get("/consent/loader.js", headers={"accept-language": "en", "if-none-match": tag})
    assert other.status_code == 200 and other.headers["etag"] != tag


def test_loader_is_the_same_after_an_answer(front: Front) -> None:
    client = front.client()
    before = client.get("/consent/loader.js")
    front.cookie(client, analytical=True)
    after = client.get("/consent/loader.js")
    assert (after.text, after.headers["etag"]) == (before.text, before.headers["etag"])
    assert "set-cookie" not in after.headers and client.head("/consent/loader.js").text == ""
