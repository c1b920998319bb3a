"""One site's consent: decisions put on record, revocations followed, listeners called."""

from consentkit.manager.appearance import Appearance
from consentkit.manager.choice import ChoiceContext, Outcome, Surface
from consentkit.manager.decision_plan import ImportedGrant
from consentkit.manager.delivery import what_an_outage_loses
from consentkit.manager.location import Location, RequestOrigin, TrustedPeers, trusted_header
from consentkit.manager.manager import ConsentManager
from consentkit.manager.on_record import notice_on_record
from consentkit.manager.places import ManagersByPlace
from consentkit.manager.shown import ShownSurface
from consentkit.manager.webhooks import GIVE_UP_AFTER, Webhook

__all__ = [
    "GIVE_UP_AFTER",
    "Appearance",
    "ChoiceContext",
    "ConsentManager",
    "ImportedGrant",
    "Location",
    "ManagersByPlace",
    "Outcome",
    "RequestOrigin",
    "ShownSurface",
    "Surface",
    "TrustedPeers",
    "Webhook",
    "notice_on_record",
    "trusted_header",
    "what_an_outage_loses",
]
