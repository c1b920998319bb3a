"""The line that confirms a choice in words: what was chosen, what was removed, and what only the visitor can remove.

A choice and the page that confirms it are two requests. Between them a short-lived cookie carries a code of what happened,
such as `rejected.ended.youtube`: an event, whether something ended, and ids of the policy. It identifies nobody.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Self, get_args

from markupsafe import Markup

from consentkit.consent import Consent, ConsentStatus
from consentkit.policy import Policy
from consentkit.ui.banner_text import answer_sentences, arrival_sentences
from consentkit.ui.i18n import N_
from consentkit.ui.opt_out_text import objection_sentences, opt_out_sentences
from consentkit.ui.place_rules import is_on
from consentkit.ui.rendering import Rendering

__all__ = ["Confirmation", "confirmation_sentences"]

Event = Literal[
    "accepted",
    "rejected",
    "saved",
    "opted_out",
    "objected",
    "withdrawn",
    "unchanged",
    "always",
    "brought",
    "absent",
    "failed",
]

_EVENTS: Mapping[str, Event] = {event: event for event in get_args(Event)}
_ABOUT_SITES = frozenset({"brought", "absent", "failed"})
_ENDED = "ended"
_MOST_PARTIES = 20
_LONGEST_CODE = 2048

_SENTENCES: dict[str, str] = {
    "accepted": N_("You accepted everything that needs your consent."),
    "rejected": N_("You rejected everything that needs your consent."),
    "saved": N_("Your choices are saved."),
    "opted_out": N_("Your choices are saved."),
    "objected": N_("Your choices are saved."),
    "withdrawn": N_("You withdrew your consent."),
    "unchanged": N_("There was nothing to withdraw."),
    "always": N_("Content from %(name)s now loads without asking."),
    "absent": N_("We found no choice of yours on %(name)s to use here."),
    "failed": N_("We couldn’t use your choice from %(name)s here."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a visitor just did.

    Attributes:
        event: what happened.
        about: the vendor of `always`, or the site of `brought`, `absent` and `failed`.
        ended: whether something that was allowed no longer is.
        parties: ids of vendors whose consent ended and whose cookies on their own domains only the visitor can delete.
    """

    event: Event
    about: str = ""
    ended: bool = False
    parties: tuple[str, ...] = ()

    @classmethod
    def of_choice(
        cls, choice: str, before: Consent, after: Consent, policy: Policy, *, recorded: bool
    ) -> Self:
        """Return the confirmation of a choice on this site.

        Args:
            choice: `withdraw`, `always` for the button of an embed, or anything else for an answer.
            before: the consent before the choice.
            after: the consent after it.
            policy: of the site.
            recorded: whether the choice was recorded. A withdrawal may be, although this server saw nothing allowed before:
                its clock may be behind, and the cookie from a moment that it does not know yet.
        """
        stopped = [
            vendor for vendor, allowed in before.vendors.items() if allowed and not after.vendors[vendor]
        ]
        started = [
            vendor for vendor, allowed in after.vendors.items() if allowed and not before.vendors[vendor]
        ]
        ended = (
            bool(stopped)
            or (choice == "withdraw" and recorded)
            or any(
                allowed and not after.categories[category] for category, allowed in before.categories.items()
            )
        )
        if choice == "always" and len(started) == 1 and not ended:
            return cls(event="always", about=started[0])
        elsewhere = {tracker.vendor for tracker in policy.trackers if tracker.third_party}
        parties = [vendor for vendor in stopped if vendor in elsewhere]
        event = _event_here(before, after, policy) if choice != "withdraw" and not policy.is_home else None
        event = event or _event_of(choice, after, ended)
        return cls(event=event, ended=ended, parties=tuple(parties[:_MOST_PARTIES]))

    @classmethod
    def of_code(cls, code: str, *, vendors: Collection[str], sites: Collection[str]) -> Self | None:
        """Return the confirmation of a code, or None for a text that is no code.

        Args:
            code: as a browser sent it.
            vendors: ids of all vendors.
            sites: ids of the sites from which choices can come.
        """
        word, *more = code.split(".", _MOST_PARTIES + 2)
        event = _EVENTS.get(word)
        if event is None:
            return None
        if event == "always" or event in _ABOUT_SITES:
            known = vendors if event == "always" else sites
            return cls(event=event, about=more[0]) if len(more) == 1 and more[0] in known else None
        if not more:
            return cls(event=event)
        if more[0] != _ENDED or not set(more[1:]) <= set(vendors):
            return None
        return cls(event=event, ended=True, parties=tuple(more[1:]))

    @property
    def is_of_decision(self) -> bool:
        """Whether this confirms a decision, which the visitor then has."""
        return self.event not in ("unchanged", "absent", "failed")

    @property
    def code(self) -> str:
        """The code, in characters that a cookie needs no quotes for."""
        about = (self.about,) if self.about else ()
        return ".".join((self.event, *about, *((_ENDED, *self.parties) if self.ended else ())))


