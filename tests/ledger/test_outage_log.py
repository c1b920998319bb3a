import subprocess
import sys

import pytest

from consentkit.ledger.outage_log import OutageLog
from tests.conftest import Clock


@pytest.fixture
def outage(clock: Clock) -> OutageLog:
    return OutageLog("Away.", "Still away.", "Back.", clock=clock)


def test_the_first_event_of_an_outage_returns_a_line_and_thousands_more_return_none(
    outage: OutageLog,
) -> None:
    assert outage.count(waiting=1) == "Away."
    assert {outage.count(waiting=1) for _ in range(5000)} == {None}


def test_a_line_with_counters_is_due_once_a_minute(outage: OutageLog, clock: Clock) -> None:
    outage.count(waiting=1)
    clock.advance(59.9)
    assert outage.count(waiting=1, refused_records=2) is None
    clock.advance(0.1)
    assert outage.count() == "Still away. (waiting: 2, refused records: 2)"
    assert outage.count(waiting=-1) is None
    clock.advance(60)
    assert outage.count() == "Still away. (waiting: 1, refused records: 2)"


def test_the_end_of_an_outage_returns_one_line(outage: OutageLog) -> None:
    assert outage.end() is None
    outage.count(waiting=3)
    outage.add(waiting=-3, delivered=3)
    assert outage.end() == "Back. (delivered: 3)"
    assert outage.end() is None


def test_what_was_counted_without_an_outage_is_not_part_of_the_next_one(outage: OutageLog) -> None:
    outage.add(delivered=3)
    outage.end()
    outage.count()
    assert outage.end() == "Back."


def test_outages_that_follow_each_other_share_the_lines_of_a_minute(outage: OutageLog, clock: Clock) -> None:
    outage.count(delivered=1)
    assert outage.end() == "Back. (delivered: 1)"
    for _ in range(100):
        clock.advance(0.1)
        assert outage.count(delivered=1) is None
        assert outage.end() is None
    clock.advance(60)
    assert outage.count(delivered=1) == "Away."
    assert outage.end() == "Back. (delivered: 101)"


def test_a_forked_child_counts_its_own_outages() -> None:
    program = """
import os, sys
from consentkit.ledger.outage_log import OutageLog
outage = OutageLog("Away.", "Still away.", "Back.")
outage.count(waiting=1)
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
    assert outage.count(waiting=1) is None
else:
    assert (outage.count(waiting=1), outage.end()) == ("Away.", "Back. (waiting: 1)")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
