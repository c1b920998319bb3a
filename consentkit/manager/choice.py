"""How a choice came about, what came of it, and the record that proves both."""

from dataclasses import dataclass
from typing import Literal

from consentkit._version import __version__
from consentkit.consent import Consent, ConsentStatus, Decision, Evaluator
from consentkit.ledger import Record

__all__ = ["SURFACES", "ChoiceContext", "Event", "Outcome", "Surface", "record_of"]

Surface = Literal["banner", "preferences", "policy", "embed", "api"]
SURFACES: tuple[Surface, ...] = ("banner", "preferences", "policy", "embed", "api")
Event = Literal["given", "refused", "changed", "withdrawn", "renewed", "imported", "loaded_once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceContext:
    """Where and how a visitor chose.

    Attributes:
        surface: which page or programme the choice was made on.
        choice: accept_all, reject_all, save, change, withdraw, load_once, or api.
        language: in which the notice was shown.
        notice: whole digest of the notice that was shown; None for the present one.
        gpc: whether the request carried Global Privacy Control.
    """

    surface: Surface = "api"
    choice: str = "api"
    language: str = ""
    notice: str | None = None
    gpc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a choice.

    Attributes:
        consent: as it stands afterwards.
        record: what was written, None where nothing changed.
        reference: after a withdrawal, what its records can be asked for by.
        cookies: Set-Cookie values that the answer has to carry.
        narrowed: whether something that was allowed no longer is.
        stored: whether the record is durable already.
    """

    consent: Consent
    record: Record | None = None
    reference: str | None = None
    cookies: tuple[str, ...] = ()
    narrowed: bool = False
    stored: bool = True


def record_of(
    evaluator: Evaluator,
    before: Consent,
    after: Decision,
    consent: Consent,
    context: ChoiceContext,
    *,
    subject: str,
    event: Event | None = None,
) -> Record:
    """Write down one event; what kind of one follows from before and after, where it is not said.

    `subject` is the pseudonym that the event is about, empty where there is none.
    """
    policy = evaluator.policy
    notice = evaluator.notices[after.notice]
    return Record(
        at=after.changed_at,
        event=event or _event(evaluator, before, after),
        status=consent.status.value if evaluator.grants(after) else _refusal(after).value,
        subject=subject or None,
        site=evaluator.site.id,
        group=policy.group.id if policy.group else "",
        notice=after.notice,
        language=context.language or policy.languages[0],
        surface=context.surface,
        choice=context.choice,
        categories={category: category in after.granted for category in notice.category_ids},
        vendors=dict(after.vendors),
        decided_at=after.decided_at,
        changed_at=after.changed_at,
        expires_at=evaluator.expires(after),
        gpc=context.gpc,
        jurisdiction=policy.jurisdiction,
        version=__version__,
    )


def _refusal(after: Decision) -> ConsentStatus:
    return ConsentStatus.WITHDRAWN if after.kind == "withdrawn" else ConsentStatus.REFUSED


def _event(evaluator: Evaluator, before: Consent, after: Decision) -> Event:
    """Name the event in the words of the Data Privacy Vocabulary; granted anew and unchanged, it is a renewal."""
    if not evaluator.grants(after):
        return "refused"
    old = before.decision
    if before.status is not ConsentStatus.GIVEN or old is None:
        return "given"
    return "renewed" if old.answers_as(after) and after.decided_at > old.decided_at else "changed"
