import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, group_commit
from tests.support.postgres import Server
from tests.support.records import NOON, a_record, another_process_holds, eventually
from tests.support.statements import before_statements, watchable_engine

LONG = 30.0


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = watchable_engine(f"sqlite:///{tmp_path / 'consent.db'}", connect_args={"timeout": LONG})
    else:
        engine = postgresql_engine(request.getfixturevalue("postgres"))
    yield engine
    engine.dispose()


def postgresql_engine(server: Server) -> Engine:
    return watchable_engine(server.address())


class Door:
    """Stop the writer where its statement begins with a word, until opened."""

    def __init__(self, engine: Engine, word: str) -> None:
        self.word = word
        self.reached = threading.Event()
        self.opened = threading.Event()
        before_statements(engine, self._stop)

    def _stop(self, _connection: object, statement: str) -> None:
        if statement.startswith(self.word):
            self.reached.set()
            assert self.opened.wait(LONG)

    def open(self) -> None:
        self.opened.set()


class Interference:
    """Call a function before the first statements that begin with a word."""

    def __init__(self, engine: Engine, word: str, act: Callable[[Any], None], times: int = 1) -> None:
        self.word, self.act, self.times = word, act, times
        before_statements(engine, self._interfere)

    def _interfere(self, connection: Any, statement: str) -> None:
        if self.times and statement.startswith(self.word):
            self.times -= 1
            self.act(connection)


def ids(ledger: Ledger) -> set[str]:
    return {record.id for record in ledger.records()}


def transactions(engine: Engine) -> list[str]:
    begun: list[str] = []
    Interference(engine, "BEGIN", lambda _: begun.append("BEGIN"), times=10_000)
    return begun


def test_rows_that_arrive_during_a_commit_share_the_next_transaction(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=LONG)
    ledger.append(a_record())
    door = Door(engine, "COMMIT")
    begun = transactions(engine)
    records = [a_record(subject=f"{n}") for n in range(64)]
    with ThreadPoolExecutor(64) as threads:
        first = threads.submit(ledger.append, records[0])
        assert door.reached.wait(LONG)
        others = [threads.submit(ledger.append, record) for record in records[1:]]
        while ledger._writer._queue.qsize() < 63:
            assert not first.done()
        door.open()
    assert [each.result() for each in (first, *others)] == [None] * 64
    assert len(begun) == 2
    assert ids(ledger) >= {record.id for record in records}
    ledger.close()


def test_a_full_batch_leaves_the_rest_to_the_next_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LARGEST_BATCH", 2)
    ledger = Ledger(engine, lock_timeout=LONG)
    door = Door(engine, "BEGIN")
    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(ledger.append, a_record()) for _ in range(5)]
        assert door.reached.wait(LONG)
        door.open()
    assert [each.result() for each in waiting] == [None] * 5
    assert len(ids(ledger)) == 5
    ledger.close()


def test_a_refused_record_does_not_take_the_batch_with_it(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=LONG)
    ledger.append(a_record())
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "CREATE TRIGGER refuse BEFORE INSERT ON consentkit_records WHEN NEW.site = 'bad' "
                "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        else:
            connection.exec_driver_sql("ALTER TABLE consentkit_records ADD CHECK (site <> 'bad')")
    good = [a_record() for _ in range(3)]
    door = Door(engine, "BEGIN")
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(ledger.append, good[0])]
        assert door.reached.wait(LONG)
        bad = threads.submit(ledger.append, a_record(), a_record(site="bad"))
        waiting += [threads.submit(ledger.append, record) for record in good[1:]]
        while ledger._writer._queue.qsize() < 3:
            assert not bad.done()
        door.open()
    with pytest.raises(LedgerUnavailableError):
        bad.result()
    assert [each.result() for each in waiting] == [None] * 3
    assert len(ids(ledger)) == 4
    assert ids(ledger) >= {record.id for record in good}
    ledger.close()


def test_every_call_of_a_batch_gets_its_own_result(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=LONG)
    assert ledger.use_once("used", NOON)
    door = Door(engine, "BEGIN")
    with ThreadPoolExecutor(4) as threads:
        waiting: list[Any] = [threads.submit(ledger.append, a_record())]
        assert door.reached.wait(LONG)
        waiting += [threads.submit(ledger.use_once, token, NOON) for token in ("used", "new")]
        waiting += [threads.submit(ledger.link, "a", "b", NOON)]
        while ledger._writer._queue.qsize() < 3:
            assert not waiting[0].done()
        door.open()
    assert [each.result() for each in waiting] == [None, False, True, None]
    ledger.close()


