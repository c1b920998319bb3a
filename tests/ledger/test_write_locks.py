import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from consentkit.ledger import ChainRows, Entries, Ledger, Plan, Record, View, document, group_commit, snapshot
from consentkit.ledger.view import Document
from consentkit.ledger.write_locks import MOST_NAMES, settled_place
from consentkit.ledger.writing import insert_documents
from consentkit.proof import verify
from tests.support.postgres import Server
from tests.support.records import NOON, a_record, another_process_holds
from tests.support.statements import before_statements, watchable_engine

LONG = 30.0


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.address()


@pytest.fixture
def ledgers(url: str) -> Iterator[list[Ledger]]:
    """Four ledgers of one database, each with a writer of its own, as four processes have."""
    with ExitStack() as stack:
        found = [Ledger(url, lock_timeout=LONG) for _ in range(4)]
        for ledger in found:
            stack.callback(ledger.close)
            ledger.store_notice("makes the tables", {})
        yield found


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


class Held:
    """A plan that stays inside its transaction until it is released."""

    def __init__(self, work_out: Callable[[View], Entries], **asks: Any) -> None:
        self.inside, self.released = threading.Event(), threading.Event()
        self._work_out = work_out
        self.plan = Plan(work_out=self._stay, **asks)

    def _stay(self, view: View) -> Entries:
        entries = self._work_out(view)
        self.inside.set()
        assert self.released.wait(LONG)
        return entries

    def begin(self, threads: ThreadPoolExecutor, ledger: Ledger) -> "Future[Entries]":
        under_way = threads.submit(ledger.carry_out, self.plan)
        assert self.inside.wait(LONG)
        return under_way


def an_id(text: str) -> str:
    """Return a record id that follows from a text."""
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def grant(subject: str, **asks: Any) -> Plan:
    """Return a plan that stores a grant, whatever was recorded."""
    given = a_record(subject=subject)
    return Plan(work_out=lambda view: Entries((given,)), **asks)


def counted(subject: str, record_id: str | None = None, **asks: Any) -> Plan:
    """Return a plan that builds on the newest record: each adds a second to the time of the last one."""
    given = a_record(subject=subject) if record_id is None else a_record(subject=subject, id=record_id)

    def work_out(view: View) -> Entries:
        if view.stored(given.id) is not None:
            return Entries()
        newest = view.newest(subject)
        return Entries((replace(given, changed_at=newest[0].changed_at + 1 if newest else NOON),))

    return Plan(work_out=work_out, subjects=(subject,), **asks)


