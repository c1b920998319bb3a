"""Proof: what the ledger holds about a visitor and how long, receipts, verification, checkpoints, and the dossier."""

from consentkit.proof.checkpoint import (
    Checkpoint,
    SigningKey,
    VerifyingKey,
    make_checkpoint,
    open_note,
    sign_note,
)
from consentkit.proof.dossier import (
    Camera,
    DossierRequest,
    DossierResult,
    Figures,
    FiguresOf,
    Period,
    Tally,
    with_report,
    write_dossier,
)
from consentkit.proof.erasure import Erased, erase
from consentkit.proof.export import as_csv, as_data, as_json, as_page
from consentkit.proof.figures import LONGEST, figures_of
from consentkit.proof.figures_export import figures_as_csv, figures_as_data, figures_as_json
from consentkit.proof.figures_page import figures_page
from consentkit.proof.grant import Grant, GrantState, Part, grant_of
from consentkit.proof.history import VisitorHistory, history_of
from consentkit.proof.receipt import receipt_id, receipt_of, receipt_schema
from consentkit.proof.retention import Pruned, Retention
from consentkit.proof.verify import Finding, Verification, verify

__all__ = [
    "LONGEST",
    "Camera",
    "Checkpoint",
    "DossierRequest",
    "DossierResult",
    "Erased",
    "Figures",
    "FiguresOf",
    "Finding",
    "Grant",
    "GrantState",
    "Part",
    "Period",
    "Pruned",
    "Retention",
    "SigningKey",
    "Tally",
    "Verification",
    "VerifyingKey",
    "VisitorHistory",
    "as_csv",
    "as_data",
    "as_json",
    "as_page",
    "erase",
    "figures_as_csv",
    "figures_as_data",
    "figures_as_json",
    "figures_of",
    "figures_page",
    "grant_of",
    "history_of",
    "make_checkpoint",
    "open_note",
    "receipt_id",
    "receipt_of",
    "receipt_schema",
    "sign_note",
    "verify",
    "with_report",
    "write_dossier",
]
