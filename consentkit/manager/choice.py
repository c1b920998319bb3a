"""The context in which a visitor made a choice, and the outcome of the choice."""

from dataclasses import dataclass
from typing import Literal

from consentkit.consent import Consent, Decision
from consentkit.ledger import Record

__all__ = ["ChoiceContext", "Outcome", "Surface"]

Surface = Literal["banner", "preferences", "policy", "embed", "api"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceContext:
    """Where and how a visitor chose.

    Attributes:
        surface: the page or program on which the choice was made.
        choice: accept_all, reject_all, save, change, withdraw, load_once, or api.
        language: language in which the notice was shown; the policy's first language if empty.
        notice: whole digest of the notice that was shown; None for the current one.
        rendering: id of the words that the visitor saw, as the form sent it; empty if no words were shown.
        gpc: whether the request carried Global Privacy Control.
        submission: text that is the same only if a choice is sent again, so that it adds nothing: what is random in the
            rendering that it was sent from, and the cookie that came along. Empty if there is none.
        replaces: the decision in the browser's cookie, also where it no longer counts; None without one, or if it is ahead of
            this host's clock. The choice is dated after it.
    """

    surface: Surface = "api"
    choice: str = "api"
    language: str = ""
    notice: str | None = None
    rendering: str = ""
    gpc: bool = False
    submission: str = ""
    replaces: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a choice: the consent, and what was stored and has to be sent because of it.

    Attributes:
        consent: the visitor's consent after the choice.
        record: the record that was written; None if nothing changed.
        echoes: the records that take the same back on linked sites.
        reference: after a withdrawal, the pseudonym under which the visitor can ask for the records.
        cookies: Set-Cookie values that the response has to carry.
        narrowed: whether something that was allowed no longer is.
        stored: whether the record is durable already.
    """

    consent: Consent
    record: Record | None = None
    echoes: tuple[Record, ...] = ()
    reference: str | None = None
    cookies: tuple[str, ...] = ()
    narrowed: bool = False
    stored: bool = True