def waits_for_a_lock(url: str, threads: ThreadPoolExecutor, under_way: "Future[Any]") -> bool:
    """Return whether a plan waits for another transaction, once that is certain; False if it has ended."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(url, autocommit=True) as connection:
        while not under_way.done():
            if connection.execute(waiting).fetchone() != (0,):
                return True
    return False


def is_unbroken(url: str) -> bool:
    with snapshot(url) as connection:
        return verify(ChainRows(connection)).is_unchanged


def test_decisions_of_different_visitors_are_stored_at_once(
    ledgers: list[Ledger], threads: ThreadPoolExecutor, url: str
) -> None:
    held = [Held(grant(f"{number}").work_out, subjects=(f"{number}",)) for number in range(3)]
    under_way = [each.begin(threads, ledger) for each, ledger in zip(held, ledgers, strict=False)]
    ledgers[3].carry_out(counted("another"))
    for each in held:
        each.released.set()
    assert [len(each.result().records) for each in under_way] == [1, 1, 1]
    assert is_unbroken(url)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"subjects": ("a",)}, {"subjects": ("a",)}),
        ({"linked_to": ("a",)}, {"subjects": ("b",)}),
        ({"linked_to": ("b",)}, {"linked_to": ("c",)}),
        ({"repeats": ("id",)}, {"repeats": ("id",)}),
        ({"adds_links": True}, {"subjects": ("a",)}),
        ({"subjects": ("a",)}, {"adds_links": True}),
    ],
)
def test_plans_that_could_concern_one_another_take_turns(
    ledgers: list[Ledger], threads: ThreadPoolExecutor, url: str, first: Any, second: Any
) -> None:
    ledgers[0].link("a", "b", NOON)
    ledgers[0].link("b", "c", NOON)
    held = Held(lambda view: Entries((a_record(subject="a"),)), **first)
    under_way = held.begin(threads, ledgers[0])
    other = threads.submit(ledgers[1].carry_out, Plan(work_out=lambda view: Entries(), **second))
    assert waits_for_a_lock(url, threads, other)
    held.released.set()
    assert len(under_way.result().records) == 1 and other.result() == Entries()


@pytest.mark.parametrize(
    "use", [lambda ledger: ledger.append(a_record()), lambda ledger: ledger.link("a", "b", NOON)]
)
def test_whatever_is_no_plan_is_stored_alone(
    ledgers: list[Ledger], threads: ThreadPoolExecutor, url: str, use: Callable[[Ledger], Any]
) -> None:
    held = Held(lambda view: Entries(), subjects=("x",))
    under_way = held.begin(threads, ledgers[0])
    other = threads.submit(use, ledgers[1])
    assert waits_for_a_lock(url, threads, other)
    held.released.set()
    under_way.result()
    other.result()


def test_a_plan_that_asks_for_more_than_it_said_starts_again_alone(
    ledgers: list[Ledger], threads: ThreadPoolExecutor, url: str
) -> None:
    questions: list[Callable[[View], Any]] = [
        lambda view: view.newest("a"),
        lambda view: view.history("a"),
        lambda view: view.linked("a"),
    ]
    for ask in questions:
        views = []

        def work_out(view: View, ask: Callable[[View], Any] = ask, views: list[View] = views) -> Entries:
            views.append(view)
            ask(view)
            return Entries()

        ledgers[0].carry_out(Plan(work_out=work_out, subjects=("b",)))
        assert [view.is_alone for view in views] == [False, True]


def test_names_that_are_too_many_are_not_locked(ledgers: list[Ledger]) -> None:
    many = [f"{number}" for number in range(MOST_NAMES + 1)]
    for number in many:
        ledgers[0].link("a", number, NOON)
    seen: list[Any] = []

    def work_out(view: View) -> Entries:
        seen.append(view)
        return Entries()

    for asks in ({"subjects": tuple(many)}, {"linked_to": ("a",)}, {"subjects": ("a",)}):
        ledgers[0].carry_out(Plan(work_out=work_out, **asks))
    assert [view.is_alone for view in seen] == [True, True, False]


def test_a_record_that_somebody_else_has_just_stored_is_known_to_the_plan(
    ledgers: list[Ledger], threads: ThreadPoolExecutor
) -> None:
    # Without `repeats`, so that nothing but the database's own constraint is in the way.
    held = Held(counted("a", an_id("same")).work_out, subjects=("a",))
    under_way = held.begin(threads, ledgers[0])
    assert len(ledgers[1].carry_out(counted("c", an_id("same"))).records) == 1
    held.released.set()
    assert under_way.result() == Entries()
    assert [record.subject for record in ledgers[0].records()] == ["c"]


def test_nothing_that_many_processes_decide_about_few_visitors_is_lost(
    ledgers: list[Ledger], threads: ThreadPoolExecutor, url: str, postgres: Server
) -> None:
    contents = [document(f"notice {number}", {}) for number in range(6)]
    for first, second in (("v0", "v1"), ("v1", "v2"), ("v5", "v6")):
        ledgers[0].link(first, second, NOON)
    polled: set[str] = set()
    _, cursor = ledgers[0].changes(None)
    deadlocks = "SELECT sum(deadlocks) FROM pg_stat_database"
    before = postgres.execute(deadlocks)

    def decide(number: int) -> list[Record]:
        stored: list[Record] = []
        for turn in range(20):
            which = f"v{(3 * number + 5 * turn) % 8}"
            submission = an_id(f"submission {number // 2} {turn}")
            plan = replace(
                counted(which, submission if turn % 2 else None),
                repeats=(submission,),
                linked_to=(which,) if turn % 3 else (),
                document=contents[(number + turn) % 6],
            )
            stored += ledgers[number % 4].carry_out(plan).records
            if not turn % 7:
                ledgers[number % 4].add_counts([])
                ledgers[number % 4].append(a_record(subject=None))
        return stored

    deciders = [threads.submit(decide, number) for number in range(12)]
    while not all(decider.done() for decider in deciders):
        found, cursor = ledgers[1].changes(cursor)
        polled |= {record.id for record in found}
    stored = [record for decider in deciders for record in decider.result()]
    found, cursor = ledgers[1].changes(cursor)
    polled |= {record.id for record in found}
    assert polled == {record.id for record in stored}
    assert len(stored) == 12 * 10 + 6 * 10
    for visitor in range(8):
        mine = ledgers[0].history(f"v{visitor}")
        assert [record.changed_at - NOON for record in mine] == list(range(len(mine)))
    assert {digest for digest, _ in ledgers[0].notices()} >= {each.notice["digest"] for each in contents}
    assert is_unbroken(url)
    assert postgres.execute(deadlocks) == before


def test_notices_that_two_processes_store_first_do_not_stop_either(
    ledgers: list[Ledger], threads: ThreadPoolExecutor, url: str
) -> None:
    documents = [document(f"notice {number}", {}) for number in range(3)]

    def store(ledger: Ledger, given: list[Document]) -> None:
        with ledger._database.transaction(alone=False) as connection:
            insert_documents(connection, given, ledger._insert_statements)

    with psycopg.connect(url) as holder:
        holder.execute("INSERT INTO consentkit_notices (digest, content) VALUES ('notice 1', '')")
        stores = [
            threads.submit(store, ledger, given)
            for ledger, given in zip(ledgers, (documents, documents[::-1]), strict=False)
        ]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while holder.execute(waiting).fetchone() != (2,):
            assert not any(each.done() for each in stores)
        holder.rollback()
    for each in stores:
        each.result()
    assert len(ledgers[0].notices()) == 4


def test_a_conflict_of_writers_is_solved_by_one_that_is_alone(url: str, ledgers: list[Ledger]) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock' "
            "AND pid = pg_backend_pid()) THEN RAISE EXCEPTION 'no' USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER conflict BEFORE INSERT ON consentkit_records FOR EACH ROW EXECUTE FUNCTION conflict()"
        )
    assert len(ledgers[0].carry_out(counted("a")).records) == 1


def test_jobs_that_may_not_share_a_transaction_follow_one_another(
    url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = watchable_engine(url)
    ledger = Ledger(engine, lock_timeout=LONG)
    ledger.append(a_record())
    monkeypatch.setattr(group_commit, "MOST_NAMES", 4)
    begun: list[str] = []
    before_statements(engine, lambda _, statement: begun.append(statement) if "BEGIN" in statement else None)
    with another_process_holds(url):
        waiting = [threads.submit(ledger.carry_out, counted("first"))]
        while not begun:
            assert not waiting[0].done()
        for number in range(7):
            before = ledger._writer._queue.qsize()
            use = threads.submit(ledger.append, a_record()) if number == 5 else None
            waiting.append(use or threads.submit(ledger.carry_out, counted(f"{number}")))
            while ledger._writer._queue.qsize() == before:
                assert not waiting[-1].done()
    for each in waiting:
        each.result()
    # Four visitors, two visitors before the record, and what comes after it with it.
    assert len(begun) == 3
    assert [record.subject for record in ledger.records()][1:] == [
        "first",
        "0",
        "1",
        "2",
        "3",
        "4",
        "A" * 22,
        "6",
    ]
    ledger.close()
    engine.dispose()


@pytest.mark.parametrize("last_seq", [0, 5, 2**31, 2**32 - 1, 2**32, 3 * 2**32 + 7])
def test_the_lower_half_of_a_number_tells_which_number_a_writer_has_noted(last_seq: int) -> None:
    def locked(seq: int) -> int:
        return (seq % 2**32 - 2**31) % 2**32

    for noted in (last_seq, max(last_seq - 1000, 0), max(last_seq - 2**32 + 2**20 + 1, 0)):
        assert settled_place((last_seq, False, [locked(last_seq), locked(noted)])) == noted
    assert settled_place((last_seq, False, [locked(last_seq + 3)])) == last_seq
    assert settled_place((last_seq, False, [])) == last_seq
    assert settled_place((last_seq, True, [])) is None
