"""The settings page: what the visitor chose, and what the visitor can choose."""

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
    state, news = visitor_status(consent, rendering), change_sentences(consent.changes, rendering)
    categories = [
        with_signal(with_answers(row, rendering, consent), rendering, consent)
        for row in rendering.policy["categories"]
    ]
    marks, choices = change_marks(consent.changes, rendering), opt_out_rows(consent, rendering)
    is_new = consent.decision is None
    reference = consent.decision.subject if consent.decision is not None and records else ""
    recorded: dict[str, Any] = {
        "reference": "{reference}" if reference else "",
        "decided": False,
        "state": state if is_new else ["{answer}"],
        "categories": [without_signal(without_answers(row)) for row in categories],
        "carry": without_state(carry),
    }
    return documents.render_stored(
        "preferences.html",
        view,
        here="",
        surface="preferences",
        variant=(
            news,
            tuple(marks.items()),
            tuple(state) if is_new else None,
            carry is not None,
            bool(reference),
            *((bool(rows)) for rows in choices.values()),
            *((row["denied"], bool(row["earlier"])) for row in categories),
        ),
        recorded=recorded,
        state=state,
        news=news,
        marks=marks,
        decided=consent.status.decided,
        validity=validity_sentence(rendering),
        travel=travel_sentence(rendering, travels=travels),
        categories=categories,
        choices=choices,
        carry=carry,
        reference=reference,
        records=records,
    )
