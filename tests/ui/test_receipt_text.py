"""The rows of the page with the receipt, from notices of this version of the library and of others."""

from typing import Any

import pytest

from consentkit.notices import Notice
from consentkit.policy import SAFEGUARDS
from consentkit.proof import grant_of
from consentkit.ui.i18n import Translator
from consentkit.ui.receipt_text import receipt_rows
from tests.support.records import a_record
from tests.support.told import POLICY


def content(**changes: Any) -> dict[str, Any]:
    return dict(Notice.of(POLICY).content or {}) | changes


def receipt(language: str = "en", told: dict[str, Any] | None = None, /, **changes: Any) -> dict[str, Any]:
    grant = grant_of(a_record(**changes), told or content())
    return receipt_rows(grant, language, Translator(language), POLICY.transfer_data)


def test_words_are_in_the_visitors_language_whatever_was_shown() -> None:
    rows = receipt("nl", language="en")
    assert [part["title"] for part in rows["parts"]][:2] == ["Analytisch", "Tracking"]
    assert rows["given_at"]["date"] == "31 augustus 2026" and rows["given_at"]["time"] == "12:00"
    assert rows["rights"][0].startswith("Zien welke gegevens")


def test_words_that_the_notice_lacks_in_that_language_are_marked() -> None:
    categories = [row | {"title": {"en": "Count <b>"}} for row in content()["categories"]]
    rows = receipt("nl", content(categories=categories))
    assert rows["parts"][0]["title"] == '<span lang="en" dir="ltr">Count &lt;b&gt;</span>'


def test_a_third_party_has_its_country_its_safeguard_and_its_retention() -> None:
    analytical, tracking, *_ = receipt(vendors={})["parts"]
    (google,), (adhub,) = analytical["vendors"], tracking["vendors"]
    assert (google["country_name"], google["outside_eea"], google["retention_words"]) == (
        "United States",
        True,
        "14 months",
    )
    assert adhub["safeguard_words"] == "Standard contractual clauses of the European Commission"
    assert adhub["retention_words"] is None


@pytest.mark.parametrize("safeguard", [*SAFEGUARDS, "of a later version"])
def test_a_safeguard_without_words_is_left_out(safeguard: str) -> None:
    vendors = [row | {"safeguard": safeguard} for row in content()["vendors"]]
    words = receipt("en", content(vendors=vendors))["parts"][0]["vendors"][0]["safeguard_words"]
    has_none = safeguard in ("none_required", "art49_explicit_consent", "of a later version")
    assert (words is None) is has_none


def test_a_kind_of_item_that_a_later_version_knows_is_shown_as_it_is() -> None:
    trackers = [row | {"kind": "hologram", "lifetime": "session"} for row in content()["trackers"]]
    item = receipt("en", content(trackers=trackers))["parts"][0]["trackers"][0]
    assert item["kind_words"] == "hologram" and item["lifetime_words"] == "when you close the browser"


def test_rights_that_the_notice_lists_are_the_only_ones() -> None:
    assert len(receipt()["rights"]) == 6
    (right,) = receipt("en", content(rights=["erasure"]))["rights"]
    assert "article 17" in right


def test_a_record_without_an_end_and_of_a_site_that_is_gone_is_shown() -> None:
    rows = receipt(expires_at=None, site="gone")
    assert rows["expires_at"] is None and rows["site"] == "gone"