def test_rows_of_a_caller_that_gave_up_are_not_stored_later(engine: Engine) -> None:
    patient, ledger = Ledger(engine, lock_timeout=LONG), Ledger(engine, lock_timeout=0.2)
    patient.append(a_record(subject="before"))
    door = Door(engine, "BEGIN")
    with pytest.raises(LedgerUnavailableError, match="Nothing was stored"):
        ledger.append(a_record(subject="gave up"))
    door.open()
    patient.append(a_record(subject="after"))
    again = a_record(subject="again")
    eventually(lambda: ledger.append(again))
    assert [record.subject for record in ledger.records()].count("gave up") == 0
    assert {record.subject for record in ledger.records()} == {"before", "after", "again"}
    ledger.close()
    patient.close()


def test_rows_of_other_callers_are_stored_when_one_gives_up(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=1)
    before = a_record(subject="before")
    eventually(lambda: ledger.append(before))
    door = Door(engine, "INSERT INTO consentkit_records")
    outcomes: dict[str, Exception | None] = {}

    def append(subject: str) -> None:
        try:
            ledger.append(a_record(subject=subject))
            outcomes[subject] = None
        except LedgerUnavailableError as error:
            outcomes[subject] = error

    first = threading.Thread(target=append, args=("first",))
    first.start()
    assert door.reached.wait(LONG)
    first.join()
    assert "Nothing was stored" in str(outcomes["first"])
    second = threading.Thread(target=append, args=("second",))
    second.start()
    while not ledger._writer._queue.qsize():
        assert second.is_alive()
    door.open()
    second.join()
    assert outcomes["second"] is None
    assert {record.subject for record in ledger.records()} == {"before", "second"}
    ledger.close()


def test_an_unanswered_commit_raises_as_unknown_and_may_be_repeated(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=0.2)
    before, record = a_record(), a_record()
    eventually(lambda: ledger.append(before))
    door = Door(engine, "COMMIT")
    with pytest.raises(LedgerUnavailableError, match="Storing again is safe"):
        ledger.append(record)
    door.open()
    eventually(lambda: ledger.append(record))
    assert [each.id for each in ledger.records()].count(record.id) == 1
    ledger.close()


def test_a_commit_under_way_is_waited_for_a_second_time(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=1)
    before = a_record()
    eventually(lambda: ledger.append(before))
    door = Door(engine, "COMMIT")
    opener = threading.Timer(1.2, door.open)
    opener.start()
    ledger.append(a_record())
    opener.join()
    assert len(ids(ledger)) == 2
    ledger.close()


def test_rows_are_stored_once_another_process_releases_the_database(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=LONG)
    ledger.append(a_record())
    with ThreadPoolExecutor(8) as threads:
        with another_process_holds(engine.url.render_as_string(False).replace("+psycopg", ""), "IMMEDIATE"):
            waiting = [threads.submit(ledger.append, a_record()) for _ in range(8)]
            while ledger._writer._queue.qsize() < 7:
                assert not any(each.done() for each in waiting)
        assert [each.result() for each in waiting] == [None] * 8
    assert len(ids(ledger)) == 9
    ledger.close()


def test_a_call_while_the_tables_are_created_raises_in_time(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=0.2)
    door = Door(engine, "BEGIN")
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(ledger.notices)
        assert door.reached.wait(LONG)
        with pytest.raises(LedgerUnavailableError, match="still creating its tables"):
            ledger.notices()
        door.open()
        assert first.result() == []
    ledger.close()


