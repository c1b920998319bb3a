"""How long a decision counts: until its validity ends, and until an adequacy decision that a transfer rests on ends."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from consentkit._bounded_cache import BoundedCache
from consentkit.notices import Notice
from consentkit.policy import Policy

__all__ = ["Validity"]

_ENDS_KEPT = 2048
_DAY = 86_400


class Validity:
    """When decisions and adequacy decisions end, under one policy and its known notices. Times are whole seconds since the epoch.

    Attributes:
        first_lapse: when the first adequacy decision ends that a transfer rests on; infinite if none ends.
    """

    def __init__(self, policy: Policy, notices: Mapping[str, Notice]) -> None:
        """Compute when the adequacy decisions end. `notices` are by digest, and may be added to the mapping later."""
        self._policy = policy
        self._notices = notices
        self._end_of_day: BoundedCache[tuple[str, int], int] = BoundedCache(_ENDS_KEPT)
        self._lapses = {
            vendor.id: _midnight_after(last_day)
            for vendor in policy.vendors
            if (last_day := policy.adequacy_lapses(vendor)) is not None
        }
        self.first_lapse: float = min(self._lapses.values(), default=float("inf"))

    def end_of(self, digest: str, decided_at: int) -> int | None:
        """Return when a decision ends that was made at `decided_at` under a known notice.

        A decision is valid for the shorter of two periods: the one that its notice promised and the one of the current policy.
        Both are calendar periods in UTC. Returns None if no calendar holds the end.
        """
        # A period of the calendar ends at the time of day at which it began, so one cache entry serves a whole day.
        day, seconds = divmod(decided_at, _DAY)
        end = self._end_of_day.get((digest, day))
        if end is None:
            try:
                end = self._end_of_day[digest, day] = self._end_from_midnight(digest, day * _DAY)
            except OverflowError:
                return None
        return end + seconds

    def _end_from_midnight(self, digest: str, midnight: int) -> int:
        validities = (self._notices[digest].validity, self._policy.validity)
        for validity in validities:
            validity.seconds_from(midnight + _DAY - 1)  # raises if the calendar ends within that day
        return min(validity.seconds_from(midnight) for validity in validities)

    def lapsed(self, now: float) -> dict[str, int]:
        """Return the vendors whose adequacy decision has ended, and when it ended (REQUIREMENTS TR-03)."""
        return {vendor: at for vendor, at in self._lapses.items() if at <= now}

    def next_lapse(self, now: float) -> float:
        """Return when the next adequacy decision ends; infinite if none does."""
        return min((at for at in self._lapses.values() if at > now), default=float("inf"))


def _midnight_after(last_day: date) -> int:
    return int(datetime.combine(last_day + timedelta(days=1), time(), UTC).timestamp())
