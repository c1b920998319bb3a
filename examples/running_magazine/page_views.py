"""A tracker without a cookie: the server itself tells Matomo which page was read, if the visitor allows it."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Allowing", "PageView", "Reporter", "log_view", "report_if_allowed"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PageView:
    """One page that was read; `entry` is the path where the visit began, once that may be remembered."""

    url: str
    entry: str | None


class Allowing(Protocol):
    """What is asked of a consent here."""

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Tell whether something may happen now."""


Reporter = Callable[[PageView], Awaitable[None]]


async def log_view(view: PageView) -> None:
    """Write the view to the log, where a real site would call Matomo's tracking API."""
    _log.info("page view: %s (visit began at %s)", view.url, view.entry or "this page")


async def report_if_allowed(consent: Allowing, view: PageView, reporter: Reporter) -> None:
    """Hand the view over; asks once the page has gone out, so that it obeys the answer of that moment."""
    if consent.allows("analytical", vendor="matomo"):
        await reporter(view)
