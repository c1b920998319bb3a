from datetime import UTC, datetime
from typing import Any

import pytest

from consentkit.consent.validity import Validity
from consentkit.notices.notice import Notice
from tests.support.drawn import MOMENT
from tests.support.policies import add, policy, put

DAY = 86_400
# The adequacy decision about the United Kingdom ends with 27 December 2031.
LAPSE = int(datetime(2031, 12, 28, tzinfo=UTC).timestamp())


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def validity(*changes: Any, earlier: Notice | None = None) -> tuple[Validity, str]:
    """Return the validity under a policy, and the digest of the earlier notice or else the current one."""
    current = policy(*changes)
    notice = earlier or Notice.of(current)
    return Validity(current, {notice.digest: notice}), notice.digest


# VA-01
@pytest.mark.parametrize(
    ("decided", "ends"),
    [
        ("2026-08-31T12:00:00", "2027-02-28T12:00:00"),
        ("2027-08-31T12:00:00", "2028-02-29T12:00:00"),
        ("2026-11-22T00:00:00", "2027-05-22T00:00:00"),
        ("2026-08-29T23:59:59", "2027-02-28T23:59:59"),
        ("2027-08-30T00:00:01", "2028-02-29T00:00:01"),
        ("2027-12-31T00:00:00", "2028-06-30T00:00:00"),
        ("2028-02-29T00:00:00", "2028-08-29T00:00:00"),
        # Clocks change on this day in the Netherlands, but not in UTC.
        ("2026-03-29T01:30:00", "2026-09-29T01:30:00"),
    ],
)
def test_decision_ends_after_six_calendar_months_in_utc(decided: str, ends: str) -> None:
    valid, digest = validity()
    assert valid.end_of(digest, seconds(decided)) == seconds(ends)
    assert valid.end_of(digest, seconds(decided)) == seconds(ends), "from the cache"


@pytest.mark.parametrize(
    ("promised", "today"), [("P6M", "P1M"), ("P1M", "P6M"), ("P30D", "P1M"), ("P1M", "P31D")]
)
def test_shorter_of_promised_and_current_validity_counts(promised: str, today: str) -> None:
    old = Notice.of(policy(put(validity=promised)))
    valid, digest = validity(put(validity=today), earlier=old)
    assert valid.end_of(digest, MOMENT) == seconds("2026-12-22T10:00:00")


@pytest.mark.parametrize("decided_at", [seconds("9999-08-01T00:00:00"), 10**15, -(10**15)])
def test_time_beyond_the_calendar_has_no_end(decided_at: int) -> None:  # VA-02
    valid, digest = validity()
    assert valid.end_of(digest, decided_at) is None


def test_adequacy_decision_lapses_on_the_day_after_its_last() -> None:  # TR-03
    british = put("vendors", 0, country="GB", safeguard="adequacy")
    valid, _ = validity(british, add("vendors", id="clauses", country="JP", safeguard="scc"))
    assert valid.first_lapse == valid.next_lapse(LAPSE - 1) == LAPSE
    assert valid.next_lapse(LAPSE) == float("inf")
    assert (valid.lapsed(LAPSE - 1), valid.lapsed(LAPSE)) == ({}, {"counter": LAPSE})


def test_without_transfers_on_adequacy_nothing_lapses() -> None:  # TR-03
    valid, _ = validity()
    assert valid.first_lapse == valid.next_lapse(0) == float("inf")