class TestBrokenConnections:
    @staticmethod
    def cut(engine: Engine) -> Callable[[Any], None]:
        def act(connection: Any) -> None:
            pid = connection.info.backend_pid
            with engine.connect() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 10000)")

        return act

    @pytest.mark.parametrize("word", ["BEGIN", "INSERT", "COMMIT"])
    def test_are_replaced_and_the_record_is_stored_once(self, postgres: Server, word: str) -> None:
        engine, administrator = postgresql_engine(postgres), postgresql_engine(postgres)
        ledger = Ledger(engine, lock_timeout=LONG)
        ledger.append(a_record())
        Interference(engine, word, self.cut(administrator))
        ledger.append(a_record())
        assert len(list(ledger.records())) == 2
        ledger.close()
        engine.dispose()
        administrator.dispose()

    def test_that_break_twice_raise(self, postgres: Server) -> None:
        engine, administrator = postgresql_engine(postgres), postgresql_engine(postgres)
        ledger = Ledger(engine, lock_timeout=LONG)
        ledger.append(a_record())
        Interference(engine, "INSERT", self.cut(administrator), times=2)
        with pytest.raises(LedgerUnavailableError):
            ledger.append(a_record())
        ledger.append(a_record())
        assert len(list(ledger.records())) == 2
        ledger.close()
        engine.dispose()
        administrator.dispose()


def test_a_full_queue_raises(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(engine, lock_timeout=LONG)
    ledger.append(a_record())
    monkeypatch.setattr(group_commit, "LONGEST_QUEUE", 1)
    door = Door(engine, "BEGIN")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ledger.append, a_record())
        assert door.reached.wait(LONG)
        second = threads.submit(ledger.append, a_record())
        while not ledger._writer._queue.qsize():
            assert not second.done()
        with pytest.raises(LedgerUnavailableError, match="other calls are waiting"):
            ledger.append(a_record())
        door.open()
    assert (first.result(), second.result()) == (None, None)
    ledger.close()


def test_the_writer_continues_after_an_unexpected_error(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(engine, lock_timeout=LONG)
    ledger.append(a_record())

    def fail(_connection: object) -> None:
        raise RuntimeError("a bug")

    Interference(engine, "INSERT", fail)
    with pytest.raises(LedgerUnavailableError, match="a bug"):
        ledger.append(a_record())
    ledger.append(a_record())
    assert len(ids(ledger)) == 2
    assert "The ledger's writer failed." in caplog.text
    ledger.close()


def test_an_unexpected_error_leaves_results_that_callers_have(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=LONG)
    known = a_record()
    ledger.append(known)
    inserts: list[Any] = []

    def fail_at_the_third(connection: object) -> None:
        inserts.append(connection)
        if len(inserts) == 3:
            raise RuntimeError("a bug")

    Interference(engine, "INSERT INTO consentkit_records", fail_at_the_third, times=3)
    door = Door(engine, "BEGIN")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ledger.append, known)
        assert door.reached.wait(LONG)
        second = threads.submit(ledger.append, a_record())
        while not ledger._writer._queue.qsize():
            assert not first.done()
        door.open()
        assert first.result() is None
        with pytest.raises(LedgerUnavailableError, match="a bug"):
            second.result()
    ledger.append(a_record())
    assert len(ids(ledger)) == 2
    ledger.close()


def test_closing_stores_what_is_queued(engine: Engine) -> None:
    ledger = Ledger(engine, lock_timeout=LONG)
    ledger.append(a_record())
    door = Door(engine, "BEGIN")
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(ledger.append, a_record())]
        assert door.reached.wait(LONG)
        waiting.append(threads.submit(ledger.append, a_record()))
        while not ledger._writer._queue.qsize():
            assert not waiting[1].done()
        closing = threads.submit(ledger.close)
        while ledger._writer._queue.qsize() < 2:
            assert not closing.done()
        door.open()
        assert [each.result() for each in (*waiting, closing)] == [None] * 3
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM consentkit_records").scalar() == 3


# Two ledgers of one file, and two greenlets whose decisions start the writers.
GREENLETS = """
import sys
from gevent import monkey, spawn, joinall

monkey.patch_all()
from consentkit.ledger import Ledger
from tests.support.records import a_record

ledgers = [Ledger(f"sqlite:///{sys.argv[1]}", lock_timeout=2) for _ in range(2)]
for ledger in ledgers:
    ledger.newest("nobody")
joinall([spawn(ledger.append, a_record()) for ledger in ledgers], raise_error=True)
print(len(list(ledgers[0].records())))
for ledger in ledgers:
    ledger.close()
"""


def test_writers_that_are_greenlets_wait_for_nothing_inside_their_transaction(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GREENLETS, str(tmp_path / "consent.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "2\n", done.stderr
