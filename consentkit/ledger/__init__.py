"""The ledger: an append-only database of every decision, and of the notices that visitors were shown, as proof."""

from consentkit.ledger.engines import default_spool
from consentkit.ledger.fork_hooks import ForkHooks
from consentkit.ledger.ledger import Ledger, document
from consentkit.ledger.record import Record
from consentkit.ledger.spool import Spool
from consentkit.ledger.view import Document, Entries, Plan, View, highest

__all__ = [
    "Document",
    "Entries",
    "ForkHooks",
    "Ledger",
    "Plan",
    "Record",
    "Spool",
    "View",
    "default_spool",
    "document",
    "highest",
]
