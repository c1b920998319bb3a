"""Cookies that are later than what a process knows: the visitor has answered elsewhere, so the ledger is asked once more.

Without that, an answer that allows more would not count in the other processes of a site before their next poll.
"""

from collections.abc import Mapping, Sequence

from consentkit._bounded_cache import BoundedCache
from consentkit.ledger import Record

__all__ = ["LaterCookies"]

Moment = tuple[int, int]

_NO_MOMENT: Moment = (0, 0)


class LaterCookies:
    """Remember up to which cookie each pseudonym was looked up, so that a cookie without a record is not asked about for ever.

    Args:
        size: how many pseudonyms are remembered.
    """

    def __init__(self, size: int) -> None:
        self._sent: BoundedCache[str, Moment] = BoundedCache(size)
        self._looked_up: BoundedCache[str, Moment] = BoundedCache(size)

    def is_due(self, subject: str, moment: Moment, newest: Record | None) -> bool:
        """Return whether a cookie is later than the newest known record, and was not looked up yet."""
        is_known = newest is not None and (newest.ends_subject or newest.moment >= moment)
        return not is_known and moment > self._looked_up.get(subject, _NO_MOMENT)

    def ask(self, subject: str, moment: Moment) -> None:
        """Note that a request waits for the record of its cookie."""
        if moment > self._sent.get(subject, _NO_MOMENT):
            self._sent[subject] = moment

    def sent(self, subjects: Sequence[str]) -> dict[str, Moment]:
        """Return the moments of the latest cookies of subjects that were asked about."""
        return {subject: self._sent.get(subject, _NO_MOMENT) for subject in subjects}

    def note_look_up(self, cookies: Mapping[str, Moment]) -> None:
        """Note that a look-up was answered that began when these cookies had been sent."""
        for subject, moment in cookies.items():
            self._looked_up[subject] = moment
