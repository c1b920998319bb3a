"""Whether categories that are on without consent meet the conditions of the places that allow it (REQUIREMENTS A and N)."""

from collections.abc import Iterator

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.checks.periods import in_words
from consentkit.policy.duration import Duration
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.models import Category, Tracker, Vendor
from consentkit.policy.regimes import Exemption, Regime

__all__ = ["CHECKS"]

_LONGEST_LIFETIME = Duration(months=13)
_LONGEST_RETENTION = Duration(months=25)
"""Of exempt data, where the rules of the places name no other."""
_ASK = "Move it to a category that asks for consent."
_OTHERWISE_ASK = "Otherwise move it to a category that asks for consent."
_CONTRADICTING = (("exempt", "appearance"), ("statistics", "appearance"))


def category_has_one_ground(context: CheckContext) -> Iterator[Finding]:
    """LB-09, JU-02: a category is strictly necessary, or one kind of what may be on without consent, or asked about."""
    for path, category in context.categories("required", "exempt", "statistics", "appearance"):
        if category.required and category.exempt:
            message = "A required category needs no exemption."
            remedy = "Keep `required` if it is strictly necessary, or `exempt` for analytics."
            yield Finding((*path, "exempt"), message, remedy)
        for key in ("statistics", "appearance"):
            if category.required and getattr(category, key):
                message = "A required category is always on, so no visitor can object to it."
                remedy = f"Keep `required` if it is strictly necessary, or `{key}` if it is not."
                yield Finding((*path, key), message, remedy)
        for first, second in _CONTRADICTING:
            if getattr(category, first) and getattr(category, second):
                message = f"The category is declared as `{first}` too, which is another purpose."
                yield Finding((*path, second), message, "Declare a category for each of the two purposes.")


def exemption_applies(context: CheckContext) -> Iterator[Finding]:
    """LB-05: only analytics that are the publisher's own, short-lived and without profiles are exempt."""
    for path, category in context.categories("id", "exempt"):
        if not category.exempt:
            continue
        yield from _exempting_place(path, context)
        limit = _longest_retention(context, "audience")
        if category.sale_or_share and context.is_valid(*path, "sale_or_share"):
            message = "Exempt analytics serve only the publisher, so nothing of them is sold or shared."
            yield Finding((*path, "sale_or_share"), message, "Remove this key, or `exempt`.")
        yield from _exempt_retention(path, category, limit, context)
        for vendor_path, vendor in context.vendors("category", "profiling", "role", "retention"):
            if vendor.category == category.id:
                yield from _exempt_vendor(vendor_path, vendor, limit)
        for tracker_path, tracker in context.trackers("category", "third_party", "lifetime", "kind"):
            if tracker.category == category.id:
                yield from _exempt_tracker(tracker_path, tracker)


def _exempting_place(path: KeyPath, context: CheckContext) -> Iterator[Finding]:
    """Report an exemption that the policy's own regime does not know, because `exempt` counts there first."""
    policy = context.policy
    if not context.is_valid("jurisdiction") or "audience" in policy.home_regime.exempts:
        return
    key = (*path, "exempt")
    message = f"No exemption of analytics from consent is known for {policy.jurisdiction}."
    elsewhere = [regime.id for regime in context.regimes if {"audience", "statistics"} & set(regime.exempts)]
    remedy = "Remove `exempt`, so that visitors are asked."
    if elsewhere:
        message += f" It holds in {', '.join(elsewhere)}, but visitors under your own rules would not be asked either."
    if any("statistics" in regime.exempts for regime in context.regimes):
        remedy = "Write statistics = true in its place, which has an effect only where the law allows it."
    yield Finding(key, message, remedy)


def _exempting(context: CheckContext, kind: Exemption) -> list[Regime]:
    return [regime for regime in context.regimes if kind in regime.exempts]


def _longest_retention(context: CheckContext, kind: Exemption) -> Duration:
    """Return how long exempt data is kept at most: the shortest time that a regime with the exemption allows."""
    limits = [
        limit for regime in _exempting(context, kind) if (limit := regime.retention_at_most) is not None
    ]
    shortest = limits[0] if limits else _LONGEST_RETENTION
    for limit in limits:
        shortest = limit if shortest.longer_than(limit) else shortest
    return shortest


def _exempt_retention(
    path: KeyPath, category: Category, limit: Duration, context: CheckContext
) -> Iterator[Finding]:
    if not context.is_valid(*path, "retention"):
        return
    at_most = f"Exempt analytics are kept for at most {in_words(limit)}"
    if category.retention is None:
        message = f"{at_most}; this category does not say how long it keeps them."
        yield Finding((*path, "retention"), message, f'Add `retention`, such as "{limit}".', warning=True)
    elif category.retention.longer_than(limit):
        yield Finding((*path, "retention"), f"{at_most}.", f'Write at most "{limit}".')


