"""What grew since a visitor's answer, in the visitor's language."""

from collections.abc import Callable, Iterable
from typing import Any

from markupsafe import Markup

from consentkit.notices import Change
from consentkit.ui.disclosure import Row
from consentkit.ui.i18n import Translator, mark

__all__ = ["whats_new"]

_SENTENCES = {
    ("controller", "name"): mark("The controller is now %(controller)s."),
    ("controller", "country"): mark("The controller %(controller)s is now in another country."),
    ("group", "joint_controllers"): mark(
        "Our sites now have several controllers, who are responsible together."
    ),
    ("site", "controller"): mark("One of our sites has another controller."),
    ("category", ""): mark("A new purpose: %(purpose)s."),
    ("category", "title"): mark("A purpose has another name: %(purpose)s."),
    ("category", "combines_across_sites"): mark("Data from all our sites is now combined for %(purpose)s."),
    ("vendor", ""): mark("A new third party for %(purpose)s: %(vendor)s, %(country)s."),
    ("vendor", "country"): mark("%(vendor)s is now in: %(country)s."),
    ("vendor", "legal_entity"): mark("%(vendor)s now belongs to another company."),
    ("vendor", "name"): mark("A third party has another name: %(vendor)s."),
    ("vendor", "profiling"): mark("%(vendor)s may now build a profile of you."),
    ("vendor", "safeguard"): mark(
        "The data that %(vendor)s receives outside Europe is protected in another way."
    ),
    ("vendor", "role"): mark("%(vendor)s now has another role."),
    ("vendor", "data"): mark("%(vendor)s now receives other kinds of data."),
    ("vendor", "retention"): mark("%(vendor)s now keeps data longer."),
    ("tracker", ""): mark("New for %(purpose)s: %(tracker)s."),
    ("tracker", "lifetime"): mark("%(tracker)s now stays longer on your device."),
    ("tracker", "purpose"): mark("%(tracker)s now has another purpose."),
    ("tracker", "third_party"): mark("%(tracker)s now belongs to a third party."),
    ("tracker", "personal_data"): mark("%(tracker)s now holds personal data."),
}
_PURPOSE = mark("The purpose %(purpose)s is described in other words.")
_OTHER = mark("The group of our sites has changed.")


def whats_new(
    changes: Iterable[Change], policy: Row, words: Translator, own: Callable[[str], Markup]
) -> tuple[Markup, ...]:
    """Put into sentences what makes us ask again, each once; a new vendor's trackers go without saying."""
    changes = [change for change in changes if change.asks]
    new = {change.vendor for change in changes if change.thing == "vendor" and change.verb == "added"}
    return tuple(
        dict.fromkeys(
            _sentence(change, policy, words, own)
            for change in changes
            if not (change.thing == "tracker" and change.vendor in new)
        )
    )


def _sentence(change: Change, policy: Row, words: Translator, own: Callable[[str], Markup]) -> Markup:
    sentence = _SENTENCES.get((change.thing, change.field))
    if sentence is None:
        sentence = _PURPOSE if change.thing == "category" else _OTHER
    category = _row(policy["categories"], change.category)
    vendor = _row(policy["vendors"], change.vendor)
    values: dict[str, Any] = {
        "controller": policy["controller"]["name"],
        "purpose": own(category["title"]) if category else change.category,
        "vendor": vendor["name"] if vendor else change.vendor,
        "country": vendor["country_name"] if vendor else change.new,
        "tracker": change.name,
    }
    return words.fill(sentence, **values)


def _row(rows: Iterable[Row], wanted: str | None) -> Row | None:
    return next((row for row in rows if row["id"] == wanted), None)
