"""HTML read as it streams, and markup inserted into it; nothing about consent."""

from consentkit.html.inserter import Inserter

__all__ = ["Inserter"]
