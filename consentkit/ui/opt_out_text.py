"""The sentences for places where purposes are on until the visitor says otherwise, and for objections."""

from collections.abc import Iterable

from markupsafe import Markup

from consentkit.consent import Consent, ConsentStatus
from consentkit.ui.disclosure import Row
from consentkit.ui.i18n import N_
from consentkit.ui.place_rules import is_on
from consentkit.ui.rendering import Rendering

__all__ = [
    "OPTED_OUT",
    "objection_fields",
    "objection_sentences",
    "opt_out_answers",
    "opt_out_rows",
    "opt_out_sentences",
    "opt_out_status",
    "signal_sentences",
    "unasked_sentences",
    "with_signal",
    "without_signal",
]

# Translators: Personal information that a site sells, or shares for advertising, in the sense of US law.
OPTED_OUT = N_("You opted out of the sale and sharing of your personal information.")
_LIMITED = N_("You limited the use of your sensitive personal information.")
# Translators: The second sentence about a choice, on the settings page.
_CHANGED = N_("You last changed your choice on %(date)s.")
# Translators: After "You last changed your choice on ...". The choice counts until that day.
_REMEMBERED = N_("We’ll remember your choice until %(date)s.")
# Translators: After "You haven’t chosen yet." The purposes are listed below, each with the buttons "Off" and "On".
_ALL_ON = N_("All purposes are on until you choose otherwise.")
# Translators: %(purposes)s is a list of names in quotation marks, such as "Statistics" and "Appearance".
_OBJECTED = N_("You objected to %(purposes)s.")
# Translators: In the banner, for visitors in the United Kingdom, before the button "Object". %(purposes)s is a list of names
# in quotation marks, such as "Statistics" and "Appearance".
_UNASKED = N_("Without asking, as UK law allows: %(purposes)s. You can object.")
# Translators: %(purposes)s is a list of names in quotation marks, such as "Analytical" and "Tracking".
_REFUSED = N_(
    "Your browser sends a Global Privacy Control signal. Unless you choose otherwise, "
    "we treat it as a no to %(purposes)s."
)
_HONORED = N_(
    "Your browser sends an opt-out preference signal (Global Privacy Control). "
    "We treat it as your request to opt out of the sale and sharing of your personal information."
)
# Translators: At a purpose. The signal is Global Privacy Control, which the browser sends.
_ALLOWED_BEFORE = N_(
    "You allowed this on %(date)s. Your browser’s signal says otherwise, and we follow the signal."
)
# Translators: After "... we follow the signal". The signal is Global Privacy Control, which the browser sends.
_TURN_SIGNAL_OFF = N_("To allow it after all, turn the signal off for this site in your browser.")
_EARLIER = {
    ConsentStatus.UNKNOWN: N_("Your choice of %(date)s can’t be checked at the moment."),
    ConsentStatus.EXPIRED: N_("Your choice of %(date)s has expired."),
}


def opt_out_status(consent: Consent, rendering: Rendering) -> list[Markup]:
    """Return sentences about what the visitor chose, when, and until when that is remembered."""
    translator = rendering.translator
    if consent.status.decided and consent.decision is not None and consent.expires is not None:
        changed = rendering.format_moment(consent.decision.changed_at)
        ends = rendering.format_moment(consent.expires)
        return [
            *opt_out_sentences(consent, rendering),
            *opt_out_answers(consent, rendering),
            translator.gettext_html(_CHANGED, date=changed),
            translator.gettext_html(_REMEMBERED, date=ends),
        ]
    if consent.decided_at and consent.status in _EARLIER:
        decided = translator.format_date(consent.decided_at)
        sentences = [translator.gettext_html(_EARLIER[consent.status], date=decided)]
    else:
        sentences = [translator.gettext_html("You haven’t chosen yet.")]
    if all(consent.categories.values()):
        sentences.append(translator.gettext_html(_ALL_ON))
    elif consent.gpc and not rendering.rules.signalled:
        sentences += signal_sentences(rendering.policy["categories"], rendering)
    return sentences


def opt_out_sentences(consent: Consent, rendering: Rendering) -> list[Markup]:
    """Return sentences about an opt-out of sale and sharing, and about limited use of sensitive data, where they hold."""
    rules = rendering.rules
    held = ((OPTED_OUT, rules.selling), (_LIMITED, rules.sensitive))
    return [
        rendering.translator.gettext_html(sentence)
        for sentence, categories in held
        if categories and not any(is_on(consent, category) for category in categories)
    ]


