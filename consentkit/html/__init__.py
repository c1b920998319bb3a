"""HTML read as it streams, and markup inserted into it. Knows nothing of consent."""

from consentkit.html.inserter import Inserter

__all__ = ["Inserter"]
