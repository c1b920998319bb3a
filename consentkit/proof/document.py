"""The beginning of an HTML document that opens from a file: it runs nothing and loads nothing from elsewhere."""

from typing import Final

from markupsafe import Markup

__all__ = ["STYLE_ALONE", "opening"]

STYLE_ALONE: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Content-Security-Policy of a document that has nothing but text and its style."""
_OPENING: Final = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
""")


def opening(title: str, style: Markup, policy: str = STYLE_ALONE) -> Markup:
    """Return everything up to the start of the body.

    Args:
        title: a text, which is escaped.
        style: rules for the style sheet, our own.
        policy: the Content-Security-Policy.
    """
    return _OPENING.format(title=title, style=style, policy=policy)
