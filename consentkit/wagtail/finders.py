"""An embed finder whose markup loads nothing without consent, for templates with Wagtail's tag `{% embed %}`."""

from typing import Any

from wagtail.embeds.finders.oembed import OEmbedFinder

from consentkit.wagtail.placeholders import hold_back

__all__ = ["HeldBackFinder"]


class HeldBackFinder(OEmbedFinder):
    """Finds what Wagtail's own finder finds, and holds its markup back."""

    def find_embed(
        self, url: str, max_width: int | None = None, max_height: int | None = None
    ) -> dict[str, Any]:
        """Return the embed of an address, as Wagtail stores it."""
        found: dict[str, Any] = super().find_embed(url, max_width, max_height)
        return {**found, "html": hold_back(found.get("html") or "", url)}


embed_finder_class = HeldBackFinder
