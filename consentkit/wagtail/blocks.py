"""A block for StreamFields: content of a vendor with a title, shown as a placeholder until it is allowed."""

from typing import Any

from django.utils.safestring import SafeString
from wagtail import blocks
from wagtail.embeds.embeds import get_embed
from wagtail.embeds.exceptions import EmbedException

from consentkit.ui import EMBED_KINDS
from consentkit.wagtail.placeholders import placeholder

__all__ = ["ConsentEmbedBlock"]


class ConsentEmbedBlock(blocks.StructBlock):
    """An address that an editor pastes, a title for the placeholder, and what is embedded."""

    url = blocks.URLBlock(help_text="Address of the video, map or post.")
    title = blocks.CharBlock(help_text="What it shows. Visitors read it before they decide.")
    kind = blocks.ChoiceBlock(choices=[(kind, kind) for kind in EMBED_KINDS], default="content")

    class Meta:
        """How the block is listed."""

        icon = "media"
        label = "Embed with consent"

    def render(self, value: Any, context: Any = None) -> SafeString:
        """Return the placeholder, or a link if the provider has no embed for the address."""
        try:
            found = get_embed(value["url"]).html
        except EmbedException:
            found = ""
        return placeholder(found, value["url"], value["title"], kind=value["kind"])
