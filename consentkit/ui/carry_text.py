"""What a visitor reads about the button “Use this choice on all our sites”, and about how far the choice has come."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from consentkit.policy import Policy
from consentkit.ui.disclosure import Row
from consentkit.ui.i18n import Translator

__all__ = ["CarriedChoice", "carried_sentences", "carrying", "visiting_sentence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedChoice:
    """How far a choice has come that the visitor uses on all sites.

    Attributes:
        results: `taken`, `kept`, `refused` or `silent`, by id of the site.
        to_come: ids of the sites without a result, the next one first.
        is_under_way: whether the browser was sent to the next site and has not come back.
        go_on: address that sends the browser to the next site; `&skip=` and ids leave sites out.
    """

    results: Mapping[str, str]
    to_come: tuple[str, ...]
    is_under_way: bool
    go_on: str


def carried_sentences(state: CarriedChoice, names: Mapping[str, str], translator: Translator) -> list[Markup]:
    """Return sentences that say which sites took the choice, which did not, and which has not answered yet."""
    by_result: dict[str, list[str]] = {}
    for site, result in state.results.items():
        by_result.setdefault(result, []).append(names[site])
    sentences = [
        _result_sentence(result, by_result[result], translator) for result in _ORDER if result in by_result
    ]
    if state.to_come and state.is_under_way:
        waiting = names[state.to_come[0]]
        sentences.append(translator.gettext_html("%(site)s has not answered yet.", site=waiting))
    return sentences


_ORDER = ("taken", "kept", "refused", "silent")


def _result_sentence(result: str, names: list[str], translator: Translator) -> Markup:
    sites, number = translator.format_list(names), len(names)
    if result == "taken":
        return translator.gettext_html("Your choice now also counts on %(sites)s.", sites=sites)
    if result == "kept":
        return translator.gettext_html(
            "You made a newer choice on %(sites)s, which stays as it is.", sites=sites
        )
    if result == "refused":
        return translator.ngettext_html(
            "%(sites)s could not use your choice, so nothing changed there.",
            "%(sites)s could not use your choice, so nothing changed there.",
            number,
            sites=sites,
        )
    return translator.ngettext_html(
        "%(sites)s did not answer.", "%(sites)s did not answer.", number, sites=sites
    )


def carrying(state: CarriedChoice, policy: Policy, translator: Translator, origins: Mapping[str, str]) -> Row:
    """Return what templates show of a choice that is on its way.

    The keys are `sentences`; `next`, the name of the next site or None; `again`, whether the browser was sent there before;
    `go_on` and `skip`, addresses that go on with and without that site; `sites`, what the script asks first, empty if it asks
    nothing; and `asking`, what the script shows meanwhile.
    """
    names = {site.id: site.name for site in policy.sites}
    following = next(iter(state.to_come), None)
    is_new = not state.results and not state.is_under_way
    asked = translator.format_list(names[site] for site in state.to_come)
    return {
        "sentences": carried_sentences(state, names, translator),
        "next": names[following] if following else None,
        "again": state.is_under_way,
        "go_on": state.go_on,
        "skip": f"{state.go_on}&skip={following}",
        "sites": " ".join(f"{site}={origins[site]}" for site in state.to_come) if is_new else "",
        "asking": translator.pgettext_html("progress", "Asking %(sites)s …", sites=asked),
    }


def visiting_sentence(names: Iterable[str], translator: Translator) -> Markup:
    """Return the sentence that says what the button does."""
    return translator.gettext_html(
        "Your browser then visits %(sites)s and comes back here.", sites=translator.format_list(names)
    )
