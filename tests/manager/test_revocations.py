import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from consentkit import Ledger
from consentkit.ledger import Record
from consentkit.ledger import ledger as store
from consentkit.manager.revocations import PAUSE, RevocationCache
from tests.support.records import a_record

NOW = 1_800_000_000.0
SUBJECT = "s" * 22


CHANGED = int(NOW)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    ledger = Ledger(ledger_url)
    yield ledger
    ledger.close()


@pytest.fixture
def revocations(ledger: Ledger) -> Iterator[RevocationCache]:
    known = RevocationCache(ledger, recheck=60, max_stale=3600)
    yield known
    known.close()


def test_subject_is_looked_up_once_and_then_polled_with_all_others(
    ledger: Ledger, revocations: RevocationCache
) -> None:
    given = a_record(subject=SUBJECT, status="given")
    ledger.append(given)
    assert revocations.due(SUBJECT, NOW) and not revocations.seen(SUBJECT)
    revocations.refresh(SUBJECT, NOW)
    assert revocations.seen(SUBJECT)
    assert not revocations.due(SUBJECT, NOW + 59)
    record, fresh = revocations.newest(SUBJECT, CHANGED, NOW + 59)
    assert record is not None and record.id == given.id and fresh
    withdrawn = a_record(subject=SUBJECT, status="withdrawn")
    ledger.append(withdrawn, a_record(subject="o" * 22))
    assert revocations.due(SUBJECT, NOW + 60)
    revocations.refresh(SUBJECT, NOW + 60)
    record, _ = revocations.newest(SUBJECT, CHANGED, NOW + 60)
    assert record is not None and record.id == withdrawn.id


def test_poll_is_due_when_the_clock_goes_back(revocations: RevocationCache) -> None:
    revocations.refresh(SUBJECT, NOW)
    assert revocations.due(SUBJECT, NOW - 10)


def test_change_between_a_decision_and_the_first_poll_is_not_missed(
    ledger: Ledger, revocations: RevocationCache
) -> None:
    given = a_record(subject=SUBJECT, status="given")
    ledger.append(given)
    revocations.hold(given, NOW, stored=True)
    ledger.append(a_record(subject=SUBJECT, status="withdrawn"))
    assert revocations.due(SUBJECT, NOW)
    revocations.refresh(SUBJECT, NOW)
    record, _ = revocations.newest(SUBJECT, CHANGED, NOW)
    assert record is not None and record.status == "withdrawn"


def test_decision_of_this_process_counts_at_once(revocations: RevocationCache) -> None:
    revocations.refresh("o" * 22, NOW)
    waiting = a_record(subject=SUBJECT, status="withdrawn")
    revocations.hold(a_record(subject=None), NOW, stored=True)
    revocations.hold(waiting, NOW, stored=False)
    assert revocations.newest(SUBJECT, CHANGED, NOW + 10**6) == (waiting, True)
    stored = replace(waiting, status="given")
    revocations.hold(stored, NOW, stored=True)
    assert revocations.newest(SUBJECT, CHANGED, NOW) == (stored, True)


