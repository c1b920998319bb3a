"""Enforcement of a consent on cookies, the origins of the Content-Security-Policy, and embedded content."""

from consentkit.enforcement.cookie_gate import Action, CookieGate, Verdict, permitted
from consentkit.enforcement.cookie_header import CookieHeaderCache
from consentkit.enforcement.csp import ContentSecurityPolicy, OwnSources, nonce_of
from consentkit.enforcement.declared_attributes import deviation
from consentkit.enforcement.embeds import is_within
from consentkit.enforcement.observations import SENT, ObservedCookies, read_observed_cookies
from consentkit.enforcement.set_cookie import SetCookieFilter

__all__ = [
    "SENT",
    "Action",
    "ContentSecurityPolicy",
    "CookieGate",
    "CookieHeaderCache",
    "ObservedCookies",
    "OwnSources",
    "SetCookieFilter",
    "Verdict",
    "deviation",
    "is_within",
    "nonce_of",
    "permitted",
    "read_observed_cookies",
]
