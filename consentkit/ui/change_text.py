"""The changes since a visitor's answer that make the site ask again, in the visitor's language."""

from collections.abc import Iterable

from markupsafe import Markup

from consentkit.notices import Change
from consentkit.ui.disclosure import Row
from consentkit.ui.i18n import N_
from consentkit.ui.rendering import Rendering

__all__ = ["change_sentences"]

_SENTENCES = {
    ("controller", "name"): N_("The controller is now %(controller)s."),
    ("controller", "country"): N_("The controller %(controller)s is now in another country."),
    ("group", "joint_controllers"): N_(
        "Our sites now have several controllers, who are responsible together."
    ),
    ("site", "controller"): N_("One of our sites has another controller."),
    ("category", ""): N_("A new purpose: %(purpose)s."),
    ("category", "title"): N_("A purpose has another name: %(purpose)s."),
    ("category", "combines_across_sites"): N_("Data from all our sites is now combined for %(purpose)s."),
    ("vendor", ""): N_("A new third party for %(purpose)s: %(vendor)s, %(country)s."),
    ("vendor", "country"): N_("%(vendor)s is now in: %(country)s."),
    ("vendor", "legal_entity"): N_("%(vendor)s now belongs to another company."),
    ("vendor", "name"): N_("A third party has another name: %(vendor)s."),
    ("vendor", "profiling"): N_("%(vendor)s may now build a profile of you."),
    ("vendor", "safeguard"): N_(
        "The data that %(vendor)s receives outside Europe is protected in another way."
    ),
    ("vendor", "role"): N_("%(vendor)s now has another role."),
    ("vendor", "data"): N_("%(vendor)s now receives other kinds of data."),
    ("vendor", "retention"): N_("%(vendor)s now keeps data longer."),
    ("tracker", ""): N_("New for %(purpose)s: %(tracker)s."),
    ("tracker", "lifetime"): N_("%(tracker)s now stays longer on your device."),
    ("tracker", "purpose"): N_("%(tracker)s now has another purpose."),
    ("tracker", "third_party"): N_("%(tracker)s now belongs to a third party."),
    ("tracker", "personal_data"): N_("%(tracker)s now holds personal data."),
}
_PURPOSE = N_("The purpose %(purpose)s is described in other words.")
_OTHER = N_("The group of our sites has changed.")


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
    sentence = _SENTENCES.get((change.thing, change.field))
    if sentence is None:
        sentence = _PURPOSE if change.thing == "category" else _OTHER
    policy = rendering.policy
    category = _row(policy["categories"], change.category)
    vendor = _row(policy["vendors"], change.vendor)
    return rendering.translator.gettext_html(
        sentence,
        controller=policy["controller"]["name"],
        purpose=rendering.owner_text(category["title"]) if category else change.category,
        vendor=vendor["name"] if vendor else change.vendor,
        country=vendor["country_name"] if vendor else change.new,
        tracker=change.name,
    )


def _row(rows: Iterable[Row], row_id: str | None) -> Row | None:
    return next((row for row in rows if row["id"] == row_id), None)
