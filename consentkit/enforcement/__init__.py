"""What an answer lets through: cookies, the Content-Security-Policy, embeds."""

from consentkit.enforcement.cookie_gate import Action, CookieGate, Verdict, permitted
from consentkit.enforcement.cookie_header import CookieHeaderCache
from consentkit.enforcement.csp import ContentSecurityPolicy, nonce_of
from consentkit.enforcement.embeds import figure, is_within
from consentkit.enforcement.observations import ObservedCookies, read_sightings
from consentkit.enforcement.set_cookie import SetCookieFilter

__all__ = [
    "Action",
    "ContentSecurityPolicy",
    "CookieGate",
    "CookieHeaderCache",
    "ObservedCookies",
    "SetCookieFilter",
    "Verdict",
    "figure",
    "is_within",
    "nonce_of",
    "permitted",
    "read_sightings",
]
