"""The looks of banner and documents, as far as they are options of the manager and not matters of a style sheet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from consentkit.errors import ConfigurationError

__all__ = ["Appearance", "Layout", "Position"]

Layout = Literal["bar", "card", "dialog"]
Position = Literal["bottom", "top", "start", "end", "centre"]

_POSITIONS: Mapping[str, tuple[Position, ...]] = {
    "bar": ("bottom", "top"),
    "card": ("end", "start"),
    "dialog": ("centre",),
}


@dataclass(frozen=True, slots=True)
class Appearance:
    """How the banner is laid out, and the logo of the documents.

    Attributes:
        layout: of the banner: `bar`, `card` or `dialog`.
        position: of the banner in its layout.
        logo: path of the site's logo on the site, or None.
    """

    layout: Layout = "bar"
    position: Position = "bottom"
    logo: str | None = None

    @classmethod
    def of(cls, layout: Layout, position: Position | None, logo: str | None) -> "Appearance":
        """Check the options and return them. Without a position, use the first one of the layout.

        Raises:
            ConfigurationError: there is no such layout, no such position in it, or the logo is not a path on the site, so that
                the Content-Security-Policy of the documents would block it.
        """
        if layout not in _POSITIONS:
            raise ConfigurationError(
                f"layout = {layout!r} does not exist: use one of {', '.join(_POSITIONS)}."
            )
        positions = _POSITIONS[layout]
        if position is not None and position not in positions:
            raise ConfigurationError(
                f"position = {position!r} does not exist for layout {layout!r}: use {' or '.join(positions)}, or leave it "
                "out."
            )
        if logo is not None and (not logo.startswith("/") or logo.startswith("//")):
            raise ConfigurationError(
                f"logo = {logo!r} is not a path on the site: write it like '/static/logo.svg'."
            )
        return cls(layout, position or positions[0], logo)

    @property
    def banner_classes(self) -> str:
        """The classes of the banner that lay it out."""
        return f"cookie-consent-{self.layout} cookie-consent-{self.position}"
