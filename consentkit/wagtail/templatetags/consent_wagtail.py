"""A template tag for Wagtail's own template of embeds."""

from typing import Any

from django import template
from django.utils.safestring import SafeString

from consentkit.wagtail.placeholders import placeholder

__all__ = ["register"]

register = template.Library()

_KINDS = {"video": "video", "photo": "content", "rich": "content", "link": "content"}


@register.simple_tag
def consent_placeholder(embed: Any) -> SafeString:
    """Show an embed that Wagtail has found as a placeholder, until its vendor is allowed."""
    return placeholder(embed.html, embed.url, embed.title, kind=_KINDS.get(embed.type, "content"))
