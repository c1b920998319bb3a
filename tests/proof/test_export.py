import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from consentkit import Ledger
from consentkit.ledger import SentWords
from consentkit.proof import VisitorHistory, as_csv, as_json, as_page, history_of
from tests.support.records import NOON, a_record

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = '</pre></iframe>"><script>document.title = "run"</script>'


@pytest.fixture
def history(ledger: Ledger) -> VisitorHistory:
    words = SentWords.of(
        notice="n" * 43,
        site="stride",
        language="nl",
        surface="banner",
        version="1",
        html=f"<p>Mag dat?</p>{HOSTILE}",
    )
    ledger.store_notice("n" * 43, {"controller": HOSTILE})
    ledger.store_renderings([words])
    ledger.append(
        a_record(subject="a", rendering=words.id, jurisdiction=HOSTILE),
        a_record(subject="other", notice="o" * 43),
        a_record(
            subject="b", event="withdrawn", status="withdrawn", at=NOON + 1, expires_at=None, categories={}
        ),
        a_record(subject="b", rendering="gone", expires_at=2**60),
    )
    ledger.link("a", "b", NOON)
    return history_of(ledger, "b")


def test_history_holds_what_belongs_to_all_linked_references_and_nothing_else(
    ledger: Ledger, history: VisitorHistory
) -> None:  # RC-09
    assert (history.reference, history.references, bool(history)) == ("b", ("a", "b"), True)
    assert [record.seq for record in history.records] == [1, 3, 4]
    assert history.links == (("a", "b", NOON),)
    assert list(history.notices) == ["n" * 43] and [
        words.surface for words in history.renderings.values()
    ] == ["banner"]
    nothing = history_of(ledger, "nobody", waiting=history.records)
    assert (nothing.records, nothing.links, bool(nothing)) == ((), (), False)
    late = a_record(subject="a")
    assert history_of(ledger, "b", waiting=[late, history.records[0]]).records == (*history.records, late)


def test_json_has_every_field_as_it_is_stored(history: VisitorHistory) -> None:
    told = json.loads("".join(as_json(history, NOON + 60)))
    assert told["records"] == [asdict(record) for record in history.records]
    assert told["links"] == [{"from": "a", "to": "b", "at": NOON}]
    assert told["notices"] == {"n" * 43: {"controller": HOSTILE}}
    (words,) = told["renderings"].values()
    assert words["html"].endswith(HOSTILE)
    assert (told["reference"], told["exported_at"]) == ("b", "2026-08-31T12:01:00Z")


def test_csv_has_a_row_for_everything(history: VisitorHistory) -> None:
    rows = list(csv.DictReader(io.StringIO("".join(as_csv(history)), newline="")))
    assert [row["kind"] for row in rows] == ["record", "record", "record", "link", "notice", "rendering"]
    assert json.loads(rows[0]["categories"]) == history.records[0].categories
    assert (rows[0]["gpc"], rows[1]["expires_at"], rows[0]["jurisdiction"]) == ("false", "", HOSTILE)
    assert (rows[3]["subject"], rows[3]["content"], rows[3]["at"]) == ("a", "b", str(NOON))
    assert json.loads(rows[4]["content"]) == {"controller": HOSTILE} and rows[5]["content"].endswith(HOSTILE)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_the_page_escapes_everything_and_frames_the_words(history: VisitorHistory) -> None:
    page = "".join(as_page(history, NOON))
    elements = Elements()
    elements.feed(page)
    assert "script" not in elements.tags and elements.tags.count("iframe") == 1
    assert "<iframe sandbox srcdoc=" in page and "Mag dat?\n" in page
    assert "Nothing is recorded" in "".join(as_page(VisitorHistory("x", ("x",), (), (), {}, {}), NOON))


def test_the_page_is_accessible_shows_the_words_and_runs_nothing(
    history: VisitorHistory, page: "Page", new_page: Callable[..., "Page"]
) -> None:
    from tests.support.walking import violations

    page.set_content("".join(as_page(history, NOON)))
    assert page.title() == "Records of consent of b"
    assert page.frame_locator("iframe").get_by_text("Mag dat?").is_visible()
    assert page.get_by_role("heading", name="What was decided").is_visible()
    assert violations(page) == []
