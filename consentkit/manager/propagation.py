"""Copies of records that take consent back, for every pseudonym that hand-offs have linked to the visitor's.

A visitor has another pseudonym on each site, and hand-offs between the sites link the pseudonyms in the ledger. A record
that takes consent back is copied to all of them in one transaction, so that each site finds it under its own. Such a copy is
called an echo. A record that grants more reaches another site only by a hand-off.

A hand-off may be under way while consent is taken back. The record of either may then be written before the other's can be
seen, so both check the linked pseudonyms again after writing. Whichever is written last sees the other.
"""

import hashlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace

from consentkit.consent import ConsentStatus, Decision, Evaluator, transitions
from consentkit.errors import LedgerError
from consentkit.ledger import Ledger, Record

__all__ = ["LinkedLedger"]

log = logging.getLogger("consentkit")

_WIDENING = ("given", "renewed")


class LinkedLedger:
    """Append records to the ledger, together with the echoes that take consent back under linked pseudonyms."""

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
                self._check_again(record)

    def _check_again(self, record: Record) -> None:
        """Check the linked pseudonyms again, and append what records written at the same time as this one make necessary."""
        try:
            own = self._taken_back(record) if record.event == "imported" else None
            self._ledger.append(*self._echoes(record), *([own] if own is not None else []))
        except LedgerError:
            if record.status != ConsentStatus.GIVEN:
                raise
            # The grant is durable, and an error would mean that nothing was changed.
            log.exception(
                "Record %s is stored, but the linked sites could not be checked for a newer withdrawal.",
                record.id,
            )

    def _echoes(self, record: Record) -> list[Record]:
        """Return a narrower record for every linked grant of which this record takes something back."""
        echoes = []
        for newest in self._linked(record):
            # A choice brought by a hand-off is as old as the choice it repeats: it takes back nothing that was granted later.
            granted_later = record.event == "imported" and newest.changed_at > record.changed_at
            if newest.status == ConsentStatus.GIVEN and not granted_later:
                echoes.append(self._narrowed(newest, record))
        return [echo for echo in echoes if echo is not None]

    def _taken_back(self, record: Record) -> Record | None:
        """Return an imported grant without what was taken back elsewhere before it arrived; None if nothing was taken back.

        Of two records of the same second, the narrower counts.
        """
        remaining = record
        for newest in self._linked(record):
            newer = newest.changed_at >= record.changed_at and not _is_echo(newest, record)
            if newer and remaining.status == ConsentStatus.GIVEN:
                remaining = self._narrowed(remaining, newest) or remaining
        return remaining if remaining is not record else None

    def _linked(self, record: Record) -> list[Record]:
        """Return the newest record of every pseudonym that is linked to a record's."""
        return self._ledger.newest_linked(record.subject) if record.subject else []

    def _narrowed(self, newest: Record, record: Record) -> Record | None:
        """Return a linked grant with only what another record grants too; None if that takes nothing back."""
        granted, vendors = self._allowed_by_both(newest, record)
        categories = {category: category in granted for category in newest.categories}
        if categories == newest.categories and vendors == newest.vendors:
            return None
        if self._grants(newest.notice, granted, vendors):
            narrowed = replace(newest, event="changed")
        else:
            ended = record.status == ConsentStatus.WITHDRAWN
            narrowed = replace(
                newest,
                event=record.event,
                status=(ConsentStatus.WITHDRAWN if ended else ConsentStatus.REFUSED).value,
                decided_at=record.decided_at,
                expires_at=record.expires_at,
            )
        return replace(
            narrowed,
            id=_echo_id(record, newest),
            at=record.at,
            site=record.site,
            language=record.language,
            surface=record.surface,
            choice="handoff",
            categories=categories,
            vendors=vendors,
            changed_at=max(record.changed_at, newest.changed_at),
            gpc=record.gpc,
            version=record.version,
            seq=None,
        )

    def _allowed_by_both(self, newest: Record, record: Record) -> tuple[frozenset[str], dict[str, bool]]:
        """Return what two records allow, as `transitions.narrower` does for two decisions.

        Vendors follow their category in the notice of the linked grant. If that notice is not known here, no vendor is allowed
        apart from its category.
        """
        first, second = _answer_in(newest), _answer_in(record)
        notice = self._evaluator.known(newest.notice)
        if notice is None:
            return first.granted & second.granted, {}
        return transitions.allowed_by_both(first, second, notice, notice)

    def _grants(self, digest: str, granted: frozenset[str], vendors: Mapping[str, bool]) -> bool:
        notice = self._evaluator.known(digest)
        return self._evaluator.grants(_answer(granted, vendors, notice.digest)) if notice else bool(granted)


def _answer_in(record: Record) -> Decision:
    """Return the answer that a record holds, without its times and its subject."""
    granted = frozenset(category for category, allowed in record.categories.items() if allowed)
    return _answer(granted, record.vendors, record.notice)


def _answer(granted: frozenset[str], vendors: Mapping[str, bool], notice: str) -> Decision:
    return Decision(granted=granted, vendors=vendors, decided_at=0, changed_at=0, notice=notice)


def _is_echo(newest: Record, record: Record) -> bool:
    """Return whether the newest record of a linked pseudonym may be the echo of another record."""
    return (newest.choice, newest.site, newest.changed_at) == ("handoff", record.site, record.changed_at)


def _echo_id(record: Record, newest: Record) -> str:
    """Derive the id of an echo, so that a record that is delivered twice has the same echoes."""
    digest = hashlib.sha256(f"{record.id} {newest.id}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
