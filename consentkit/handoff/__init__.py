"""Hand-offs: carry a visitor's choice from one site of a group to another."""

from consentkit.handoff.chain import CHAIN_SECONDS, Chain, ChainPage, StepResult
from consentkit.handoff.handoff import Handoff
from consentkit.handoff.keys import new_pair, public_half
from consentkit.handoff.links import handoff_address
from consentkit.handoff.token import HandoffRefusal
from consentkit.handoff.transaction import TRANSACTION_SECONDS, Transaction, UnderWay

__all__ = [
    "CHAIN_SECONDS",
    "TRANSACTION_SECONDS",
    "Chain",
    "ChainPage",
    "Handoff",
    "HandoffRefusal",
    "StepResult",
    "Transaction",
    "UnderWay",
    "handoff_address",
    "new_pair",
    "public_half",
]
