"""The ledger: an append-only database of every decision, and of the notices that visitors were shown, as proof."""

from consentkit.ledger.fork_hooks import ForkHooks
from consentkit.ledger.ledger import Ledger, document
from consentkit.ledger.outage_log import OutageLog
from consentkit.ledger.record import HOUR, Record
from consentkit.ledger.spool import Spool, SpoolHealth
from consentkit.ledger.view import Document, Entries, Plan, View, highest
from consentkit.ledger.words import SentWords

__all__ = [
    "HOUR",
    "Document",
    "Entries",
    "ForkHooks",
    "Ledger",
    "OutageLog",
    "Plan",
    "Record",
    "SentWords",
    "Spool",
    "SpoolHealth",
    "View",
    "document",
    "highest",
]
