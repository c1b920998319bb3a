"""Reading and writing of HTTP header fields. Knows nothing of consent."""

from consentkit.headers.content import Obstacle, content_codings, html_and_cookies, is_for_people, obstacle_in
from consentkit.headers.cookie_expiry import clamp, deletion, lifetime, read_attributes
from consentkit.headers.framing import framed_by_own_site_alone
from consentkit.headers.request import (
    COOKIE_BYTES_READ,
    RawHeaders,
    closest_language,
    cookie_values,
    first_cookies,
    header_values,
    is_framed,
    is_in_advance,
    is_navigation,
    is_visit,
    local_path,
    may_be_page,
    own_path,
    preferred_language,
    proves_same_origin,
    sends_gpc,
    sent_cookie_names,
)

__all__ = [
    "COOKIE_BYTES_READ",
    "Obstacle",
    "RawHeaders",
    "clamp",
    "closest_language",
    "content_codings",
    "cookie_values",
    "deletion",
    "first_cookies",
    "framed_by_own_site_alone",
    "header_values",
    "html_and_cookies",
    "is_for_people",
    "is_framed",
    "is_in_advance",
    "is_navigation",
    "is_visit",
    "lifetime",
    "local_path",
    "may_be_page",
    "obstacle_in",
    "own_path",
    "preferred_language",
    "proves_same_origin",
    "read_attributes",
    "sends_gpc",
    "sent_cookie_names",
]
