"""The proof: every decision and the words that were shown, kept in a database that only ever grows."""

from consentkit.ledger.outbox import Outbox
from consentkit.ledger.record import Record
from consentkit.ledger.store import Ledger

__all__ = ["Ledger", "Outbox", "Record"]
