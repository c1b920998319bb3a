"""Blanks in HTML that is rendered once and sent to many: filled in with the address that a visitor goes back to."""

import secrets
from typing import Final
from urllib.parse import quote

from markupsafe import Markup, escape

__all__ = ["NEXT", "QUERY", "QUOTED", "fill", "query"]


def _blank(name: str) -> Markup:
    """Make a blank that no text can contain, since it is random."""
    return escape(f"{name}-{secrets.token_hex(12)}")


NEXT: Final = _blank("next")
"""The address itself, as text."""
QUOTED: Final = _blank("quoted")
"""The same as the value of a query's field."""
QUERY: Final = _blank("query")
"""A whole query that names it; nothing for the front page."""


def query(back: str) -> str:
    """Write a query that names a path to return to; nothing for the front page, where everybody ends up anyway."""
    return "" if back == "/" else f"?next={quote(back, safe='/')}"


def fill(html: str, back: str) -> str:
    """Put a path to return to into the blanks."""
    return (
        html.replace(QUERY, escape(query(back)))
        .replace(QUOTED, quote(back, safe="/"))
        .replace(NEXT, escape(back))
    )
