import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from consentkit import Ledger, Policy
from consentkit.consent import Evaluator
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Record, queries
from consentkit.manager.newest import newest_of
from consentkit.manager.no_revocations import NoRevocations
from consentkit.manager.options import notices_of
from consentkit.manager.revocations import RevocationCache
from tests.conftest import Clock
from tests.support.records import NOON, a_record, nobody_reads

SUBJECT, OTHER = "s" * 22, "o" * 22
MakeCache = Callable[..., RevocationCache]


class Observed(Ledger):
    """A ledger that counts queries, and between whose reading and answer something can happen once."""

    after_newest: Callable[[], object] | None = None
    after_changes: Callable[[], object] | None = None

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.asked: list[str] = []

    def newest_of(self, subjects: Any) -> dict[str, tuple[Record, ...]]:
        self.asked.append(f"{len(subjects)} subjects")
        found = super().newest_of(subjects)
        happens, self.after_newest = self.after_newest, None
        if happens:
            happens()
        return found

    def changes(self, cursor: int | None) -> tuple[tuple[Record, ...], int]:
        self.asked.append("end" if cursor is None else "changes")
        found = super().changes(cursor)
        happens, self.after_changes = self.after_changes, None
        if happens:
            happens()
        return found


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Observed]:
    with closing(Observed(ledger_url)) as ledger:
        yield ledger


@pytest.fixture
def make_cache(ledger: Ledger, policy: Policy, clock: Clock) -> Iterator[MakeCache]:
    """`make_cache(recheck=..., ...)` makes a cache of the ledger whose records are folded as the manager folds them."""
    evaluator = Evaluator(policy, "stride", notices_of(policy))
    made: list[RevocationCache] = []

    def make(ledger: Ledger = ledger, **options: Any) -> RevocationCache:
        defaults: dict[str, Any] = {"recheck": 60, "max_stale": 3600, "clock": clock}
        made.append(
            RevocationCache(
                ledger, fold=lambda records: newest_of(records, evaluator), **(defaults | options)
            )
        )
        return made[-1]

    yield make
    for cache in made:
        cache.close()


@pytest.fixture
def cache(make_cache: MakeCache) -> RevocationCache:
    return make_cache()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, ledger_url: str) -> str:
    if request.param == "sqlite":
        return ledger_url
    address: str = request.getfixturevalue("postgres").address()
    return address


@pytest.fixture
def all_is_asked() -> Callable[[], None]:
    """`all_is_asked()` waits until the threads that this test started have nothing left to ask."""
    before = set(threading.enumerate())

    def wait() -> None:
        for thread in set(threading.enumerate()) - before:
            if thread.name == "consentkit-look-up":
                thread.join(30)
                assert not thread.is_alive()

    return wait


def given(later: int = 0, **categories: bool) -> Record:
    everything = {"analytical": True, "tracking": True, "social": True}
    return a_record(subject=SUBJECT, changed_at=NOON + later, categories=everything | categories, vendors={})


def withdrawn(later: int = 1, subject: str = SUBJECT) -> Record:
    nothing = dict.fromkeys(("analytical", "tracking", "social"), False)
    return a_record(
        subject=subject, status="withdrawn", changed_at=NOON + later, categories=nothing, vendors={}
    )


def allowed(cache: RevocationCache, clock: Clock) -> dict[str, bool]:
    record, fresh = cache.newest(SUBJECT, NOON, clock())
    assert record is not None and fresh
    return record.categories


def ids(cache: RevocationCache, clock: Clock) -> str | None:
    record, _ = cache.newest(SUBJECT, NOON, clock())
    return record and record.id


# What is asked


def test_subject_is_looked_up_once_and_then_polled_with_all_others(
    ledger: Observed, cache: RevocationCache, clock: Clock
) -> None:
    first = given()
    ledger.append(first)
    assert cache.due(SUBJECT, clock()) and not cache.seen(SUBJECT)
    assert cache.health(clock()) == {"state": "not asked yet", "last_poll": None, "pending": 0, "held": 0}
    assert cache.refresh(SUBJECT, clock())
    assert cache.seen(SUBJECT) and ids(cache, clock) == first.id
    assert cache.health(clock()) == {"state": "ok", "last_poll": clock(), "pending": 0, "held": 0}
    clock.advance(59)
    assert not cache.due(SUBJECT, clock())
    last = withdrawn()
    ledger.append(last, a_record(subject=OTHER), a_record(subject=None))
    clock.advance(1)
    assert cache.due(SUBJECT, clock())
    ledger.asked.clear()
    cache.refresh(SUBJECT, clock())
    assert ids(cache, clock) == last.id
    assert set(ledger.asked) == {"changes"}


