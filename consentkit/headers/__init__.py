"""HTTP header fields, read and written; nothing about consent."""

from consentkit.headers.request import (
    RawHeaders,
    cookie_values,
    header_values,
    local_path,
    preferred_language,
    proves_same_origin,
    sends_gpc,
    sent_cookie_names,
)

__all__ = [
    "RawHeaders",
    "cookie_values",
    "header_values",
    "local_path",
    "preferred_language",
    "proves_same_origin",
    "sends_gpc",
    "sent_cookie_names",
]
