"""A tracker without a cookie: the server tells Matomo which page was read, if the visitor allows that."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Allowing", "PageView", "Reporter", "log_view", "report_if_allowed"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PageView:
    """One page view; `entry` is the path where the visit began, if that may be stored."""

    url: str
    entry: str | None


class Allowing(Protocol):
    """The part of a consent that this module uses."""

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Return whether a category, or one vendor of it, is allowed."""


Reporter = Callable[[PageView], Awaitable[None]]


async def log_view(view: PageView) -> None:
    """Write the view to the log; a real site would call Matomo's tracking API."""
    _log.info("page view: %s (visit began at %s)", view.url, view.entry or "this page")


async def report_if_allowed(consent: Allowing, view: PageView, reporter: Reporter) -> None:
    """Report the view if it is allowed.

    It asks after the page was sent, so that a decision made in the same request counts.
    """
    if consent.allows("analytical", vendor="matomo"):
        await reporter(view)
