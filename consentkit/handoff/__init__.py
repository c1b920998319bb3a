"""One answer on several sites of a group."""

from consentkit.handoff.handoff import Handoff
from consentkit.handoff.keys import new_pair, public_half
from consentkit.handoff.links import handoff_address

__all__ = ["Handoff", "handoff_address", "new_pair", "public_half"]