def test_unknown_subject_is_remembered_as_such(cache: RevocationCache, clock: Clock) -> None:
    cache.refresh(SUBJECT, clock())
    assert cache.seen(SUBJECT) and not cache.due(SUBJECT, clock())
    assert cache.newest(SUBJECT, NOON, clock()) == (None, True)


def test_poll_is_due_when_the_clock_goes_back(cache: RevocationCache, clock: Clock) -> None:
    cache.refresh(SUBJECT, clock())
    clock.advance(-10)
    assert cache.due(SUBJECT, clock())
    assert cache.health(clock())["last_poll"] is None
    cache.refresh(SUBJECT, clock())
    assert not cache.due(SUBJECT, clock())


def test_poll_is_due_at_least_every_max_stale_seconds(make_cache: MakeCache, clock: Clock) -> None:
    cache = make_cache(recheck=7200, max_stale=600)
    cache.refresh(SUBJECT, clock())
    assert not cache.due(SUBJECT, clock() + 599) and cache.due(SUBJECT, clock() + 600)


def test_poll_reads_answers_of_limited_length_to_the_end(
    ledger: Observed, cache: RevocationCache, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "LARGEST_ANSWER", 40)
    cache.refresh(SUBJECT, clock())
    ledger.append(*(a_record(subject=f"{number:022}") for number in range(100)), withdrawn())
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    assert not any(allowed(cache, clock).values())


def test_concurrent_requests_share_queries(ledger: Observed, cache: RevocationCache, clock: Clock) -> None:
    begun, go = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go.wait(30)

    ledger.after_changes = wait
    requests = [
        threading.Thread(target=cache.refresh, args=(f"{number:022}", clock())) for number in range(20)
    ]
    requests[0].start()
    assert begun.wait(30)
    for request in requests[1:]:
        request.start()
    go.set()
    for request in requests:
        request.join(30)
    assert all(cache.seen(f"{number:022}") for number in range(20))
    # Each thread may have asked for the end of the ledger, and the poll for changes behind it.
    assert ledger.asked.count("changes") <= 2
    assert sum(int(asked.split()[0]) for asked in ledger.asked if "subjects" in asked) == 20


def test_question_that_was_answered_while_it_was_queued_is_not_asked(
    ledger: Observed, cache: RevocationCache, clock: Clock
) -> None:
    cache.refresh(SUBJECT, clock())
    ledger.asked.clear()
    again = cache._queue.run("poll", cache._poll), cache._queue.ask(SUBJECT)
    assert cache._queue.wait([answer for answer in again if answer], 30)
    assert ledger.asked == []


def test_caches_of_subjects_are_bounded(make_cache: MakeCache, clock: Clock, monkeypatch: Any) -> None:
    monkeypatch.setattr("consentkit.manager.revocations._SUBJECTS_KEPT", 20)
    cache = make_cache()
    for number in range(50):
        cache.refresh(f"{number:022}", clock())
        cache.hold(withdrawn(subject=f"h{number:021}"), clock(), stored=False)
    assert not cache.seen(f"{0:022}") and cache.seen(f"{49:022}")
    assert len(cache.held) <= 20 and cache.seen(f"h{49:021}")


# A ledger that does not answer


