"""The grant in force, as the ledger proves it: its record, the notice of the record, and when each answer was given."""

import logging
from typing import Any

from consentkit.consent import Consent, ConsentStatus, Evaluator
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger
from consentkit.manager.newest import newest_of
from consentkit.manager.resolver import ConsentResolver
from consentkit.notices import Notice
from consentkit.proof import Grant, grant_of

__all__ = ["grant_on_record", "notice_on_record"]

log = logging.getLogger("consentkit")


def grant_on_record(
    consent: Consent, ledger: Ledger | None, evaluator: Evaluator, resolver: ConsentResolver, now: float
) -> Grant | None:
    """Return the grant that the visitor's newest record proves; None if nothing is granted, or no record proves it. Blocks.

    Raises:
        LedgerUnavailableError: the ledger does not answer, or the record of this decision still waits for it.
    """
    decision = consent.decision
    if (
        ledger is None
        or consent.status is not ConsentStatus.GIVEN
        or decision is None
        or not decision.subject
    ):
        return None
    history = ledger.history(decision.subject)
    record = newest_of(history, evaluator)
    # Two different answers of one moment count as what both allow. No record has that, so none proves it.
    if record is None or record not in history:
        return None
    recorded = resolver.decision_of(record)
    if recorded is None:
        return None
    if not record.ends_subject and recorded.moment < decision.moment:
        raise LedgerUnavailableError(
            "The record of this decision has not reached the ledger yet: try again later."
        )
    current = evaluator.evaluate(recorded, now)
    notice = notice_on_record(ledger, record.notice)
    if current.status is not ConsentStatus.GIVEN or notice is None:
        return None
    on = {f"~{vendor}" for vendor, allowed in current.vendors.items() if allowed}
    grant = grant_of(record, notice, history=history, in_force=current.granted | on)
    return grant if any(part.is_given for part in grant.parts) else None


def notice_on_record(ledger: Ledger, digest: str) -> dict[str, Any] | None:
    """Return the content of a stored notice; None if it is not what visitors were told under this digest."""
    content = ledger.notice(digest)
    try:
        if content is not None and Notice.from_content(content).digest == digest:
            return content
    except (LookupError, TypeError, ValueError, AttributeError):
        pass
    log.error(
        "The ledger's notice %s is missing or damaged, so a receipt that names it cannot be made.", digest
    )
    return None
