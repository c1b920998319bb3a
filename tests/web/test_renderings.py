"""A record leads to the very words that were sent, whatever page they stood on and whatever process sent them."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from consentkit.asgi import requires_consent
from consentkit.consent import Choice, transitions
from consentkit.ledger import Ledger, SentWords
from consentkit.manager import ChoiceContext, renderings
from consentkit.notices import Notice
from consentkit.ui import Confirmation, View
from consentkit.web.embed_signer import EmbedSigner
from tests.conftest import Clock
from tests.support.front import EVERYTHING, Front, a_policy, fronting
from tests.support.records import another_process_holds
from tests.support.told import rows

DECISION = "/consent/decision"
VIDEO = "https://www.youtube-nocookie.com/embed/abc"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'consent.db'}"


@pytest.fixture
def front(clock: Clock, url: str) -> Iterator[Front]:
    with fronting(clock, ledger=Ledger(url)) as front:
        yield front


def ids_in(html: str) -> set[str]:
    return set(re.findall(r'name="rendering" value="([^"]*)"', html))


def id_in(html: str) -> str:
    (found,) = ids_in(html)
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", found)
    return found


def words(front: Front, rendering: str) -> SentWords:
    """Return the stored words, once the thread that stores them has ended."""
    store = front.manager.recorder.renderings
    thread = store._thread
    if thread is not None:
        thread.join()
    found = front.ledger.rendering(rendering)
    assert found is not None
    return found


def form_of(html: str, choice: str) -> dict[str, str]:
    """Return the hidden fields of the form with a button."""
    form = next(found for found in re.findall(r"<form.*?</form>", html, re.S) if f'value="{choice}"' in found)
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))
    return fields | {"choice": choice}


# RC-01, IN-06
@pytest.mark.parametrize(
    ("path", "choice", "surface", "text"),
    [
        ("/", "accept_all", "banner", "We use cookies and similar technologies."),
        ("/consent", "save", "preferences", "Choose for each purpose"),
        ("/consent/banner", "reject_all", "banner", "Reject all"),
    ],
)
def test_record_leads_to_the_words_of_the_form(
    front: Front, path: str, choice: str, surface: str, text: str
) -> None:
    with front.client() as client:
        html = client.get(path).text
        form = form_of(html, choice)
        assert client.post(DECISION, data=form).status_code == 303
    (record,) = front.records()
    assert record.surface == surface and record.rendering == form["rendering"]
    sent = words(front, record.rendering)
    assert (sent.notice, sent.site, sent.language, sent.surface) == (record.notice, "stride", "en", surface)
    assert text in sent.html and sent.version == record.version
    assert "{next}" in sent.html and form["submission"] not in sent.html


def test_script_sends_the_rendering_of_the_form_and_the_api_sends_none(front: Front) -> None:
    with front.client() as client:
        form = form_of(client.get("/").text, "accept_all")
        del form["next"]
        client.post(DECISION, json=form)
        rendering = id_in(client.get("/consent/settings").text)
        client.delete(f"{DECISION}?rendering={rendering}&surface=preferences&language=en")
        client.post(DECISION, json={"choice": "reject_all"})
        client.post(DECISION, json={"choice": "accept_all"})
    given, withdrawn, refused, again = front.records()
    assert given.rendering == form["rendering"] and withdrawn.rendering == rendering
    assert refused.rendering == again.rendering == ""
    sent = words(front, rendering)
    assert sent.surface == "footer" and "Withdraw consent" in sent.html


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/consent/policy", "policy"),
        ("/consent/sites", "sites"),
        ("/consent/nothing", "error"),
        ("/vip", "error"),
    ],
)
def test_withdrawal_on_a_page_of_the_library_leads_to_that_page(
    front: Front, path: str, surface: str
) -> None:
    @requires_consent("tracking")
    async def vip(request: object) -> None:
        raise AssertionError

    with front.client(vip) as client:
        front.cookie(client, social=True)
        rendering = id_in(client.get(path, headers={"Accept": "text/html"}).text)
        client.post("/consent/withdraw", data={"rendering": rendering, "surface": "policy", "language": "en"})
    record = front.records()[-1]
    assert record.event == "withdrawn" and record.rendering == rendering
    assert words(front, rendering).surface == surface


def embed_address(front: Front, vendor: str = "youtube") -> str:
    query = urlencode({"u": VIDEO, "s": EmbedSigner(front.manager).sign(vendor, VIDEO)})
    return f"/consent/embed/{vendor}?{query}"


# RC-01, IN-06
def test_embed_leads_to_the_placeholder_also_when_it_is_loaded_once(front: Front) -> None:
    framed = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin"}
    with front.client() as client:
        html = client.get(embed_address(front), headers=framed).text
        again = re.search(r'class="cookie-consent-once" method="post" action="([^"]+)"', html)
        assert again is not None
        loaded = client.post(
            again[1].replace("&amp;", "&"), headers=framed | {"Origin": "https://stride.example"}
        )
        assert loaded.status_code == 303 and "&r=" not in loaded.headers["location"]
        client.post(DECISION, data=form_of(html, "change"))
    once, always = front.records()
    assert (once.event, once.surface, always.event, always.surface) == (
        "loaded_once",
        "embed",
        "given",
        "embed",
    )
    assert once.rendering == always.rendering == id_in(html)
    sent = words(front, once.rendering)
    assert sent.surface == "embed" and "Show this content" in sent.html and VIDEO not in sent.html


def test_the_words_of_a_confirmation_are_stored(front: Front) -> None:
    pages = front.shared.pages
    view = View(language="nl", consent=front.manager.evaluator.undecided(), next="/shoes")
    assert "/shoes" in pages.confirmation(view, Confirmation(event="brought", about="trailhead"))
    front.manager.recorder.renderings.close()
    stored = {found.surface: found for found in front.ledger.renderings(front.manager.notice.digest)}
    assert "{answer}" in stored["confirmation"].html and "/shoes" not in stored["confirmation"].html


# One notice, language, site and surface: what differs in words has another id.
def test_each_variant_of_the_banner_has_an_id_of_its_own(front: Front, clock: Clock) -> None:
    with front.client() as client:
        first = id_in(client.get("/").text)
        dutch = id_in(client.get("/", headers={"Accept-Language": "nl"}).text)
        gpc = ids_in(client.get("/consent", headers={"Sec-GPC": "1"}).text)
        client.patch(DECISION, json={"categories": {"social": True}})
        partial = id_in(client.get("/").text.split('class="site-privacy"')[0])
        clock.advance(days=3)
        later = id_in(client.get("/").text.split('class="site-privacy"')[0])
    assert len({first, dutch, partial, *gpc}) == 4
    assert partial == later
    assert "{date}" in words(front, partial).html


def test_banner_that_tells_of_a_signal_has_words_of_its_own(clock: Clock, url: str) -> None:
    policy = a_policy(categories=rows("categories", social={"honours_gpc": False}))
    with fronting(clock, policy, ledger=Ledger(url)) as front, front.client() as client:
        first = id_in(client.get("/").text)
        signalled = id_in(client.get("/", headers={"Sec-GPC": "1"}).text)
        assert "Global Privacy Control" not in words(front, first).html
        assert "Global Privacy Control" in words(front, signalled).html


def test_banner_that_asks_again_says_what_changed(clock: Clock, url: str) -> None:
    old = a_policy()
    changed = {"social": {"description": {"en": "Play all films.", "nl": "Alle films tonen."}}}
    new = a_policy(categories=rows("categories", **changed))
    with fronting(clock, old, ledger=Ledger(url)) as before, before.client() as client:
        token = before.cookie(client, **EVERYTHING)
        first = id_in(before.client().get("/").text)
    with fronting(clock, new, ledger=Ledger(url)) as front:
        front.manager.evaluator.add_notice(Notice.of(old))
        with front.client() as client:
            client.cookies.set("__Host-consent", token, domain="stride.example")
            html = client.get("/consent/banner").text
            assert id_in(html) != first
            form = form_of(html, "change")
            client.post(DECISION, data=form | {"category.social": "off"})
        record = front.records()[-1]
        assert (record.event, record.rendering) == ("withdrawn", form["rendering"])
        assert "this has changed since your last choice" in words(front, record.rendering).html


@pytest.mark.parametrize(
    "request_of",
    [
        {"url": "/?a=1"},
        {"url": "/", "headers": {"Host": "stride.example"}},
        {"url": "/", "headers": {"Accept-Language": "en-GB, tlh;q=0.5"}},
        {"url": "/", "headers": {"User-Agent": "another"}},
        {"url": "/", "headers": {"X-Forwarded-Prefix": "/deep"}},
    ],
)
def test_no_request_multiplies_renderings(front: Front, request_of: dict[str, dict[str, str]]) -> None:
    with front.client() as client:
        assert id_in(client.get("/").text) == id_in(client.get(**request_of).text)  # type: ignore[arg-type]


def test_root_path_and_page_do_not_multiply_renderings(front: Front) -> None:
    app = front.around()
    found = set()
    for root in ("", "/shop", "/deep/down"):
        with TestClient(app, base_url="https://stride.example", root_path=root) as client:
            for path in ("/consent", "/consent?next=/articles", "/consent/policy?next=/a"):
                found |= ids_in(client.get(path).text)
    front.manager.recorder.renderings.close()
    surfaces = [kept.surface for kept in front.ledger.renderings(front.manager.notice.digest)]
    assert len(surfaces) == len(set(surfaces)) and {"preferences", "policy"} <= set(surfaces)
    assert len(found) == 1


def test_words_of_the_settings_page_hold_no_answer_of_a_visitor(front: Front, clock: Clock) -> None:
    found = set()
    for answers in ({"social": True}, {"tracking": True}, {"social": True, "analytical": True}):
        with front.client() as client:
            front.cookie(client, **answers)
            found |= ids_in(client.get("/consent").text)
        clock.advance(days=1)
    (rendering,) = found
    kept = words(front, rendering).html
    assert "checked" not in kept and "August" not in kept and "{answer}" in kept


@pytest.mark.parametrize("made_up", ["", "x" * 16, "short", "x" * 5000, "é" * 16, "' OR 1=1 --"])
def test_id_that_is_not_known_is_left_out(front: Front, made_up: str) -> None:
    with front.client() as client:
        answer = client.post(DECISION, data={"choice": "accept_all", "rendering": made_up})
        assert answer.status_code == 303
    assert [record.rendering for record in front.records()] == [""]


@pytest.mark.parametrize("changed", [{"site": "trailhead"}, {"language": "nl"}, {"notice": "n" * 43}])
def test_id_of_words_for_something_else_is_left_out(front: Front, changed: dict[str, str]) -> None:
    common = {
        "notice": front.manager.notice.digest,
        "site": "stride",
        "language": "en",
        "surface": "banner",
        "version": "1",
        "html": "<p>",
    }
    right, wrong = SentWords.of(**common), SentWords.of(**(common | changed))
    front.ledger.store_renderings([right, wrong])
    with front.client() as client:
        for sent in (right, wrong, right):
            client.post(DECISION, json={"choice": "accept_all", "rendering": sent.id, "language": "en"})
            client.delete(DECISION)
    given = [record.rendering for record in front.records() if record.event == "given"]
    assert given == [right.id, "", right.id]


# The process that rendered the words never gets a decision.
def test_another_process_finds_the_words_in_the_ledger(clock: Clock, url: str) -> None:
    with fronting(clock, ledger=Ledger(url)) as first, first.client() as client:
        form = form_of(client.get("/").text, "accept_all")
        words(first, form["rendering"])
        with fronting(clock, ledger=Ledger(url)) as second, second.client() as other:
            assert second.manager.recorder.renderings.sent(form["rendering"]) is None
            other.post(DECISION, data=form)
            (record,) = second.records()
    assert record.rendering == form["rendering"]


def test_words_that_could_not_be_stored_go_along_with_the_first_decision(clock: Clock, url: str) -> None:
    ledger = Ledger(url)
    ledger.store_notice("d", {})
    with fronting(clock, ledger=ledger) as front, front.client() as client:
        store = front.manager.recorder.renderings
        with another_process_holds(url):
            form = form_of(client.get("/").text, "accept_all")
            thread = store._thread
            if thread is not None:
                thread.join()
            assert ledger.rendering(form["rendering"]) is None
        assert client.post(DECISION, data=form).status_code == 303
        assert ledger.rendering(form["rendering"]) is not None
        store.store_waiting()
        store.close()
        surfaces = {kept.surface for kept in ledger.renderings(front.manager.notice.digest)}
        assert surfaces == {"banner", "footer"}
        store.store_waiting()
    ledger.close()


def test_ledger_that_does_not_answer_leaves_out_an_id_of_another_process(clock: Clock, url: str) -> None:
    with fronting(clock, ledger=Ledger(url)) as front:
        manager = front.manager
        everything = transitions.everything(manager.notice, allowed=True)
        given, other = (
            manager.decide(manager.evaluator.undecided(), everything, ChoiceContext()) for _ in range(2)
        )
        front.ledger.close()
        nothing = Choice(categories={}, vendors={})
        refused = manager.decide(given.consent, nothing, ChoiceContext(rendering="x" * 16))
        assert refused.record is not None and refused.record.rendering == "" and not refused.stored
        # The ledger is not asked again while it takes no decisions.
        assert manager.recorder._breaker.is_open
        again = manager.decide(other.consent, nothing, ChoiceContext(rendering="y" * 16))
        assert again.record is not None and again.record.rendering == "" and manager.recorder._breaker.is_open


def test_random_template_fills_no_memory(
    front: Front, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(renderings, "MOST_RENDERINGS", 1)
    with front.client() as client:
        found = [ids_in(client.get(path).text) for path in ("/consent", "/", "/")]
    assert found[0] != {""} and found[1:] == [{""}, {""}]
    assert sum("different texts" in record.getMessage() for record in caplog.records) == 1


def test_site_without_a_ledger_keeps_no_thread(clock: Clock) -> None:
    with (
        pytest.warns(UserWarning, match="no ledger"),
        fronting(clock, ledger=None) as front,
        front.client() as client,
    ):
        client.post(DECISION, data=form_of(client.get("/").text, "accept_all"))
    assert not [thread for thread in threading.enumerate() if thread.name == "consentkit-renderings"]
