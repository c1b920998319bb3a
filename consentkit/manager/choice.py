"""The context in which a visitor made a choice, and the outcome of the choice."""

from dataclasses import dataclass
from typing import Literal

from consentkit.consent import Consent
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
        gpc: whether the request carried Global Privacy Control.
    """

    surface: Surface = "api"
    choice: str = "api"
    language: str = ""
    notice: str | None = None
    gpc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a choice: the consent, and what has to be stored and sent because of it.

    Attributes:
        consent: the visitor's consent after the choice.
        record: the record that was written; None if nothing changed.
        reference: after a withdrawal, the pseudonym under which the visitor can ask for the records.
        cookies: Set-Cookie values that the response has to carry.
        narrowed: whether something that was allowed no longer is.
        stored: whether the record is durable already.
    """

    consent: Consent
    record: Record | None = None
    reference: str | None = None
    cookies: tuple[str, ...] = ()
    narrowed: bool = False
    stored: bool = True