def opt_out_answers(consent: Consent, rendering: Rendering) -> list[Markup]:
    """Return which optional purposes are on, and which are off."""
    rows = [row for row in rendering.policy["categories"] if not row["required"]]
    sentences = []
    for state in (True, False):
        names = [rendering.titles[row["id"]] for row in rows if consent.categories[row["id"]] is state]
        if names:
            listed = rendering.translator.format_list(names)
            # Translators: %(names)s is a list of names of purposes, which stands alone.
            on = rendering.translator.pgettext_html("your choice", "On: %(names)s.", names=listed)
            # Translators: %(names)s is a list of names of purposes, which stands alone.
            off = rendering.translator.pgettext_html("your choice", "Off: %(names)s.", names=listed)
            sentences.append(on if state else off)
    return sentences


def objection_sentences(consent: Consent, rendering: Rendering) -> list[Markup]:
    """Return a sentence about the purposes that are on without consent and that the visitor objected to."""
    rows = rendering.policy["categories"]
    off = [rendering.titles[row["id"]] for row in rows if row["exempt"] and not consent.categories[row["id"]]]
    if not off:
        return []
    return [rendering.translator.gettext_html(_OBJECTED, purposes=rendering.translator.format_names(off))]


def objection_fields(unasked: Iterable[str], rendering: Rendering) -> tuple[str, ...]:
    """Return the fields of a form that objects to categories, and to every vendor of them."""
    categories = tuple(unasked)
    vendors = [row["id"] for row in rendering.policy["vendors"] if row["category"] in categories]
    return (
        *(f"category.{category}" for category in categories),
        *(f"vendor.{vendor}" for vendor in vendors),
    )


def unasked_sentences(unasked: Iterable[str], rendering: Rendering) -> list[Markup]:
    """Return the sentence of the banner about purposes that are on without asking; none without such purposes."""
    titles = [rendering.titles[category] for category in unasked]
    if not titles:
        return []
    return [rendering.translator.gettext_html(_UNASKED, purposes=rendering.translator.format_names(titles))]


# The signal


def signal_sentences(categories: Iterable[Row], rendering: Rendering) -> list[Markup]:
    """Return sentences about the categories that Global Privacy Control refuses, for now or as an opt-out."""
    rules, translator = rendering.rules, rendering.translator
    heeding = [row for row in categories if row["honours_gpc"]]
    refused = [rendering.titles[row["id"]] for row in heeding if row["id"] not in rules.signalled]
    sentences = []
    if refused:
        names = translator.format_names(refused)
        sentences.append(translator.gettext_html(_REFUSED, purposes=names))
    if len(refused) < len(heeding):
        sentences.append(translator.gettext_html(_HONORED))
    return sentences


def with_signal(category: Row, rendering: Rendering, consent: Consent) -> Row:
    """Add to a category from `with_answers` whether the signal turns it off, what that means, and what the visitor chose."""
    decision = consent.decision
    denied = category["id"] in rendering.rules.denied(consent)
    earlier: list[Markup] = []
    chosen = decision.granted if decision is not None and consent.status.decided else frozenset[str]()
    if denied and decision is not None and category["id"] in chosen:
        date = rendering.format_moment(decision.changed_at)
        translator = rendering.translator
        earlier = [
            translator.gettext_html(_ALLOWED_BEFORE, date=date),
            translator.gettext_html(_TURN_SIGNAL_OFF),
        ]
    refused = decision.vendors if decision is not None and consent.status.decided else {}
    return category | {
        "denied": denied,
        "earlier": earlier,
        "kept": category["id"] in chosen,
        "kept_vendors": [
            vendor["id"] for vendor in category["vendors"] if refused.get(vendor["id"]) is False
        ],
    }


def without_signal(category: Row) -> Row:
    """Return a category from `with_signal` without what belongs to one visitor."""
    earlier = ["{answer}"] if category["earlier"] else []
    return category | {"earlier": earlier, "kept": False, "kept_vendors": []}


# Choices


def opt_out_rows(consent: Consent, rendering: Rendering) -> dict[str, list[Row]]:
    """Return the categories that sell, and those that use sensitive data, while any of them is on; each with its vendors."""
    rules = rendering.rules
    return {
        key: _with_vendors(categories, rendering)
        if any(is_on(consent, category) for category in categories)
        else []
        for key, categories in (("selling", rules.selling), ("sensitive", rules.sensitive))
    }


def _with_vendors(categories: Iterable[str], rendering: Rendering) -> list[Row]:
    policy, wanted = rendering.policy, set(categories)
    return [
        {
            "id": row["id"],
            "title": row["title"],
            "vendors": [vendor for vendor in policy["vendors"] if vendor["category"] == row["id"]],
        }
        for row in policy["categories"]
        if row["id"] in wanted
    ]
