"""Delivery of records that waited for the ledger: they count at once, are stored once, and listeners are called once."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from consentkit.consent import Evaluator
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, Record, Spool, SpoolHealth
from consentkit.manager.listeners import Listeners
from consentkit.manager.propagation import LinkedLedger
from consentkit.manager.revocations import RevocationCache
from consentkit.manager.webhook_delivery import WebhookDelivery

__all__ = ["Delivery", "what_an_outage_loses"]

log = logging.getLogger("consentkit")


def what_an_outage_loses(ledger: Ledger, spool: str | Path | None) -> str | None:
    """Return what is lost if a process ends during an outage of the ledger, with the remedy; None if nothing is."""
    if spool is not None or ledger.default_spool is not None or ledger.is_in_memory:
        return None
    return (
        "The ledger is on a server, and there is no spool. Withdrawals and refusals that are made while the server is out of "
        "reach take effect, but their records are lost if this process ends before it is back. "
        "Set spool= to a directory."
    )


class Delivery:
    """The spool of one manager, and what happens to its records before and after they are stored.

    By default records wait next to the ledger's file, and in memory if the ledger is on a server.
    """

    def __init__(
        self,
        ledger: Ledger,
        evaluator: Evaluator,
        listeners: Listeners,
        webhooks: WebhookDelivery,
        *,
        clock: Callable[[], float],
        spool: str | Path | None,
    ) -> None:
        self._ledger, self._listeners, self._clock = ledger, listeners, clock
        self._revocations: RevocationCache | None = None
        self._linked_ledger = LinkedLedger(ledger, evaluator, webhooks.messages)
        self._webhooks = webhooks
        self._directory = spool if spool is not None else ledger.default_spool
        self._is_default = spool is None
        self._spool: Spool | None = None

    def start(self, revocations: RevocationCache) -> None:
        """Open the spool. Records that an earlier process left in it count at once, and are delivered like any others.

        Raises:
            ConfigurationError: the directory that was asked for cannot be used.
        """
        self._revocations = revocations
        self._spool = Spool(
            self,
            self._directory,
            delivered=self._listeners.notify,
            created_when_needed=self._is_default,
        )
        # Those of other processes first: one that ends meanwhile leaves its records to this one.
        self._hold(self._spool.waiting_elsewhere() or ())
        self._hold(self._spool.pending())
        loss = what_an_outage_loses(self._ledger, self._directory)
        if loss is not None:
            log.warning(loss)

    def append(self, *records: Record) -> Sequence[Record]:
        """Store records for the spool, and return those that listeners are told about, copies included.

        They count here before the spool lets go of them. Those of a visitor whose records were erased since are dropped.

        Raises:
            LedgerUnavailableError: nothing was stored.
        """
        delivered = self._linked_ledger.append(*records)
        if delivered.stored:
            self._webhooks.wake()
        # What the ledger had already may have another moment there, by which all other processes order it.
        kept = {waiting.id: replace(copy, id=waiting.id) for waiting, copy in delivered.had}
        waited = [kept.get(record.id, record) for record in records if record not in delivered.erased]
        added = [*waited, *delivered.stored]
        self._hold(added)
        if self._revocations is not None:
            newest = {record.subject: record for record in delivered.newest}
            for subject in {record.subject for record in waited if record.subject}:
                self._revocations.compare(subject, newest.get(subject))
            for record in (*delivered.newest, *added):
                self._revocations.hold(record, self._clock(), stored=True)
            for record in delivered.erased:
                self._revocations.drop(record)
        return delivered.stored

    def deliver_now(self, records: Sequence[Record]) -> set[str]:
        """Store records of a visitor who answers again, call the listeners, and return the records' ids.

        The spool finds the records stored later, and calls nobody again.

        Raises:
            LedgerUnavailableError: nothing was stored.
        """
        for record in self.append(*records):
            self._listeners.notify(record)
        return {record.id for record in records}

    def put(self, record: Record) -> bool:
        """Queue a record for the ledger; return False if there is no room. The record counts in this process at once."""
        if self._spool is None or not self._spool.put(record):
            return False
        self._hold([record])
        return True

    def waiting(self, record_id: str) -> Record | None:
        """Return the record with an id if it waits in this process."""
        return next(iter(self._spool.pending(record_id)), None) if self._spool is not None else None

    def pending(self) -> tuple[Record, ...]:
        """Return the records that wait in this process, and in others with the same spool.

        Raises:
            LedgerUnavailableError: the spool's directory cannot be read.
        """
        if self._spool is None:
            return ()
        elsewhere = self._spool.waiting_elsewhere()
        if elsewhere is None:
            raise LedgerUnavailableError("The spool's directory cannot be read.")
        return (*self._spool.pending(), *elsewhere)

    def before_poll(self) -> None:
        """Look after the database's file, and take over the records of processes that have ended. Never raises."""
        try:
            self._ledger.check()
        except LedgerUnavailableError:
            return  # logged, and the poll that follows fails as well
        if self._spool is not None:
            self._hold(self._spool.adopt())

    def waiting_elsewhere(self) -> tuple[Record, ...] | None:
        """Return the records that wait in other processes with the same spool; None if its directory cannot be read."""
        return self._spool.waiting_elsewhere() if self._spool is not None else ()

    def health(self) -> SpoolHealth:
        """Return facts about the records that wait."""
        if self._spool is None:
            return {"waiting": 0, "oldest": None, "refused": 0, "directory": None}
        return self._spool.health()

    def close(self) -> None:
        """Deliver what waits. What cannot be delivered stays on disk, or is logged as lost."""
        if self._spool is not None:
            self._spool.close(2 * self._ledger.lock_timeout)

    def _hold(self, records: Iterable[Record]) -> None:
        if self._revocations is not None:
            for record in records:
                self._revocations.hold(record, self._clock(), stored=False)
