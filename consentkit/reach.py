"""How far a narrowing reaches: every pseudonym that the ledger links to the visitor's, on whichever site it was given.

A visitor has another pseudonym on each site, linked in the ledger by the hand-offs between them. What takes consent back under
one of them is written for all of them in one transaction, so that each site finds it by its own. What widens
reaches another site only by a hand-off.
"""

import hashlib
import uuid
from dataclasses import replace

from consentkit.consent import ConsentStatus
from consentkit.ledger import Ledger, Record
from consentkit.terms import Terms

__all__ = ["Reach"]


class Reach:
    """Append records to the ledger, and with them what they take back under linked pseudonyms."""

    def __init__(self, ledger: Ledger, terms: Terms) -> None:
        self._ledger = ledger
        self._terms = terms

    def append(self, *records: Record) -> None:
        """Store records durably, all or none.

        Raises:
            LedgerUnavailableError: nothing was stored.
        """
        echoes = [
            echo for record in records if record.subject for echo in self._echoes(record, record.subject)
        ]
        self._ledger.append(*records, *echoes)

    def _echoes(self, record: Record, subject: str) -> list[Record]:
        found = []
        for other in sorted(self._ledger.linked(subject) - {subject}):
            newest = self._ledger.newest(other)
            if newest is not None and newest.status == ConsentStatus.GIVEN:
                echo = self._narrowed(newest, record, other)
                if echo is not None:
                    found.append(echo)
        return found

    def _narrowed(self, newest: Record, record: Record, subject: str) -> Record | None:
        """Keep of a linked grant what the new record grants too; None where that takes nothing back."""
        notice = self._terms.known(newest.notice)
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
        left = any(categories.values()) or any(vendors.values())
        ended = ConsentStatus.WITHDRAWN if record.status == ConsentStatus.WITHDRAWN else ConsentStatus.REFUSED
        return replace(
            newest,
            id=_echo_id(record.id, subject),
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


def _allows(record: Record, vendor: str, category: str) -> bool:
    return record.vendors.get(vendor, record.categories.get(category, False))


def _echo_id(record_id: str, subject: str) -> str:
    """Derive the id, so that a record that is delivered twice has the same echoes."""
    digest = hashlib.sha256(f"{record_id} {subject}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
