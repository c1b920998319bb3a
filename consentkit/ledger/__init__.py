"""The ledger: an append-only database of every decision, and of the notices that visitors were shown, as proof."""

from consentkit.ledger.chain import EMPTY_HEAD, LOG, ROW_KINDS, STREAMS, canonical, digest_of, head_of
from consentkit.ledger.chain_rows import ChainEntry, ChainRows, StoredRow, StreamEnd
from consentkit.ledger.copying import Copied, copy_ledger
from consentkit.ledger.extract import ExtractRows
from consentkit.ledger.fork_hooks import ForkHooks
from consentkit.ledger.ledger import Ledger, document
from consentkit.ledger.outage_log import OutageLog
from consentkit.ledger.outbox import DEAD, GONE, WAITING, Message, Outbox, OutboxRow
from consentkit.ledger.record import HOUR, Record
from consentkit.ledger.removal import Ending, Removed
from consentkit.ledger.snapshot import has_ledger, snapshot
from consentkit.ledger.spool import Spool, SpoolHealth
from consentkit.ledger.sqlite_file import path_of
from consentkit.ledger.tallies import (
    DAY,
    WITHDRAWN_WITHIN,
    Count,
    Period,
    Tally,
    read_counts,
    read_notices,
    read_shown,
    read_signals,
    read_tallies,
)
from consentkit.ledger.upgrade import Step, Upgrade, upgrade_ledger
from consentkit.ledger.upkeep import Pruning
from consentkit.ledger.view import Document, Entries, Plan, View, highest
from consentkit.ledger.words import SentWords

__all__ = [
    "DAY",
    "DEAD",
    "EMPTY_HEAD",
    "GONE",
    "HOUR",
    "LOG",
    "ROW_KINDS",
    "STREAMS",
    "WAITING",
    "WITHDRAWN_WITHIN",
    "ChainEntry",
    "ChainRows",
    "Copied",
    "Count",
    "Document",
    "Ending",
    "Entries",
    "ExtractRows",
    "ForkHooks",
    "Ledger",
    "Message",
    "OutageLog",
    "Outbox",
    "OutboxRow",
    "Period",
    "Plan",
    "Pruning",
    "Record",
    "Removed",
    "SentWords",
    "Spool",
    "SpoolHealth",
    "Step",
    "StoredRow",
    "StreamEnd",
    "Tally",
    "Upgrade",
    "View",
    "canonical",
    "copy_ledger",
    "digest_of",
    "document",
    "has_ledger",
    "head_of",
    "highest",
    "path_of",
    "read_counts",
    "read_notices",
    "read_shown",
    "read_signals",
    "read_tallies",
    "snapshot",
    "upgrade_ledger",
]
