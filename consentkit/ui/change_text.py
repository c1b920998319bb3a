"""The changes since a visitor's last choice that make the site ask again, in the visitor's language."""

from collections.abc import Iterable, Mapping

from markupsafe import Markup

from consentkit.notices import Change
from consentkit.policy import Duration
from consentkit.ui.disclosure import Row
from consentkit.ui.i18n import N_, NN_, DurationForms
from consentkit.ui.rendering import Rendering

__all__ = ["change_marks", "change_sentences"]

# Placeholders stand for names: `controller`, `vendor`, `tracker` (of a cookie) and `purpose` (the owner's name of a category).
# `old` and `new` are the fact before and after the change.
_SENTENCES = {
    ("controller", "name"): N_("%(controller)s is now responsible for this site (before: %(old)s)."),
    # Translators: %(new)s and %(old)s are names of countries, which stand alone.
    ("controller", "country"): N_("%(controller)s has moved to another country: %(new)s (before: %(old)s)."),
    ("group", "joint_controllers"): N_(
        "Several companies or organisations are now jointly responsible for our sites."
    ),
    ("site", "controller"): N_("Another company or organisation is now responsible for one of our sites."),
    # Translators: %(purpose)s is the name of a purpose, which stands alone.
    ("category", ""): N_("There is a new purpose: %(purpose)s."),
    ("category", "title"): N_("A purpose has a new name: %(purpose)s."),
    ("category", "combines_across_sites"): N_(
        "For the purpose “%(purpose)s” we now combine your data from all our sites."
    ),
    # Translators: %(country)s is the name of a country, which stands alone.
    ("vendor", ""): N_("There is a new third party for the purpose “%(purpose)s”: %(vendor)s (%(country)s)."),
    # Translators: %(new)s and %(old)s are names of countries, which stand alone.
    ("vendor", "country"): N_("%(vendor)s has moved to another country: %(new)s (before: %(old)s)."),
    # Translators: %(new)s and %(old)s are names of companies, which stand alone.
    ("vendor", "legal_entity"): N_("%(vendor)s now belongs to another company: %(new)s (before: %(old)s)."),
    ("vendor", "name"): N_("A third party has a new name: %(vendor)s."),
    ("vendor", "profiling"): N_("%(vendor)s may now build a profile of you."),
    ("vendor", "safeguard"): N_(
        "The data that %(vendor)s receives outside the European Economic Area is now protected in another way."
    ),
    ("vendor", "role"): N_("%(vendor)s now has another role in how your data is used."),
    ("vendor", "data"): N_("%(vendor)s now receives more kinds of data."),
    # Translators: %(tracker)s is the technical name of a cookie or of another item on the visitor's device.
    ("tracker", ""): N_("There is a new item for the purpose “%(purpose)s”: %(tracker)s."),
    ("tracker", "purpose"): N_("“%(tracker)s” is now used for something else."),
    ("tracker", "third_party"): N_("“%(tracker)s” now belongs to a third party."),
    ("tracker", "personal_data"): N_("“%(tracker)s” now contains personal data."),
}
_PURPOSE = N_("The purpose “%(purpose)s” is now described differently.")
_OTHER = N_("The group of our sites has changed.")

_COOKIE_KEPT: DurationForms = {
    # Translators: %(old)s is the number of years before the change.
    "year": NN_(
        "The cookie “%(tracker)s” is now kept for %(num)s year (it was %(old)s).",
        "The cookie “%(tracker)s” is now kept for %(num)s years (it was %(old)s).",
    ),
    # Translators: %(old)s is the number of months before the change.
    "month": NN_(
        "The cookie “%(tracker)s” is now kept for %(num)s month (it was %(old)s).",
        "The cookie “%(tracker)s” is now kept for %(num)s months (it was %(old)s).",
    ),
    # Translators: %(old)s is the number of days before the change.
    "day": NN_(
        "The cookie “%(tracker)s” is now kept for %(num)s day (it was %(old)s).",
        "The cookie “%(tracker)s” is now kept for %(num)s days (it was %(old)s).",
    ),
}
# Translators: %(duration)s and %(old)s are lengths of time, which stand alone, such as "2 years".
_KEPT = N_("“%(tracker)s” is now kept longer: %(duration)s (before: %(old)s).")
# Translators: %(new)s is a length of time, which stands alone, such as "2 years".
_KEPT_AFTER_SESSION = N_("“%(tracker)s” now stays after you close the browser: %(new)s.")