# HO-14
def test_grant_counts_for_max_stale_after_its_check_while_the_ledger_does_not_answer(
    ledger: Ledger, cache: RevocationCache, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.append(given())
    cache.refresh(SUBJECT, clock())
    ledger.close()
    checked_at = clock()
    clock.advance(60)
    for _ in range(3):
        cache.refresh(SUBJECT, clock())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "does not answer" in caplog.text and SUBJECT not in caplog.text
    assert cache.health(clock())["state"] == "no answer"
    assert cache.newest(SUBJECT, NOON, checked_at + 3600)[1]
    assert not cache.newest(SUBJECT, NOON, checked_at + 3601)[1]


def test_unchecked_grant_counts_for_max_stale_after_its_decision(cache: RevocationCache) -> None:
    assert cache.newest(SUBJECT, NOON, NOON + 3600) == (None, True)
    assert cache.newest(SUBJECT, NOON, NOON + 3601) == (None, False)


def test_late_answer_is_used_and_ends_the_outage(
    url: str,
    make_cache: MakeCache,
    clock: Clock,
    all_is_asked: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "consentkit.revocation")
    subjects = [f"{number:022}" for number in range(40)]
    with closing(Ledger(url)) as writer:
        writer.append(*(withdrawn(subject=subject) for subject in subjects))
    ledger = Observed(url, lock_timeout=30)
    cache = make_cache(ledger)
    monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 0.25)
    with nobody_reads(url):
        assert not cache.refresh(subjects[0], clock())
        assert cache.newest(subjects[0], NOON, clock()) == (None, True)
    monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 30.0)
    all_is_asked()
    assert cache.seen(subjects[0]), "nobody asked again"
    for subject in subjects:
        assert cache.refresh(subject, clock())
        record, _ = cache.newest(subject, NOON, clock())
        assert record is not None and record.status == "withdrawn"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "No answer in time." in caplog.text and "unanswered: 1" in caplog.text
    ledger.close()


def test_ledger_that_is_known_not_to_answer_is_not_waited_for_and_asked_again_without_a_request(
    url: str, make_cache: MakeCache, clock: Clock, all_is_asked: Callable[[], None], caplog: Any
) -> None:
    caplog.set_level("INFO", "consentkit.revocation")
    with closing(Ledger(url)) as writer:
        writer.append(withdrawn())
    ledger = Observed(url, lock_timeout=0.1)
    cache = make_cache(ledger)
    with nobody_reads(url):
        # Waits as long as it takes until the first query fails.
        assert cache.refresh(OTHER, clock())
        assert not cache.seen(OTHER)
        assert cache.refresh(SUBJECT, clock()), "waiting would be in vain"
        health = cache.health(clock())
        assert (health["state"], health["pending"]) == ("no answer", 2)
    all_is_asked()
    assert cache.health(clock())["state"] == "ok" and not cache.due(OTHER, clock())
    assert not any(allowed(cache, clock).values())
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    ledger.close()


def test_forked_child_asks_with_threads_of_its_own(url: str) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK, url], check=True, timeout=60)


FORK = """
import os, sys, threading
from consentkit.ledger import Ledger
from consentkit.manager.revocations import RevocationCache
from tests.support.records import a_record
class Hanging(Ledger):
    go, begun = threading.Event(), threading.Event()
    def changes(self, cursor):
        found = super().changes(cursor)
        self.begun.set()
        self.go.wait(30)
        return found
ledger = Hanging(sys.argv[1], lock_timeout=20)
ledger.append(a_record(subject="s" * 22))
cache = RevocationCache(ledger, recheck=60, max_stale=60, fold=lambda records: next(iter(records), None))
assert not cache.refresh("o" * 22, cache._clock(), 0)
assert ledger.begun.wait(20)
child = os.fork()
if not child:
    ledger.go.set()
    assert cache.refresh("s" * 22, cache._clock(), 20) and cache.seen("s" * 22)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
ledger.go.set()
assert cache.refresh("o" * 22, cache._clock(), 20) and cache.seen("o" * 22)
"""


# The order of records


