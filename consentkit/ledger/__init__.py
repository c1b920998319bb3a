"""The ledger: an append-only database of every decision, and of the notices that visitors were shown, as proof."""

from consentkit.ledger.ledger import Ledger
from consentkit.ledger.record import Record
from consentkit.ledger.spool import Spool

__all__ = ["Ledger", "Record", "Spool"]