_RETAINED: DurationForms = {
    # Translators: %(old)s is the number of years before the change.
    "year": NN_(
        "%(vendor)s now keeps data for %(num)s year (it was %(old)s).",
        "%(vendor)s now keeps data for %(num)s years (it was %(old)s).",
    ),
    # Translators: %(old)s is the number of months before the change.
    "month": NN_(
        "%(vendor)s now keeps data for %(num)s month (it was %(old)s).",
        "%(vendor)s now keeps data for %(num)s months (it was %(old)s).",
    ),
    # Translators: %(old)s is the number of days before the change.
    "day": NN_(
        "%(vendor)s now keeps data for %(num)s day (it was %(old)s).",
        "%(vendor)s now keeps data for %(num)s days (it was %(old)s).",
    ),
}
# Translators: %(duration)s and %(old)s are lengths of time, which stand alone, such as "2 years".
_RETAINED_OTHERWISE = N_("%(vendor)s now keeps data longer: %(duration)s (before: %(old)s).")
_RETENTION_UNKNOWN = N_("%(vendor)s no longer states how long it keeps data.")


def change_sentences(changes: Iterable[Change], rendering: Rendering) -> tuple[Markup, ...]:
    """Return one sentence for each change that makes the site ask again, without repetitions.

    The trackers of a new vendor are left out, because the sentence about the vendor covers them.
    """
    changes = [change for change in changes if change.asks]
    new_vendors = {change.vendor for change in changes if change.thing == "vendor" and change.verb == "added"}
    return tuple(
        dict.fromkeys(
            _sentence(change, rendering)
            for change in changes
            if not (change.thing == "tracker" and change.vendor in new_vendors)
        )
    )


def _sentence(change: Change, rendering: Rendering) -> Markup:
    policy = rendering.policy
    category = _row(policy["categories"], change.category)
    vendor = _row(policy["vendors"], change.vendor)
    values = {
        "controller": policy["controller"]["name"],
        "purpose": rendering.owner_text(category["title"]) if category else change.category,
        "vendor": vendor["name"] if vendor else change.vendor,
        "country": vendor["country_name"] if vendor else "",
        "tracker": change.name,
    }
    if (change.thing, change.field) == ("tracker", "lifetime"):
        return _lifetime_sentence(change, rendering, values)
    if (change.thing, change.field) == ("vendor", "retention"):
        return _retention_sentence(change, rendering, values)
    sentence = _SENTENCES.get((change.thing, change.field))
    if sentence is None:
        sentence = _PURPOSE if change.thing == "category" else _OTHER
    return rendering.translator.gettext_html(
        sentence,
        **values,
        old=_shown(change, change.old, rendering),
        new=_shown(change, change.new, rendering),
    )


def _lifetime_sentence(change: Change, rendering: Rendering, values: Mapping[str, object]) -> Markup:
    new = Duration.parse(change.new)
    if change.old == "session":
        words = rendering.translator.format_lifetime(new)
        return rendering.translator.gettext_html(_KEPT_AFTER_SESSION, **values, new=words)
    is_cookie = any(
        row["name"] == change.name and row["kind"] == "cookie" for row in rendering.policy["trackers"]
    )
    forms = _COOKIE_KEPT if is_cookie else {}
    return rendering.translator.longer_html(forms, _KEPT, Duration.parse(change.old), new, **values)


def _retention_sentence(change: Change, rendering: Rendering, values: Mapping[str, object]) -> Markup:
    if change.new is None:
        return rendering.translator.gettext_html(_RETENTION_UNKNOWN, **values)
    old, new = Duration.parse(change.old), Duration.parse(change.new)
    return rendering.translator.longer_html(_RETAINED, _RETAINED_OTHERWISE, old, new, **values)


def _shown(change: Change, value: object, rendering: Rendering) -> object:
    """Return a fact as the visitor reads it: for the code of a country, its name."""
    if change.field == "country":
        return rendering.translator.country_name(str(value))
    return value


def _row(rows: Iterable[Row], row_id: str | None) -> Row | None:
    return next((row for row in rows if row["id"] == row_id), None)


def change_marks(changes: Iterable[Change], rendering: Rendering) -> dict[tuple[str, str], str]:
    """Return a word for each category and vendor that is new, or changed so that the site asks again.

    The keys are pairs such as `("vendor", "youtube")`.
    """
    changed = rendering.translator.pgettext("mark on a purpose or third party", "Changed")
    new = rendering.translator.pgettext("mark on a purpose or third party", "New")
    marks: dict[tuple[str, str], str] = {}
    for change in changes:
        if not change.asks:
            continue
        for kind, row_id in (("category", change.category), ("vendor", change.vendor)):
            if row_id is not None:
                marks.setdefault((kind, row_id), changed)
        if change.verb == "added" and change.thing in ("category", "vendor"):
            marks[change.thing, change.name] = new
    return marks