def _event_of(choice: str, after: Consent, ended: bool) -> Event:
    if choice == "withdraw" and not ended:
        return "unchanged"
    if after.status is not ConsentStatus.GIVEN:
        return "withdrawn" if choice == "withdraw" else "rejected"
    return "accepted" if _accepts_everything(after) else "saved"


def _event_here(before: Consent, after: Consent, policy: Policy) -> Event | None:
    """Return what happened in a place with rules of its own; None if that is nothing special."""
    stopped = {row.id for row in policy.optional if is_on(before, row.id) and not is_on(after, row.id)}
    if "privacy_choices" in policy.regime.links and any(
        kind & stopped and not any(is_on(after, category) for category in kind) for kind in _opt_outs(policy)
    ):
        return "opted_out"
    if policy.regime.mode != "opt_in":
        return "saved"
    is_partial = after.decision is not None and after.decision.kind == "partial"
    if stopped and stopped <= {row.id for row in policy.optional if row.exempt}:
        return "objected" if is_partial or before.status.decided else None
    # Only what is on without consent was turned on again.
    return "saved" if is_partial and after.status is ConsentStatus.REFUSED else None


def _opt_outs(policy: Policy) -> tuple[set[str], set[str]]:
    """Return the categories that sell or share personal data, and those that use sensitive data."""
    selling = {row.id for row in policy.optional if policy.sells(row.id)}
    return selling, {row.id for row in policy.optional if row.sensitive}


def _accepts_everything(consent: Consent) -> bool:
    return all(consent.categories.values()) and all(consent.vendors.values())


def confirmation_sentences(
    confirmation: Confirmation, consent: Consent, rendering: Rendering
) -> list[Markup]:
    """Return the sentences that confirm what a visitor did, in words."""
    sites, vendors = (
        {row["id"]: row["name"] for row in rendering.policy[key]} for key in ("sites", "vendors")
    )
    names = sites if confirmation.event in _ABOUT_SITES else vendors
    translator = rendering.translator
    name = names.get(confirmation.about, "")
    if confirmation.event == "brought":
        sentences = arrival_sentences(consent, name, rendering)
    elif confirmation.event == "opted_out":
        sentences = opt_out_sentences(consent, rendering)
    elif confirmation.event == "objected":
        sentences = objection_sentences(consent, rendering)
    else:
        sentences = [translator.gettext_html(_SENTENCES[confirmation.event], name=name)]
    if confirmation.event == "saved":
        sentences += answer_sentences(consent, rendering)
    if confirmation.ended:
        sentences.append(
            translator.gettext_html(
                "We’ve deleted what this site had stored in your browser for what you no longer allow."
            )
        )
    if confirmation.parties:
        parties = translator.format_list(vendors[vendor] for vendor in confirmation.parties)
        sentences.append(
            translator.gettext_html(
                "Cookies that %(vendors)s stored under their own addresses stay until you delete them.",
                vendors=parties,
            )
        )
    return sentences
