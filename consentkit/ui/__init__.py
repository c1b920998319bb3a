"""What visitors see: banner, preference centre, policy pages, script."""

from consentkit.ui.pages import Pages, View

__all__ = ["Pages", "View"]
