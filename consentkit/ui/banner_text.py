"""The sentences of the banner and the preference centre, each only when it is true, and the visitor's answers.

Every sentence is `Markup`: texts from the policy are escaped, and have a `lang` of their own where they need it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from consentkit.consent import Consent, ConsentStatus
from consentkit.ui.disclosure import Row
from consentkit.ui.i18n import N_, Translator
from consentkit.ui.rendering import Rendering

__all__ = [
    "FirstLayer",
    "combined_data_sentence",
    "error_text",
    "first_layer",
    "visitor_status",
    "with_answers",
]

_ERRORS = {
    400: (
        N_("This could not be read"),
        N_("Something in the form is not as it should be. Nothing was changed."),
    ),
    403: (
        N_("This was not accepted"),
        N_("The request did not come from this site. Nothing was changed."),
    ),
    404: (N_("There is nothing here"), N_("This address leads nowhere.")),
    405: (
        N_("This address works differently"),
        N_("The request was of the wrong kind. Nothing was changed."),
    ),
    409: (
        N_("The page that you answered is out of date"),
        N_(
            "What we ask for has changed in the meantime. Nothing was changed: please look again and answer anew."
        ),
    ),
    413: (N_("This was too long"), N_("The form is larger than it can be. Nothing was changed.")),
    415: (
        N_("This could not be read"),
        N_("The form came in a format that we do not read. Nothing was changed."),
    ),
    503: (
        N_("Your choice could not be saved"),
        N_("It cannot be recorded at the moment, so nothing was accepted. Please try again later."),
    ),
}

_STATUSES = {
    ConsentStatus.UNKNOWN: N_("Your answer of %(date)s cannot be checked at the moment."),
    ConsentStatus.REFUSED: N_("You rejected everything that needs your consent, on %(date)s."),
    ConsentStatus.WITHDRAWN: N_("You withdrew your consent on %(date)s."),
    ConsentStatus.EXPIRED: N_("Your answer of %(date)s has ended."),
    ConsentStatus.INVALIDATED: N_("Since your answer of %(date)s, what we ask for has changed."),
}


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """The text of the banner.

    Attributes:
        asks: the sentence that says who asks.
        categories: rows of the categories asked about.
        sentences: what a visitor should know before answering.
        news: what changed since the visitor's answer.
        partial: whether the visitor is asked about some of the categories only.
        sites: how many sites the answer covers.
    """

    asks: Markup
    categories: tuple[Row, ...]
    sentences: tuple[Markup, ...]
    news: tuple[Markup, ...]
    partial: bool
    sites: int


def first_layer(
    rendering: Rendering,
    asking: Iterable[str],
    *,
    changes: tuple[Markup, ...],
    gpc: bool,
    ends: str | None,
) -> FirstLayer:
    """Return the text of the banner for a visitor who is asked about these categories.

    Args:
        rendering: the notice in the visitor's language.
        asking: ids of the categories that the visitor is asked about now.
        changes: sentences about what changed since the visitor's answer.
        gpc: whether the browser sends Global Privacy Control.
        ends: the day on which the visitor's earlier answer ends. An answer to some of the categories ends with it.
    """
    policy, translator = rendering.policy, rendering.translator
    asked = set(asking)
    categories = tuple(row for row in policy["categories"] if row["id"] in asked)
    partial = len(categories) < sum(row["legal_basis"] == "consent" for row in policy["categories"])
    vendors = [row for row in policy["vendors"] if row["category"] in asked]
    sentences = [
        *_profiling_sentences(vendors, translator),
        *_site_sentences(categories, rendering),
        *(_gpc_sentences(categories, rendering) if gpc else ()),
    ]
    if partial and ends:
        validity = translator.gettext_html("Your other answers stay; all of them end on %(date)s.", date=ends)
    else:
        validity = translator.gettext_html(
            "Your choice is valid for %(validity)s.", validity=policy["validity_words"]
        )
    withdrawal = translator.gettext_html(
        "You can withdraw it at any time under “%(settings)s”.",
        settings=translator.gettext("Cookie settings"),
    )
    return FirstLayer(
        asks=_asking_sentence(policy, vendors, translator),
        categories=categories,
        sentences=(*sentences, validity, withdrawal),
        news=changes,
        partial=partial,
        sites=len(policy["sites"]),
    )


def _profiling_sentences(vendors: Iterable[Row], translator: Translator) -> list[Markup]:
    profiling = sum(row["profiling"] for row in vendors)
    if not profiling:
        return []
    return [
        translator.ngettext_html(
            "%(num)s third party may build a profile of you.",
            "%(num)s third parties may build a profile of you.",
            profiling,
        )
    ]


def _site_sentences(categories: Iterable[Row], rendering: Rendering) -> list[Markup]:
    """Return sentences about how many sites the answer covers, and which data the sites combine (REQUIREMENTS XS-01)."""
    translator = rendering.translator
    sites = len(rendering.policy["sites"])
    if sites == 1:
        return []
    covers = translator.ngettext_html(
        "Your choice counts for our site.", "Your choice counts for our %(num)s sites.", sites
    )
    combined = [rendering.owner_text(row["title"]) for row in categories if row["combines_across_sites"]]
    if not combined:
        return [covers]
    purposes = translator.format_list(combined)
    return [
        covers,
        translator.gettext_html("Data from all of them is combined for: %(purposes)s.", purposes=purposes),
    ]


def _asking_sentence(policy: Row, vendors: Sequence[Row], translator: Translator) -> Markup:
    controller = policy["controller"]["name"]
    outside = sum(row["outside_eea"] for row in vendors)
    if not vendors:
        return translator.gettext_html(
            "%(controller)s wants to store and read data on this device:", controller=controller
        )
    if not outside:
        return translator.ngettext_html(
            "%(controller)s and %(num)s third party want to store and read data on this device:",
            "%(controller)s and %(num)s third parties want to store and read data on this device:",
            len(vendors),
            controller=controller,
        )
    return translator.ngettext_html(
        "%(controller)s and %(num)s third party (%(outside)s outside the European Economic Area) "
        "want to store and read data on this device:",
        "%(controller)s and %(num)s third parties (%(outside)s outside the European Economic Area) "
        "want to store and read data on this device:",
        len(vendors),
        controller=controller,
        outside=outside,
    )


def _gpc_sentences(categories: Iterable[Row], rendering: Rendering) -> list[Markup]:
    refused = [rendering.owner_text(row["title"]) for row in categories if row["honours_gpc"]]
    if not refused:
        return []
    return [
        rendering.translator.gettext_html(
            "Your browser sends Global Privacy Control; until you answer, we take that as a refusal of: %(purposes)s.",
            purposes=rendering.translator.format_list(refused),
        )
    ]


def combined_data_sentence(rendering: Rendering) -> Markup:
    """Return a sentence about data that sites combine, or do not (REQUIREMENTS XS-01); empty for a single site without any."""
    translator = rendering.translator
    titles = [rendering.titles[category] for category in rendering.policy["combined"]]
    if titles:
        return translator.gettext_html(
            "Data from all our sites is combined for: %(purposes)s.", purposes=translator.format_list(titles)
        )
    if len(rendering.policy["sites"]) > 1:
        return translator.gettext_html("Data from our sites is not combined.")
    return Markup()


def visitor_status(consent: Consent, rendering: Rendering) -> list[Markup]:
    """Return sentences about what the visitor answered, when, and until when the answer is valid."""
    translator = rendering.translator
    sentences = [_answer_sentence(consent, rendering)]
    if consent.status.decided:
        refused = [rendering.owner_text(row["title"]) for row in _refused_categories(consent, rendering)]
        refused += _exceptions(consent, rendering, allowed=False)
        if refused:
            vendors = translator.format_list(refused)
            sentences.append(translator.gettext_html("Not accepted: %(vendors)s.", vendors=vendors))
        if consent.expires_at:
            ends = translator.format_date(consent.expires_at)
            sentences.append(translator.gettext_html("This answer is valid until %(date)s.", date=ends))
    else:
        sentences.append(
            translator.gettext_html("Nothing that needs your consent is stored or read until you accept it.")
        )
        if consent.gpc:
            sentences += _gpc_sentences(rendering.policy["categories"], rendering)
    return sentences


def _answer_sentence(consent: Consent, rendering: Rendering) -> Markup:
    translator = rendering.translator
    if not consent.decided_at:
        return translator.gettext_html("You have not answered yet.")
    decided = translator.format_date(consent.decided_at)
    if consent.status is not ConsentStatus.GIVEN:
        return translator.gettext_html(_STATUSES[consent.status], date=decided)
    accepted = [
        rendering.owner_text(row["title"])
        for row in rendering.policy["categories"]
        if row["id"] in consent.granted
    ]
    accepted += _exceptions(consent, rendering, allowed=True)
    return translator.gettext_html(
        "You accepted on %(date)s: %(purposes)s.", date=decided, purposes=translator.format_list(accepted)
    )


def _refused_categories(consent: Consent, rendering: Rendering) -> list[Row]:
    """Return the categories that the visitor refused while granting others."""
    if consent.status is not ConsentStatus.GIVEN:
        return []
    return [
        row
        for row in rendering.policy["categories"]
        if not consent.categories[row["id"]] and row["id"] not in consent.asking
    ]


def _exceptions(consent: Consent, rendering: Rendering, *, allowed: bool) -> list[Markup]:
    """Return the names of the vendors that are allowed, or refused, against the answer about their category."""
    return [escape(row["name"]) for row in rendering.policy["vendors"] if _exception(consent, row) is allowed]


def _exception(consent: Consent, vendor: Row) -> bool | None:
    """Return the visitor's own answer about a vendor, or None where the answer about its category applies."""
    decision = consent.decision
    if decision is None or not consent.status.decided or vendor["id"] not in decision.vendors:
        return None
    answer = consent.vendors[vendor["id"]]
    return answer if answer is not consent.categories[vendor["category"]] else None


def with_answers(category: Row, rendering: Rendering, consent: Consent) -> Row:
    """Add the visitor's answers to a category: its vendors, and True, False, or None where nothing is to be ticked."""
    undecided = not consent.status.decided or category["id"] in consent.asking
    vendors = [
        vendor | {"answer": _exception(consent, vendor)}
        for vendor in rendering.policy["vendors"]
        if vendor["category"] == category["id"]
    ]
    return category | {
        "answer": None if undecided and not category["exempt"] else consent.categories[category["id"]],
        "vendors": vendors,
        "deviates": any(vendor["answer"] is not None for vendor in vendors),
    }


def error_text(status: int, translator: Translator) -> tuple[str, str]:
    """Return a title and a sentence for an HTTP status, for a visitor who pressed a button; not escaped."""
    title, detail = _ERRORS.get(status, _ERRORS[400])
    return translator.gettext(title), translator.gettext(detail)
