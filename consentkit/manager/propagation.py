"""How far a narrowing reaches: every pseudonym that the ledger links to the visitor's, on whichever site it was given.

A visitor has another pseudonym on each site, linked in the ledger by the hand-offs between them. What takes consent back under
one of them is written for all of them in one transaction, so that each site finds it by its own. What widens
reaches another site only by a hand-off. A hand-off that is under way while consent is taken back must not outrun it: after
writing, both sides look again, so that one of them sees the other.
"""

import hashlib
import logging
import uuid
from dataclasses import replace

from consentkit.consent import ConsentStatus, Evaluator
from consentkit.errors import LedgerError
from consentkit.ledger import Ledger, Record

__all__ = ["LinkedLedger"]

log = logging.getLogger("consentkit")

_WIDENING = ("given", "renewed")


class LinkedLedger:
    """Append records to the ledger, and with them what they take back under linked pseudonyms."""

    def __init__(self, ledger: Ledger, evaluator: Evaluator) -> None:
        self._ledger = ledger
        self._evaluator = evaluator

    def append(self, *records: Record) -> None:
        """Store records durably, all or none.

        Raises:
            LedgerUnavailableError: nothing was stored.
        """
        echoes = [echo for record in records for echo in self._echoes(record)]
        self._ledger.append(*records, *echoes)
        for record in records:
            if record.event not in _WIDENING:
                self._look_again(record)

    def _look_again(self, record: Record) -> None:
        """Follow what was handed over, or taken back, while the record was written."""
        try:
            back = self._taken_back(record) if record.event == "imported" else None
            self._ledger.append(*self._echoes(record), *([back] if back is not None else []))
        except LedgerError:
            if record.status != ConsentStatus.GIVEN:
                raise
            # The grant itself is durable: to raise would tell the visitor that nothing was changed.
            log.exception("Whether record %s reaches other sites could not be seen.", record.id)

    def _echoes(self, record: Record) -> list[Record]:
        """Write for every linked grant what the record takes back of it."""
        found = []
        for newest in self._linked(record):
            # What was brought from elsewhere is as old as the choice it repeats: it takes nothing back that came after.
            outlived = record.event == "imported" and newest.changed_at > record.changed_at
            if newest.status == ConsentStatus.GIVEN and not outlived:
                found.append(self._narrowed(newest, record))
        return [echo for echo in found if echo is not None]

    def _taken_back(self, record: Record) -> Record | None:
        """Write what was taken back elsewhere of an imported grant before it arrived; a tie goes to the narrower."""
        left = record
        for newest in self._linked(record):
            newer = newest.changed_at >= record.changed_at and not _echoes(record, newest)
            if newer and left.status == ConsentStatus.GIVEN:
                left = self._narrowed(left, newest) or left
        return left if left is not record else None

    def _linked(self, record: Record) -> list[Record]:
        """Find the newest record of every pseudonym that is linked to a record's."""
        return self._ledger.newest_linked(record.subject) if record.subject else []

    def _narrowed(self, newest: Record, record: Record) -> Record | None:
        """Keep of a linked grant what another record grants too; None where that takes nothing back."""
        notice = self._evaluator.known(newest.notice)
        category_of = notice.vendor_category if notice else {}
        told = notice.vendor_ids if notice else ()
        categories = {
            category: allowed and record.categories.get(category, False)
            for category, allowed in newest.categories.items()
        }
        vendors = {}
        for vendor in told:
            allowed = _allows(newest, vendor, category_of[vendor]) and _allows(
                record, vendor, category_of[vendor]
            )
            if allowed != categories.get(category_of[vendor], False):
                vendors[vendor] = allowed
        if categories == newest.categories and vendors == newest.vendors:
            return None
        exempt = notice.exempt_ids if notice else ()
        left = any(allowed for category, allowed in categories.items() if category not in exempt) or any(
            allowed for vendor, allowed in vendors.items() if category_of[vendor] not in exempt
        )
        ended = ConsentStatus.WITHDRAWN if record.status == ConsentStatus.WITHDRAWN else ConsentStatus.REFUSED
        return replace(
            newest,
            id=_echo_id(record, newest),
            at=record.at,
            event=record.event if not left else "changed",
            status=newest.status if left else ended.value,
            site=record.site,
            language=record.language,
            surface=record.surface,
            choice="handoff",
            categories=categories,
            vendors=vendors,
            decided_at=newest.decided_at if left else record.decided_at,
            changed_at=max(record.changed_at, newest.changed_at),
            expires_at=newest.expires_at if left else record.expires_at,
            gpc=record.gpc,
            version=record.version,
            seq=None,
        )


def _echoes(record: Record, newest: Record) -> bool:
    """Say whether the newest record of a linked pseudonym may be there because of this one."""
    return (newest.choice, newest.site, newest.changed_at) == ("handoff", record.site, record.changed_at)


def _allows(record: Record, vendor: str, category: str) -> bool:
    return record.vendors.get(vendor, record.categories.get(category, False))


def _echo_id(record: Record, newest: Record) -> str:
    """Derive the id, so that a record that is delivered twice has the same echoes."""
    digest = hashlib.sha256(f"{record.id} {newest.id}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
