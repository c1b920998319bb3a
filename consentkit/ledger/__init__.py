"""The proof: every decision and the words that were shown, kept in a database that only ever grows."""

from consentkit.ledger.ledger import Ledger
from consentkit.ledger.record import Record
from consentkit.ledger.spool import Spool

__all__ = ["Ledger", "Record", "Spool"]
