"""Insertion of markup into HTML as it streams. Knows nothing of consent."""

from consentkit.html.inserter import Inserter

__all__ = ["Inserter"]
