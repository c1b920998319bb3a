"""What the ledger proves: its verification, and the checkpoints that an outsider keeps."""

from consentkit.proof.checkpoint import (
    Checkpoint,
    SigningKey,
    VerifyingKey,
    make_checkpoint,
    open_note,
    sign_note,
)
from consentkit.proof.verify import Finding, Verification, verify

__all__ = [
    "Checkpoint",
    "Finding",
    "SigningKey",
    "Verification",
    "VerifyingKey",
    "make_checkpoint",
    "open_note",
    "sign_note",
    "verify",
]
