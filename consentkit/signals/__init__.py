"""Signals of consent for other tools: Google Consent Mode, Global Privacy Control."""

from consentkit.signals.google import google_sources
from consentkit.signals.gpc import gpc_json

__all__ = ["google_sources", "gpc_json"]