def _exempt_vendor(path: KeyPath, vendor: Vendor, limit: Duration) -> Iterator[Finding]:
    if vendor.role != "processor":
        message = "Exempt analytics serve only the publisher; this vendor uses the data for itself."
        remedy = f'Write role = "processor" if the contract says so. {_OTHERWISE_ASK}'
        yield Finding((*path, "role"), message, remedy)
    if vendor.profiling:
        yield Finding((*path, "profiling"), "Exempt analytics build no profiles.", _ASK)
    if vendor.retention is None or vendor.retention.longer_than(limit):
        message = (
            f"A vendor of exempt analytics must state how long it keeps data, at most {in_words(limit)}."
        )
        yield Finding((*path, "retention"), message, f'Add `retention`, at most "{limit}". {_OTHERWISE_ASK}')


def _exempt_tracker(path: KeyPath, tracker: Tracker) -> Iterator[Finding]:
    if tracker.third_party:
        message = "Exempt analytics store data only on the publisher's own domain."
        yield Finding((*path, "third_party"), message, _ASK)
    if tracker.kind in ("fingerprint", "url_decoration"):
        message = "This kind of tracker recognises visitors on other sites, which no exemption covers."
        yield Finding((*path, "kind"), message, _ASK)
    if tracker.lifetime != "session" and tracker.lifetime.longer_than(_LONGEST_LIFETIME):
        remedy = f'Write at most "P13M", and make the site set that lifetime. {_OTHERWISE_ASK}'
        message = "Exempt trackers are kept for at most 13 months."
        yield Finding((*path, "lifetime"), message, remedy)


def exemption_is_assessed(context: CheckContext) -> Iterator[Finding]:
    """LB-05: where the law asks for an assessment of an exemption, the owner can show one (CNIL, July 2025)."""
    needing = [regime for regime in _exempting(context, "audience") if regime.evidence_needed]
    for path, category in context.categories("exempt", "statistics", "appearance", "exemption_evidence"):
        key, evidence = (*path, "exemption_evidence"), category.exemption_evidence
        is_exempt = category.exempt or category.statistics or category.appearance
        if evidence is None:
            for regime in needing if category.exempt else ():
                message = f"The exemption rests on an assessment of your own in {regime.id} ({regime.name})."
                remedy = 'Add `exemption_evidence = { file = "…", date = … }` (or `url`), or remove `exempt`.'
                yield Finding(key, message, remedy)
        elif evidence.url is None and evidence.file is None:
            message = "The assessment cannot be found: it has no `url` and no `file`."
            yield Finding(key, message, "Add one of the two.")
        elif evidence.on > context.today:
            message = f"The assessment is dated {evidence.on}, which lies in the future."
            yield Finding((*key, "date"), message, "Correct the date, or the clock.", warning=True)
        elif not is_exempt:
            message = "There is an assessment of an exemption, but the category is not exempt."
            yield Finding(key, message, "Remove the key.", warning=True)


def statistics_are_our_own(context: CheckContext) -> Iterator[Finding]:
    """JU-02: statistics are for the publisher alone, and neither they nor the appearance serve profiles (PECR, Schedule A1)."""
    for path, category in context.categories("id", "required", "exempt", "statistics", "appearance"):
        if category.required:
            continue
        for key, is_declared in (("statistics", category.statistics), ("appearance", category.appearance)):
            if is_declared and not (key == "statistics" and category.exempt):
                yield from _without_effect((*path, key), key, context)
        if category.statistics:
            yield from _shared_statistics(path, category, context)
        for vendor_path, vendor in context.vendors("category", "profiling", "role"):
            if vendor.category != category.id:
                continue
            if category.statistics and not category.exempt and vendor.role != "processor":
                message = "Statistics serve only the publisher; this vendor uses the data for itself."
                remedy = f'Write role = "processor" if the contract says so. {_OTHERWISE_ASK}'
                yield Finding((*vendor_path, "role"), message, remedy)
            if vendor.profiling and (category.appearance or (category.statistics and not category.exempt)):
                message = "A category that is on without consent builds no profiles."
                yield Finding((*vendor_path, "profiling"), message, _ASK)


def _without_effect(key: KeyPath, kind: str, context: CheckContext) -> Iterator[Finding]:
    if any(kind in regime.exempts for regime in context.regimes):
        return
    if not context.is_valid("regimes") or not context.is_valid("regimes_file"):
        return
    message = "The key has no effect: no regime of the policy has such an exemption."
    remedy = "Add a regime that has it, such as gb = true in [regimes], or remove the key."
    yield Finding(key, message, remedy, warning=True)


def _shared_statistics(path: KeyPath, category: Category, context: CheckContext) -> Iterator[Finding]:
    for key in ("sale_or_share", "combines_across_sites"):
        if not category.exempt and getattr(category, key) and context.is_valid(*path, key):
            message = (
                "Statistics that are on without consent are about one site, and for its publisher alone."
            )
            yield Finding((*path, key), message, "Remove this key, or `statistics`.")


CHECKS = (category_has_one_ground, exemption_applies, exemption_is_assessed, statistics_are_our_own)