def test_change_between_a_decision_and_the_first_poll_is_not_missed(
    ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    first = given()
    ledger.append(first)
    cache.hold(first, clock(), stored=True)
    ledger.append(withdrawn())
    assert cache.due(SUBJECT, clock())
    cache.refresh(SUBJECT, clock())
    assert not any(allowed(cache, clock).values())


# WD-03
@pytest.mark.parametrize("order", list(itertools.permutations(["poll", "held", "stored", "looked up"])))
def test_order_in_which_records_arrive_changes_nothing(
    order: tuple[str, ...], ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    records = dict(zip(order, [given(), given(2), given(2, tracking=False), given(1)], strict=True))
    cache.refresh(OTHER, clock())
    ledger.append(records["looked up"])
    cache.hold(records["held"], clock(), stored=False)
    cache.refresh(SUBJECT, clock())
    ledger.append(records["poll"], records["stored"])
    cache.hold(records["stored"], clock(), stored=True)
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    assert allowed(cache, clock) == {"analytical": True, "tracking": False, "social": True}


# WD-03
def test_two_changes_of_one_second_count_as_what_both_allow(
    ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    ledger.append(given(social=False), given(tracking=False))
    cache.refresh(SUBJECT, clock())
    assert allowed(cache, clock) == {"analytical": True, "tracking": False, "social": False}


# WD-03
def test_withdrawal_elsewhere_during_a_lookup_is_kept_by_the_poll_that_reads_it(
    ledger: Observed, cache: RevocationCache, clock: Clock
) -> None:
    ledger.append(given())
    cache.refresh(OTHER, clock())
    others = [a_record(subject=f"{number:022}") for number in range(queries.OVERLAP + 8)]

    def meanwhile() -> None:
        ledger.append(withdrawn(), *others)
        clock.advance(60)
        cache.refresh(OTHER, clock())

    ledger.after_newest = meanwhile
    cache.refresh(SUBJECT, clock())
    assert not any(allowed(cache, clock).values())


# WD-03
@pytest.mark.parametrize("query", ["after_newest", "after_changes"])
@pytest.mark.parametrize("later", [0, 1, 2])
def test_withdrawal_here_during_a_query_is_kept(
    query: str, later: int, ledger: Observed, cache: RevocationCache, clock: Clock
) -> None:
    ledger.append(given())
    cache.refresh(OTHER if query == "after_newest" else SUBJECT, clock())
    ledger.append(given(1))

    def meanwhile() -> None:
        record = withdrawn(later)
        ledger.append(record)
        cache.hold(record, clock(), stored=True)

    setattr(ledger, query, meanwhile)
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    assert not any(allowed(cache, clock).values())


# WD-03
def test_withdrawal_that_a_poll_reads_before_the_grant_is_noted_here_is_kept(
    ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    cache.refresh(OTHER, clock())
    first = given()
    ledger.append(first, withdrawn())
    clock.advance(60)
    cache.refresh(OTHER, clock())
    cache.hold(first, clock(), stored=True)
    assert not any(allowed(cache, clock).values())


# Decisions that the ledger does not have


def test_decision_of_this_process_counts_at_once(cache: RevocationCache, clock: Clock) -> None:
    cache.refresh(OTHER, clock())
    cache.hold(a_record(subject=None), clock(), stored=True)
    stored = given()
    cache.hold(stored, clock(), stored=True)
    assert ids(cache, clock) == stored.id and not cache.due(SUBJECT, clock())
    entry = cache.known[SUBJECT]
    cache.hold(withdrawn(), clock(), stored=False)
    assert not any(allowed(cache, clock).values())
    assert cache.known[SUBJECT] is not entry, "permissions cached on tokens would go on counting"
    record, fresh = cache.newest(SUBJECT, NOON, clock() + 10**6)
    assert record is not None and record.ends_subject and fresh


def test_held_grant_counts_for_max_stale_after_its_decision(cache: RevocationCache) -> None:
    cache.hold(given(5), NOON, stored=False)
    assert cache.newest(SUBJECT, NOON, NOON + 3605)[1]
    assert not cache.newest(SUBJECT, NOON, NOON + 3606)[1]


def test_held_decision_is_released_once_the_ledger_has_stored_it(
    ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    ledger.append(given())
    cache.refresh(SUBJECT, clock())
    narrowed = given(1, tracking=False)
    cache.hold(narrowed, clock(), stored=False)
    assert not cache.is_settled(SUBJECT)
    cache.hold(given(), clock(), stored=True)
    assert not cache.is_settled(SUBJECT), "an older record was stored"
    ledger.append(narrowed)
    cache.hold(narrowed, clock(), stored=True)
    assert cache.is_settled(SUBJECT) and ids(cache, clock) == narrowed.id
    cache.hold(narrowed, clock(), stored=False)
    assert cache.is_settled(SUBJECT), "the ledger has it already"


def test_held_withdrawal_is_released_once_a_poll_has_read_it(
    ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    ledger.append(given())
    cache.refresh(SUBJECT, clock())
    waits = withdrawn()
    cache.hold(waits, clock(), stored=False)
    assert len(cache.held) == 1
    ledger.append(waits)
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    assert not cache.held and ids(cache, clock) == waits.id


def test_held_decision_gives_way_to_a_later_one_of_another_process(
    ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    ledger.append(given())
    cache.refresh(SUBJECT, clock())
    cache.hold(given(1, tracking=False), clock(), stored=False)
    assert not allowed(cache, clock)["tracking"]
    ledger.append(given(2))
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    assert allowed(cache, clock)["tracking"] and cache.is_settled(SUBJECT)


def test_held_decision_stays_while_the_ledger_has_a_broader_one_of_the_same_moment(
    ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    cache.hold(given(1, tracking=False), clock(), stored=False)
    ledger.append(given(1))
    cache.refresh(SUBJECT, clock())
    assert not cache.is_settled(SUBJECT) and not allowed(cache, clock)["tracking"]
    ledger.append(given(1, tracking=False, social=False))
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    assert not any(allowed(cache, clock)[category] for category in ("tracking", "social"))


def test_subject_of_a_delivered_decision_is_looked_up_before_the_decision_is_released(
    ledger: Ledger, cache: RevocationCache, clock: Clock, all_is_asked: Callable[[], None]
) -> None:
    cache.refresh(OTHER, clock())
    narrowed = given(1, tracking=False)
    cache.hold(narrowed, clock(), stored=False)
    ledger.append(narrowed, given(2))
    cache.hold(narrowed, clock(), stored=True)
    assert not cache.is_settled(SUBJECT) and cache.due(SUBJECT, clock())
    clock.advance(60)
    cache.refresh(OTHER, clock())
    all_is_asked()
    assert cache.is_settled(SUBJECT) and allowed(cache, clock)["tracking"]


@pytest.mark.parametrize("is_newer", [False, True])
def test_what_waited_counts_when_a_poll_has_read_it_and_look_ups_are_not_answered(
    ledger: Ledger, cache: RevocationCache, clock: Clock, monkeypatch: pytest.MonkeyPatch, is_newer: bool
) -> None:
    cache.refresh(OTHER, clock())

    def newest_of(subjects: object) -> object:
        raise LedgerUnavailableError("no answer")

    monkeypatch.setattr(ledger, "newest_of", newest_of)
    narrowed = given(1, tracking=False)
    cache.hold(narrowed, clock(), stored=False)
    ledger.append(narrowed, *([withdrawn(2)] if is_newer else []))
    clock.advance(60)
    cache.refresh(OTHER, clock())
    record, _ = cache.newest(SUBJECT, NOON, clock())
    assert record is not None and record.ends_subject == is_newer and not record.categories["tracking"]


# What the manager adds to a poll


def test_records_that_wait_in_other_processes_count_until_the_ledger_has_newer_ones(
    ledger: Ledger, make_cache: MakeCache, clock: Clock, all_is_asked: Callable[[], None]
) -> None:
    waiting = [given(1, tracking=False), a_record(subject=None)]
    cache = make_cache(waiting_elsewhere=lambda: list(waiting))
    ledger.append(given())
    cache.refresh(SUBJECT, clock())
    assert not allowed(cache, clock)["tracking"] and not cache.is_settled(SUBJECT)
    waiting.clear()
    ledger.append(given(2))
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    all_is_asked()
    assert allowed(cache, clock)["tracking"] and cache.is_settled(SUBJECT)


def test_step_before_a_poll_may_fail(
    make_cache: MakeCache, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise OSError("no such directory")

    cache = make_cache(before_poll=fail, waiting_elsewhere=fail, is_writable=fail)
    cache.refresh(SUBJECT, clock())
    assert caplog.text.count("OSError: no such directory") == 3
    assert cache.seen(SUBJECT)


def test_grants_end_after_max_stale_while_the_ledger_can_be_read_and_not_written(
    ledger: Observed, make_cache: MakeCache, clock: Clock
) -> None:
    begun: list[float] = []
    can_write = [True]
    cache = make_cache(before_poll=lambda: begun.append(clock()), is_writable=lambda: can_write[0])
    ledger.append(given(), a_record(subject=OTHER))
    cache.refresh(SUBJECT, clock())
    start = clock()
    can_write[0] = False
    for _ in range(59):
        clock.advance(60)
        assert cache.due(SUBJECT, clock())
        cache.refresh(SUBJECT, clock())
        assert not cache.due(SUBJECT, clock()), "one poll each `recheck` seconds"
    cache.refresh(OTHER, clock())
    assert allowed(cache, clock) and cache.polled == start and len(begun) == 60
    clock.advance(61)
    cache.refresh(SUBJECT, clock())
    assert not cache.newest(SUBJECT, NOON, clock())[1] and not cache.newest(OTHER, NOON, clock())[1]
    assert not cache.polled <= clock() < cache.due_at, "cached permissions would go on counting"
    assert not cache.due(SUBJECT, clock())
    ledger.append(withdrawn())
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    assert not any(allowed(cache, clock).values()), "what was read is used"
    can_write[0] = True
    clock.advance(60)
    cache.refresh(OTHER, clock())
    assert cache.newest(OTHER, NOON, clock())[1] and cache.polled == clock()


def test_other_ledger_is_read_from_its_end_and_grants_are_looked_up_again(
    ledger: Observed, make_cache: MakeCache, clock: Clock
) -> None:
    epoch = [1]
    cache = make_cache(epoch=lambda: epoch[0])
    ended = "e" * 22
    ledger.append(given(), withdrawn(subject=ended))
    for subject in (SUBJECT, ended, OTHER):
        cache.refresh(subject, clock())
    epoch[0] += 1
    ledger.asked.clear()
    clock.advance(60)
    cache.refresh(ended, clock())
    assert ledger.asked == ["end"]
    assert not cache.seen(SUBJECT) and not cache.seen(OTHER) and cache.seen(ended)
    cache.refresh(SUBJECT, clock())
    assert allowed(cache, clock)["tracking"]


@pytest.mark.parametrize("query", ["after_newest", "after_changes"])
def test_answer_of_a_ledger_that_was_replaced_during_the_query_is_not_used(
    query: str, ledger: Observed, make_cache: MakeCache, clock: Clock, all_is_asked: Callable[[], None]
) -> None:
    epoch = [1]
    cache = make_cache(epoch=lambda: epoch[0])
    ledger.append(given())
    cache.refresh(OTHER if query == "after_newest" else SUBJECT, clock())

    def replaced() -> None:
        epoch[0] += 1
        if query == "after_newest":
            clock.advance(60)
            cache.refresh(OTHER, clock())

    setattr(ledger, query, replaced)
    if query == "after_changes":
        clock.advance(60)
    cache.refresh(SUBJECT, clock())
    if query == "after_newest":
        all_is_asked()
        assert cache.seen(SUBJECT) and ledger.asked.count("1 subjects") >= 3, "it was asked again"
    else:
        assert cache.seen(SUBJECT) and ledger.asked[-1] == "1 subjects", "it was asked again"


def test_without_a_ledger_nothing_is_asked_or_held(clock: Clock) -> None:
    cache = NoRevocations()
    cache.hold(given(), clock(), stored=True)
    assert not cache.due(SUBJECT, clock()) and not cache.seen(SUBJECT)
    assert cache.refresh(SUBJECT, clock()) and cache.run("notices", pytest.fail)
    assert cache.newest(SUBJECT, NOON, clock()) == (None, True)
    record = given()
    assert cache.counting(SUBJECT, record) is record and cache.is_settled(SUBJECT)
    assert cache.lacking(SUBJECT) == ()
    assert cache.health(clock()) == {"state": "not asked yet", "last_poll": None, "pending": 0, "held": 0}
    cache.close()


def test_closed_cache_asks_nothing(ledger: Observed, cache: RevocationCache, clock: Clock) -> None:
    cache.close()
    cache.close()
    assert cache.refresh(SUBJECT, clock()) and not cache.seen(SUBJECT)
    assert not ledger.asked


def test_record_that_repeats_what_is_known_keeps_the_entry(
    ledger: Ledger, cache: RevocationCache, clock: Clock
) -> None:
    ledger.append(given())
    cache.refresh(OTHER, clock())
    cache.refresh(SUBJECT, clock())
    entry = cache.known[SUBJECT]
    clock.advance(60)
    cache.refresh(SUBJECT, clock())
    assert cache.known[SUBJECT] is entry
    cache.hold(replace(given(), id=entry[0].id if entry[0] else ""), clock(), stored=True)
    assert cache.known[SUBJECT] is entry
