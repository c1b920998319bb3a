"""Placeholders for the embeds that Wagtail has found, by the vendor whose frame they show."""

import html
import logging
import re

from django.urls import get_script_prefix
from django.utils.html import format_html
from django.utils.safestring import SafeString

from consentkit.django import get_manager
from consentkit.enforcement import is_within
from consentkit.headers import own_path
from consentkit.policy import Vendor
from consentkit.ui import figure
from consentkit.web import EmbedSigner

__all__ = ["hold_back", "placeholder"]

log = logging.getLogger("consentkit")

_FRAME = re.compile(r"<iframe\b[^>]*?\ssrc=(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_unknown: set[str] = set()
_MOST_LOGGED = 64


def placeholder(found: str, url: str, title: str, *, kind: str = "content") -> SafeString:
    """Return a frame with a placeholder in place of an embed's markup; a link if no vendor declares the frame's address.

    It is the same for every visitor, so that pages with it can be cached.

    Args:
        found: the markup that the provider of the embed has sent.
        url: address that the editor has entered.
        title: what the content is; empty for its address.
        kind: what is embedded, as in `consent_embed`.
    """
    address = _frame_address(found)
    vendor = _vendor_of(address)
    if vendor is None:
        _warn(address, url)
        return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, title or url)
    manager = get_manager()
    title = title or vendor.name
    return SafeString(
        figure(
            vendor.id,
            address,
            title,
            signature=EmbedSigner(manager).sign(vendor.id, address, title=title),
            base=own_path(get_script_prefix().rstrip("/"), manager.prefix),
            page=None,
            link=url,
            kind=kind,
        )
    )


def hold_back(found: str, url: str) -> str:
    """Return an embed's markup so that no browser loads it without consent, for Wagtail's tag `{% embed %}`."""
    address = _frame_address(found)
    vendor = _vendor_of(address)
    if vendor is None:
        _warn(address, url)
        return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, url)
    return format_html(
        '<template data-category="{}" data-vendor="{}">{}</template>',
        vendor.category,
        vendor.id,
        SafeString(found),
    )


def _frame_address(found: str) -> str:
    """Return the address of the first frame in markup; empty without one."""
    match = _FRAME.search(found)
    return html.unescape(match[1] or match[2] or "") if match else ""


def _vendor_of(address: str) -> Vendor | None:
    vendors = get_manager().policy.vendors
    return next((vendor for vendor in vendors if is_within(address, vendor.origins.frame)), None)


def _warn(address: str, url: str) -> None:
    shown = address or url
    if shown not in _unknown and len(_unknown) < _MOST_LOGGED:
        _unknown.add(shown)
        log.warning(
            "The embed of %.200r is shown as a link, because no vendor in the policy has the frame origin of %.200r. Declare it "
            "under `origins.frame`.",
            url,
            shown,
        )
