"""The settings page: what the visitor chose, and what the visitor can choose."""

from collections.abc import Hashable
from typing import Any

from consentkit.ui.banner_text import (
    travel_sentence,
    validity_sentence,
    visitor_status,
    with_answers,
    without_answers,
)
from consentkit.ui.change_text import change_marks, change_sentences
from consentkit.ui.disclosure import Row
from consentkit.ui.documents import Documents
from consentkit.ui.fragments import View
from consentkit.ui.opt_out_text import opt_out_rows, with_signal, without_signal
from consentkit.ui.rendering import Rendering
from consentkit.ui.site_links import without_state

__all__ = ["preferences_page"]


def preferences_page(
    documents: Documents,
    rendering: Rendering,
    view: View,
    *,
    carry: Row | None,
    travels: bool,
    records: bool,
) -> str:
    """Return the settings page.

    Args:
        documents: of the site.
        rendering: the notice in the visitor's language.
        view: the visitor and page.
        carry: the button that uses the choice on all sites; None without it.
        travels: whether links to the other sites take a choice along.
        records: whether choices are recorded.
    """
    consent = view.consent
    values: dict[str, Any] = {
        "state": visitor_status(consent, rendering),
        "news": change_sentences(consent.changes, rendering),
        "marks": change_marks(consent.changes, rendering),
        "decided": consent.status.decided,
        "validity": validity_sentence(rendering),
        "travel": travel_sentence(rendering, travels=travels),
        "categories": [
            with_signal(with_answers(row, rendering, consent), rendering, consent)
            for row in rendering.policy["categories"]
        ],
        "choices": opt_out_rows(consent, rendering),
        "carry": carry,
        "reference": consent.decision.subject if consent.decision is not None and records else "",
        "records": records,
    }
    return documents.render_stored(
        "preferences.html",
        view,
        here="",
        surface="preferences",
        variant=_variant(values, is_new=consent.decision is None),
        recorded=_without_visitor(values, is_new=consent.decision is None),
        **values,
    )


def _variant(values: dict[str, Any], *, is_new: bool) -> tuple[Hashable, ...]:
    """Return what makes the words of two settings pages differ, apart from what belongs to one visitor."""
    return (
        values["news"],
        tuple(values["marks"].items()),
        tuple(values["state"]) if is_new else None,
        values["carry"] is not None,
        bool(values["reference"]),
        *(bool(rows) for rows in values["choices"].values()),
        *((row["denied"], bool(row["earlier"])) for row in values["categories"]),
    )


def _without_visitor(values: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
    """Return what the ledger gets in place of what belongs to one visitor."""
    return {
        "state": values["state"] if is_new else ["{answer}"],
        "decided": False,
        "categories": [without_signal(without_answers(row)) for row in values["categories"]],
        "carry": without_state(values["carry"]),
        "reference": "{reference}" if values["reference"] else "",
    }
