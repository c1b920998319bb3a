"""What other tools are told about a consent."""

from consentkit.signals.google import google_signals, google_sources

__all__ = ["google_signals", "google_sources"]