# HO-14
def test_grant_counts_for_max_stale_and_the_ledger_is_not_asked_during_the_pause(
    ledger: Ledger, revocations: RevocationCache, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.append(a_record(subject=SUBJECT, status="given"))
    revocations.refresh(SUBJECT, NOW)
    ledger.close()
    later = NOW + 60
    revocations.refresh(SUBJECT, later)
    assert "could not be looked up" in caplog.text
    assert not revocations.due(SUBJECT, later + PAUSE - 1), "the breaker is open"
    assert revocations.due(SUBJECT, later + PAUSE)
    assert revocations.newest(SUBJECT, CHANGED, NOW + 3600)[1]
    assert not revocations.newest(SUBJECT, CHANGED, NOW + 3601)[1]


def test_unchecked_grant_counts_for_max_stale_after_its_decision(
    revocations: RevocationCache,
) -> None:
    assert revocations.newest(SUBJECT, int(NOW), NOW + 3600) == (None, True)
    assert revocations.newest(SUBJECT, int(NOW), NOW + 3601) == (None, False)


class _Hanging(Ledger):
    """A ledger whose look-ups do not answer until they are let go."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.go = threading.Event()

    def changes(self, cursor: int | None) -> tuple[tuple[Record, ...], int]:
        self.go.wait(30)
        return super().changes(cursor)


def test_ledger_that_does_not_answer_is_given_up_after_the_longest_wait(
    ledger_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 0.25)
    ledger = _Hanging(ledger_url)
    revocations = RevocationCache(ledger, recheck=60, max_stale=3600)
    revocations.refresh(SUBJECT, NOW)
    assert "no answer in time" in caplog.text
    assert not revocations.due(SUBJECT, NOW + 1)
    ledger.go.set()
    revocations.close()
    revocations.close()
    ledger.close()


def test_concurrent_requests_share_one_poll(ledger_url: str) -> None:
    ledger = _Hanging(ledger_url)
    revocations = RevocationCache(ledger, recheck=60, max_stale=3600)
    polls = [
        threading.Thread(target=revocations._ask_ledger, args=(subject, NOW))
        for subject in ("a" * 22, "b" * 22)
    ]
    for poll in polls:
        poll.start()
    ledger.go.set()
    for poll in polls:
        poll.join(30)
    assert revocations.seen("a" * 22) and revocations.seen("b" * 22)
    ledger.close()


def test_poll_reads_answers_of_limited_length_to_the_end(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LARGEST_ANSWER", 40)
    monkeypatch.setattr(store, "_CHANGES", store._CHANGES.limit(40))
    revocations = RevocationCache(ledger, recheck=60, max_stale=3600)
    revocations.refresh(SUBJECT, NOW)
    others = [a_record(subject=f"{number:022}") for number in range(100)]
    ledger.append(*others, a_record(subject=SUBJECT, status="withdrawn"))
    revocations.refresh(SUBJECT, NOW + 60)
    record, _ = revocations.newest(SUBJECT, CHANGED, NOW + 60)
    assert record is not None and record.status == "withdrawn"
    revocations.close()


class Interrupted(Ledger):
    """A ledger between whose reading and its answer something happens, once."""

    after_newest: Callable[[], None] | None = None
    after_changes: Callable[[], None] | None = None

    def newest(self, subject: str) -> Record | None:
        found = super().newest(subject)
        happens, self.after_newest = self.after_newest, None
        if happens:
            happens()
        return found

    def changes(self, cursor: int | None) -> tuple[tuple[Record, ...], int]:
        found = super().changes(cursor)
        happens, self.after_changes = self.after_changes, None
        if happens:
            happens()
        return found


@pytest.fixture
def interrupted(ledger_url: str) -> Iterator[tuple[Interrupted, RevocationCache]]:
    ledger = Interrupted(ledger_url)
    known = RevocationCache(ledger, recheck=60, max_stale=3600)
    ledger.append(a_record(subject=SUBJECT, changed_at=CHANGED))
    known.refresh("o" * 22, NOW)
    yield ledger, known
    known.close()
    ledger.close()


Known = tuple[Interrupted, RevocationCache]


def withdrawn(later: int = 1) -> Record:
    return a_record(subject=SUBJECT, status="withdrawn", changed_at=CHANGED + later)


# WD-03
def test_withdrawal_elsewhere_during_a_lookup_is_kept_by_the_poll_that_reads_it(
    interrupted: Known,
) -> None:
    ledger, revocations = interrupted
    others = [a_record(subject=f"{number:022}") for number in range(store.OVERLAP + 8)]

    def meanwhile() -> None:
        ledger.append(withdrawn(), *others)
        revocations.refresh("o" * 22, NOW + 60)

    ledger.after_newest = meanwhile
    revocations.refresh(SUBJECT, NOW + 1)
    record, _ = revocations.newest(SUBJECT, CHANGED, NOW + 60)
    assert record is not None and record.status == "withdrawn"


# WD-03
def test_withdrawal_here_during_a_lookup_is_kept(interrupted: Known) -> None:
    ledger, revocations = interrupted

    def meanwhile() -> None:
        record = withdrawn()
        ledger.append(record)
        revocations.hold(record, NOW + 1, stored=True)

    ledger.after_newest = meanwhile
    revocations.refresh(SUBJECT, NOW + 1)
    record, _ = revocations.newest(SUBJECT, CHANGED, NOW + 1)
    assert record is not None and record.status == "withdrawn"


# WD-03
@pytest.mark.parametrize(("later", "known"), [(2, True), (1, False), (0, True)])
def test_withdrawal_here_during_a_poll_is_kept_unless_the_poll_read_a_newer_record(
    interrupted: Known, later: int, known: bool
) -> None:
    ledger, revocations = interrupted
    revocations.refresh(SUBJECT, NOW + 1)
    changed = a_record(subject=SUBJECT, changed_at=CHANGED + 1)
    ledger.append(changed)

    def meanwhile() -> None:
        record = withdrawn(later)
        ledger.append(record)
        revocations.hold(record, NOW + 60, stored=True)

    ledger.after_changes = meanwhile
    revocations.refresh("o" * 22, NOW + 60)
    assert revocations.seen(SUBJECT) is known
    revocations.refresh(SUBJECT, NOW + 60)
    record, _ = revocations.newest(SUBJECT, CHANGED, NOW + 60)
    assert record is not None and record.status == "withdrawn"


def test_poll_is_due_at_least_every_max_stale_seconds(ledger: Ledger) -> None:
    revocations = RevocationCache(ledger, recheck=7200, max_stale=600)
    ledger.append(a_record(subject=SUBJECT))
    revocations.refresh(SUBJECT, NOW)
    assert not revocations.due(SUBJECT, NOW + 599) and revocations.due(SUBJECT, NOW + 600)
    revocations.close()


def test_cache_of_subjects_is_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.manager.revocations._SUBJECTS_KEPT", 20)
    revocations = RevocationCache(ledger, recheck=60, max_stale=3600)
    for number in range(50):
        revocations.refresh(f"{number:022}", NOW)
    assert not revocations.seen(f"{0:022}") and revocations.seen(f"{49:022}")
    revocations.close()


def test_forked_process_starts_its_own_threads(revocations: RevocationCache) -> None:
    before = revocations._thread_pool()
    revocations._threads = (-1, before)
    assert revocations._thread_pool() is not before
    before.shutdown()
