"""Signals of consent: what browsers send, and what other tools are told (Google Consent Mode, Global Privacy Control)."""

from consentkit.signals.consent_json import consent_json
from consentkit.signals.google import google_sources
from consentkit.signals.gpc import gpc_json
from consentkit.signals.table import SIGNALS, FutureLaw, Signal, SignalEffect, signal_effects

__all__ = [
    "SIGNALS",
    "FutureLaw",
    "Signal",
    "SignalEffect",
    "consent_json",
    "google_sources",
    "gpc_json",
    "signal_effects",
]
