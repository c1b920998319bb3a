"""The sentences of the banner and the settings page, each only when it is true, and what the visitor chose.

Every sentence is `Markup`: texts from the policy are escaped, and have a `lang` of their own where they need it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from consentkit.consent import Consent, ConsentStatus
from consentkit.policy import Duration
from consentkit.ui.disclosure import Row
from consentkit.ui.i18n import N_, NN_, DurationForms, Translator
from consentkit.ui.opt_out_text import (
    objection_fields,
    objection_sentences,
    opt_out_answers,
    opt_out_status,
    signal_sentences,
    unasked_sentences,
)
from consentkit.ui.rendering import Rendering

__all__ = [
    "FirstLayer",
    "answer_sentences",
    "arrival_sentences",
    "combined_data_sentence",
    "first_layer",
    "removal_sentence",
    "travel_sentence",
    "validity_sentence",
    "visitor_status",
    "with_answers",
    "without_answers",
]

_VALIDITY: DurationForms = {
    # Translators: How long the site keeps to a visitor's choice before it asks again.
    "year": NN_("Your choice lasts %(num)s year.", "Your choice lasts %(num)s years."),
    "month": NN_("Your choice lasts %(num)s month.", "Your choice lasts %(num)s months."),
    "day": NN_("Your choice lasts %(num)s day.", "Your choice lasts %(num)s days."),
}
# Translators: The length of time stands alone, such as "1 month, 10 days".
_OTHER_VALIDITY = N_("How long your choice lasts: %(duration)s.")

_RECORDS_KEPT: DurationForms = {
    "year": NN_(
        "Records are deleted %(num)s year after your choice expires.",
        "Records are deleted %(num)s years after your choice expires.",
    ),
    "month": NN_(
        "Records are deleted %(num)s month after your choice expires.",
        "Records are deleted %(num)s months after your choice expires.",
    ),
    "day": NN_(
        "Records are deleted %(num)s day after your choice expires.",
        "Records are deleted %(num)s days after your choice expires.",
    ),
}
# Translators: The length of time stands alone, such as "1 month, 10 days".
_OTHER_RECORDS_KEPT = N_("How long records are kept after your choice expires: %(duration)s.")

_STATUSES = {
    ConsentStatus.UNKNOWN: N_("Your choice of %(date)s can’t be checked at the moment."),
    ConsentStatus.GIVEN: N_("You made your choice on %(date)s."),
    ConsentStatus.REFUSED: N_("You rejected everything that needs your consent on %(date)s."),
    ConsentStatus.WITHDRAWN: N_("You withdrew your consent on %(date)s."),
    ConsentStatus.EXPIRED: N_("Your choice of %(date)s has expired."),
    ConsentStatus.INVALIDATED: N_("What we ask for has changed since your choice of %(date)s."),
}
_NOTHING_STORED = N_("For now, nothing that needs your consent is stored on your device or read from it.")

_ARRIVALS = {
    # Translators: After a link from a sister site. %(site)s is the name of that site.
    ConsentStatus.REFUSED: N_("You rejected everything on %(site)s; we’ve applied that here."),
    # Translators: After a link from a sister site. %(site)s is the name of that site.
    ConsentStatus.WITHDRAWN: N_("You withdrew your consent on %(site)s; we’ve applied that here."),
}
# Translators: After a link from a sister site. %(site)s is the name of that site.
_ACCEPTED_ALL = N_("You accepted everything on %(site)s; we’ve applied that here.")
# Translators: After a link from a sister site. What was accepted and rejected follows in sentences of its own.
_ARRIVED = N_("We’ve applied the choice you made on %(site)s here.")


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """The text of the banner.

    Attributes:
        asks: the sentence that says who asks.
        always: the required categories, which are named although nobody is asked about them.
        categories: rows of the categories asked about.
        sentences: what a visitor should know before choosing.
        news: what changed since the visitor's last choice.
        partial: whether the visitor is asked about some of the categories only.
        sites: how many sites the policy covers.
        objection: fields of the form that objects to what is on without asking.
        informs: what a visitor should know about that.
    """

    asks: Markup
    always: tuple[Row, ...]
    categories: tuple[Row, ...]
    sentences: tuple[Markup, ...]
    news: tuple[Markup, ...]
    partial: bool
    sites: int
    objection: tuple[str, ...]
    informs: tuple[Markup, ...]


def first_layer(
    rendering: Rendering,
    asking: Iterable[str],
    *,
    changes: tuple[Markup, ...],
    gpc: bool,
    ends: str | None,
    travels: bool = False,
    unasked: tuple[str, ...] = (),
) -> FirstLayer:
    """Return the text of the banner for a visitor who is asked about these categories.

    Args:
        rendering: the notice in the visitor's language.
        asking: ids of the categories that the visitor is asked about now.
        changes: sentences about what changed since the visitor's last choice.
        gpc: whether the browser sends Global Privacy Control.
        ends: the day on which the visitor's earlier choice expires. A choice about some of the categories expires with it.
        travels: whether links to the other sites take a choice along.
        unasked: ids of the categories that are on without asking, where the banner has to say so.
    """
    policy, translator, asked = rendering.policy, rendering.translator, set(asking)
    categories = tuple(row for row in policy["categories"] if row["id"] in asked)
    partial = len(categories) < sum(row["legal_basis"] == "consent" for row in policy["categories"])
    vendors = [row for row in policy["vendors"] if row["category"] in asked]
    sentences = [
        *_profiling_sentences(vendors, translator),
        *_site_sentences(categories, rendering, travels=travels),
        *(signal_sentences(categories, rendering) if gpc else ()),
    ]
    if partial and ends:
        validity = translator.gettext_html("Your other choices stay as they are until %(date)s.", date=ends)
    else:
        validity = validity_sentence(rendering)
    return FirstLayer(
        asks=_asking_sentence(policy, vendors, translator),
        always=() if partial else tuple(row for row in policy["categories"] if row["required"]),
        categories=categories,
        sentences=(*sentences, validity, _withdrawal_sentence(rendering)),
        news=changes,
        partial=partial,
        sites=len(policy["sites"]),
        objection=objection_fields(unasked, rendering),
        informs=tuple(unasked_sentences(unasked, rendering)),
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


def validity_sentence(rendering: Rendering) -> Markup:
    """Return a sentence about how long a choice lasts."""
    validity = Duration.parse(rendering.policy["validity"])
    return rendering.translator.duration_html(_VALIDITY, _OTHER_VALIDITY, validity)


def removal_sentence(rendering: Rendering) -> Markup:
    """Return a sentence about when the records of a choice are deleted."""
    kept = Duration.parse(rendering.policy["records_kept"])
    return rendering.translator.duration_html(_RECORDS_KEPT, _OTHER_RECORDS_KEPT, kept)


def _withdrawal_sentence(rendering: Rendering) -> Markup:
    return rendering.translator.gettext_html(
        # Translators: %(settings)s is the name of a link in the footer, "Cookie settings".
        "You can withdraw your consent at any time under “%(settings)s”.",
        settings=rendering.rules.settings,
    )


def travel_sentence(rendering: Rendering, *, travels: bool) -> Markup:
    """Return a sentence about how a choice reaches the other sites, or that it does not; empty for a single site."""
    translator = rendering.translator
    if len(rendering.policy["sites"]) == 1:
        return Markup()
    if travels:
        return translator.gettext_html("Your choice goes with you when you follow links between our sites.")
    return translator.gettext_html("You choose on each of our sites separately.")


def _site_sentences(categories: Iterable[Row], rendering: Rendering, *, travels: bool) -> list[Markup]:
    """Return sentences about which data the sites combine, and how a choice reaches them (REQUIREMENTS XS-01)."""
    if len(rendering.policy["sites"]) == 1:
        return []
    combined = [rendering.owner_text(row["title"]) for row in categories if row["combines_across_sites"]]
    if travels:
        reach = rendering.translator.gettext_html("Links between our sites pass on your choice.")
    else:
        reach = travel_sentence(rendering, travels=False)
    return [*([_combination(combined, rendering)] if combined else ()), reach]


def _combination(titles: Iterable[Markup], rendering: Rendering) -> Markup:
    return rendering.translator.ngettext_html(
        # Translators: %(purposes)s is a list of names in quotation marks, such as "Analytical" and "Tracking".
        "For %(purposes)s we combine your data from our %(num)s site.",
        "For %(purposes)s we combine your data from our %(num)s sites.",
        len(rendering.policy["sites"]),
        purposes=rendering.translator.format_names(titles),
    )


def _asking_sentence(policy: Row, vendors: Sequence[Row], translator: Translator) -> Markup:
    controller = policy["controller"]["name"]
    outside = sum(row["outside_eea"] for row in vendors)
    if not vendors:
        return translator.gettext_html(
            # Translators: A list of purposes follows, each with its description ("to count visits").
            "With your permission, %(controller)s stores and reads information on your device:",
            controller=controller,
        )
    if not outside:
        return translator.ngettext_html(
            # Translators: A list of purposes follows, each with its description ("to count visits").
            "With your permission, %(controller)s and %(num)s third party store and read information on your device:",
            "With your permission, %(controller)s and %(num)s third parties store and read information on your device:",
            len(vendors),
            controller=controller,
        )
    return translator.ngettext_html(
        # Translators: A list of purposes follows, each with its description ("to count visits"). %(outside)s is a number.
        "With your permission, %(controller)s and %(num)s third party (%(outside)s outside the European Economic Area) "
        "store and read information on your device:",
        "With your permission, %(controller)s and %(num)s third parties (%(outside)s outside the European Economic Area) "
        "store and read information on your device:",
        len(vendors),
        controller=controller,
        outside=outside,
    )


def combined_data_sentence(rendering: Rendering) -> Markup:
    """Return a sentence about data that sites combine, or do not (REQUIREMENTS XS-01); empty for a single site without any."""
    titles = [rendering.titles[category] for category in rendering.policy["combined"]]
    if titles:
        return _combination(titles, rendering)
    if len(rendering.policy["sites"]) > 1:
        return rendering.translator.gettext_html("We don’t combine data from our sites.")
    return Markup()


def visitor_status(consent: Consent, rendering: Rendering) -> list[Markup]:
    """Return sentences about what the visitor chose, when, and until when the choice lasts."""
    translator = rendering.translator
    if rendering.rules.opts_out:
        return opt_out_status(consent, rendering)
    # The page says elsewhere what the signal does as an opt-out.
    rest = [row for row in rendering.policy["categories"] if row["id"] not in rendering.rules.signalled]
    signal = signal_sentences(rest, rendering) if consent.gpc else []
    if rendering.rules.unasked and _is_objection(consent):
        not_chosen = [translator.gettext_html("You haven’t chosen yet.")]
        sentences = objection_sentences(consent, rendering) or not_chosen
        return [*sentences, translator.gettext_html(_NOTHING_STORED), *signal]
    status = ConsentStatus.INVALIDATED if _left_on(consent) else consent.status
    if not consent.decided_at:
        sentences = [translator.gettext_html("You haven’t chosen yet.")]
    else:
        decided = translator.format_date(consent.decided_at)
        sentences = [translator.gettext_html(_STATUSES[status], date=decided)]
    if status.decided:
        sentences += answer_sentences(consent, rendering)
        if consent.expires_at:
            ends = translator.format_date(consent.expires_at)
            sentences.append(translator.gettext_html("We’ll ask again after %(date)s.", date=ends))
        return sentences
    return [*sentences, translator.gettext_html(_NOTHING_STORED), *signal]


def _is_objection(consent: Consent) -> bool:
    """Return whether all that the visitor chose is an objection, so that every question is still open."""
    decision = consent.decision
    return (
        decision is not None
        and decision.kind == "partial"
        and consent.status is ConsentStatus.REFUSED
        and bool(consent.asking)
    )


def _left_on(consent: Consent) -> bool:
    """Return whether the visitor left on, where no consent was needed, what the banner asks about here: no rejection."""
    decision, is_refused = consent.decision, consent.status is ConsentStatus.REFUSED
    return decision is not None and is_refused and not decision.granted.isdisjoint(consent.asking)


def arrival_sentences(consent: Consent, site: str, rendering: Rendering) -> list[Markup]:
    """Return sentences about a choice that came from another site, whose name is given."""
    answers = answer_sentences(consent, rendering)
    is_mixed = rendering.rules.opts_out or _left_on(consent)
    sentence = _ARRIVED if is_mixed else _ARRIVALS.get(consent.status, _ARRIVED)
    if consent.status is ConsentStatus.GIVEN and _has_accepted_all(consent, rendering):
        sentence, answers = _ACCEPTED_ALL, []
    return [rendering.translator.gettext_html(sentence, site=site), *answers]


def _has_accepted_all(consent: Consent, rendering: Rendering) -> bool:
    return all(consent.categories[row["id"]] for row in rendering.policy["categories"]) and not _exceptions(
        consent, rendering, allowed=False
    )


def answer_sentences(consent: Consent, rendering: Rendering) -> list[Markup]:
    """Return what the visitor accepted and what the visitor rejected, if that is not all or nothing."""
    translator = rendering.translator
    if rendering.rules.opts_out:
        return opt_out_answers(consent, rendering)
    if consent.status is not ConsentStatus.GIVEN:
        return []
    accepted = [
        rendering.owner_text(row["title"])
        for row in rendering.policy["categories"]
        if row["id"] in consent.granted
    ]
    accepted += _exceptions(consent, rendering, allowed=True)
    rejected = [rendering.owner_text(row["title"]) for row in _refused_categories(consent, rendering)]
    rejected += _exceptions(consent, rendering, allowed=False)
    sentences = [
        # Translators: %(names)s is a list of names of purposes and third parties, which stands alone.
        translator.pgettext_html(
            "your choice", "Accepted: %(names)s.", names=translator.format_list(accepted)
        )
    ]
    if rejected:
        sentences.append(
            # Translators: %(names)s is a list of names of purposes and third parties, which stands alone.
            translator.pgettext_html(
                "your choice", "Rejected: %(names)s.", names=translator.format_list(rejected)
            )
        )
    return sentences


def _refused_categories(consent: Consent, rendering: Rendering) -> list[Row]:
    """Return the categories that the visitor refused while granting others."""
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


def without_answers(category: Row) -> Row:
    """Return a category from `with_answers` as a visitor sees it who has answered nothing."""
    vendors = [vendor | {"answer": None} for vendor in category["vendors"]]
    return category | {"answer": None, "vendors": vendors, "deviates": False}
