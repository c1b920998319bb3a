import json
import logging
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from consentkit.errors import ConfigurationError, InvalidDecisionError, LedgerError, LedgerUnavailableError
from consentkit.ledger import Ledger, Record
from consentkit.ledger.tables import METADATA
from tests.support.postgres import Server, postgres
from tests.support.records import NOON, a_record, another_process_holds, eventually

__all__ = ["postgres"]

SHORT = 0.2
# Seconds: a busy machine is not a failure.
PATIENT = 30
BACKENDS = ["sqlite", "postgresql"]


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, lock_timeout=PATIENT)
    yield ledger
    ledger.close()


@pytest.fixture(params=["memory", *BACKENDS])
def any_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    addresses = {"memory": lambda: "sqlite://", "sqlite": lambda: f"sqlite:///{tmp_path / 'consent.db'}"}
    make = addresses.get(request.param) or request.getfixturevalue("postgres").address
    ledger = Ledger(make(), lock_timeout=PATIENT)
    yield ledger
    ledger.close()


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        result = connection.execute(sqlalchemy.text(statement))
        rows = [tuple(row) for row in result.all()] if result.returns_rows else []
    engine.dispose()
    return rows


def test_a_record_comes_back_as_it_was_with_its_place(any_ledger: Ledger) -> None:  # RC-01
    record = a_record(expires_at=None, gpc=True, group="", vendors={}, language="日本語")
    any_ledger.append(record)
    found = any_ledger.newest("A" * 22)
    assert found is not None
    assert found.seq == 1
    assert found.to_json() == record.to_json()


def test_many_records_of_one_call_keep_their_order(any_ledger: Ledger) -> None:
    records = [a_record(at=NOON + n) for n in range(1100)]
    any_ledger.append(*records)
    any_ledger.append()
    assert [record.id for record in any_ledger.records()] == [record.id for record in records]
    assert [record.id for record in any_ledger.history("A" * 22)] == [record.id for record in records]


def test_the_same_record_is_stored_once_however_often_it_comes(any_ledger: Ledger) -> None:
    first, second = a_record(), a_record()
    any_ledger.append(first, first)
    any_ledger.append(first, second)
    assert [record.id for record in any_ledger.records()] == [first.id, second.id]


def test_another_record_under_a_used_id_is_refused_and_the_first_stays(any_ledger: Ledger) -> None:  # RC-04
    first, other = a_record(), a_record()
    any_ledger.append(first)
    with pytest.raises(LedgerError, match=first.id):
        any_ledger.append(other, a_record(id=first.id, event="withdrawn"))
    assert [record.to_json() for record in any_ledger.records()] == [first.to_json(), other.to_json()]


def test_the_newest_event_of_a_subject_counts_by_its_place_not_by_its_time(any_ledger: Ledger) -> None:
    any_ledger.append(a_record(), a_record(subject="B" * 22), a_record(event="withdrawn", at=NOON - 5))
    any_ledger.append(a_record(subject=None, event="refused"))
    newest = any_ledger.newest("A" * 22)
    assert newest is not None
    assert newest.event == "withdrawn"
    assert any_ledger.newest("C" * 22) is None


def test_history_holds_the_grant_byte_for_byte_after_the_withdrawal(
    url: str, ledger: Ledger
) -> None:  # WD-07
    ledger.append(a_record())
    before = query(url, "SELECT * FROM consentkit_records")
    ledger.append(a_record(event="withdrawn", status="withdrawn", categories={}, expires_at=None))
    after = query(url, "SELECT * FROM consentkit_records ORDER BY seq")
    assert after[0] == before[0]
    assert [record.event for record in ledger.history("A" * 22)] == ["given", "withdrawn"]
    assert ledger.history("nobody") == []


def test_there_is_nothing_to_change_or_delete_with() -> None:  # RC-04
    public = {name for name in dir(Ledger) if not name.startswith("_")}
    assert public == {
        "append", "changes", "close", "history", "link", "linked", "links", "newest",
        "newest_linked", "notice", "notices", "records", "renderings", "store_notice", "store_rendering", "use_once",
    }  # fmt: skip


def test_no_table_has_a_place_for_who_sent_the_request() -> None:  # RC-08
    names = {column.name for table in METADATA.tables.values() for column in table.columns}
    assert names >= {"subject", "notice", "decided_at"}
    words = {word for name in names for word in name.split("_")}
    assert not words & {
        "ip",
        "ipaddress",
        "address",
        "host",
        "agent",
        "useragent",
        "ua",
        "referrer",
        "referer",
    }
    assert set(Record.__slots__) - {"group"} == {
        column.name for column in METADATA.tables["consentkit_records"].columns
    } - {"site_group"}


class TestChanges:
    def test_without_a_cursor_only_say_where_the_ledger_stands(self, any_ledger: Ledger) -> None:
        assert any_ledger.changes(None) == ((), 0)
        any_ledger.append(a_record(), a_record(subject=None))
        assert any_ledger.changes(None) == ((), 2)

    def test_hold_the_newest_record_of_each_subject(self, any_ledger: Ledger) -> None:
        any_ledger.append(a_record(), a_record(subject="B" * 22))
        _, cursor = any_ledger.changes(None)
        any_ledger.append(a_record(event="changed"), a_record(event="withdrawn"), a_record(subject=None))
        changed, cursor = any_ledger.changes(cursor)
        assert {record.subject: record.event for record in changed} == {
            "A" * 22: "withdrawn",
            "B" * 22: "given",
        }
        assert cursor == any_ledger.changes(cursor)[1] == 5

    def test_do_not_come_back_for_ever(self, any_ledger: Ledger) -> None:
        any_ledger.append(a_record(subject="first"), *(a_record(subject=f"{n}") for n in range(40)))
        changed, _ = any_ledger.changes(41)
        assert len(changed) == 32
        assert "first" not in {record.subject for record in changed}

    def test_of_refusals_alone_move_the_cursor(self, any_ledger: Ledger) -> None:
        any_ledger.append(a_record(subject=None))
        assert any_ledger.changes(0) == ((), 1)

    def test_are_bounded_and_go_on_where_they_stopped(self, any_ledger: Ledger) -> None:
        any_ledger.append(*(a_record(subject=f"{n}") for n in range(10_050)))
        first, cursor = any_ledger.changes(0)
        assert (len(first), cursor) == (10_000, 10_000)
        rest, cursor = any_ledger.changes(cursor)
        assert cursor == any_ledger.changes(cursor)[1] == 10_050
        assert {record.subject for record in (*first, *rest)} == {f"{n}" for n in range(10_050)}

    def test_start_again_from_the_end_of_a_ledger_that_was_put_back(
        self, any_ledger: Ledger, caplog: pytest.LogCaptureFixture
    ) -> None:
        any_ledger.append(a_record())
        changed, cursor = any_ledger.changes(1000)
        assert ([record.subject for record in changed], cursor) == (["A" * 22], 1)
        assert "it ends at 1, not at 1000" in caplog.text


class TestNotices:
    CONTENT: ClassVar = {"b": 1, "a": ["x", None, True, "\x00\ud800 ' \" \\ 🍪"]}

    def test_are_kept_as_they_were_in_their_order(self, any_ledger: Ledger) -> None:  # VA-05
        any_ledger.store_notice("d1", self.CONTENT)
        any_ledger.store_notice("d0", {})
        any_ledger.store_notice("d1", {"never": "replaced"})
        assert any_ledger.notice("d1") == self.CONTENT
        assert list(any_ledger.notice("d1") or {}) == ["b", "a"]
        assert any_ledger.notice("d2") is None
        assert any_ledger.notices() == [("d1", self.CONTENT), ("d0", {})]

    def test_that_are_known_need_no_writing(self, url: str, ledger: Ledger) -> None:
        ledger.store_notice("d1", self.CONTENT)
        with another_process_holds(url):
            ledger.store_notice("d1", self.CONTENT)

    def test_are_kept_with_every_rendering(self, any_ledger: Ledger) -> None:
        for words in ("old", "new", "old"):
            any_ledger.store_rendering("d1", "nl", {"words": words})
        any_ledger.store_rendering("d1", "en", {"words": "old"})
        assert any_ledger.renderings("d1") == [
            ("nl", {"words": "old"}),
            ("nl", {"words": "new"}),
            ("en", {"words": "old"}),
        ]
        assert any_ledger.renderings("d2") == []


class TestTokens:
    def test_work_once(self, any_ledger: Ledger) -> None:  # XS-06
        assert [any_ledger.use_once("a", NOON), any_ledger.use_once("b", NOON)] == [True, True]
        assert [any_ledger.use_once("a", NOON), any_ledger.use_once("a", NOON + 9)] == [False, False]

    def test_work_for_one_of_many_at_once(self, any_ledger: Ledger) -> None:
        won: list[bool] = []
        threads = [
            threading.Thread(target=lambda: won.append(any_ledger.use_once("a", NOON))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False] * 7 + [True]

    def test_are_forgotten_an_hour_after_they_ended(self, url: str, ledger: Ledger) -> None:
        ledger.use_once("old", NOON)
        ledger.use_once("recent", NOON + 3600)
        for n in range(254):
            ledger.use_once(f"{n}", NOON + 3601)
        assert query(url, "SELECT count(*) FROM consentkit_tokens WHERE token_id IN ('old', 'recent')") == [
            (1,)
        ]

    def test_stay_for_now_where_they_cannot_be_forgotten(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'consent.db'}")

        @sqlalchemy.event.listens_for(engine, "before_cursor_execute")
        def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("DELETE"):
                raise OSError("disk full")

        ledger = Ledger(engine)
        assert all(ledger.use_once(f"{n}", NOON) for n in range(256))
        assert "disk full" in caplog.text
        ledger.close()
        engine.dispose()


class TestLinks:
    def test_join_in_both_directions_over_any_number_of_links(self, any_ledger: Ledger) -> None:
        for one, other in (("a", "b"), ("c", "b"), ("c", "d"), ("d", "a"), ("x", "y"), ("a", "b")):
            any_ledger.link(one, other, NOON)
        for handle in "abcd":
            assert any_ledger.linked(handle) == {"a", "b", "c", "d"}
        assert any_ledger.linked("y") == {"x", "y"}
        assert any_ledger.linked("nobody") == {"nobody"}

    def test_lead_to_the_newest_event_of_each_other_pseudonym_that_has_any(self, any_ledger: Ledger) -> None:
        for one, other in (("a", "h1"), ("h1", "b"), ("a", "h2"), ("h2", "c"), ("x", "y")):
            any_ledger.link(one, other, NOON)
        for subject in "abcx":
            any_ledger.append(a_record(subject=subject), a_record(subject=subject, event="changed"))
        later = a_record(subject="b", event="withdrawn", status="withdrawn", categories={})
        any_ledger.append(later)
        found = any_ledger.newest_linked("a")
        assert [(record.subject, record.event) for record in found] == [("c", "changed"), ("b", "withdrawn")]
        assert found[1].id == later.id
        assert [record.subject for record in any_ledger.newest_linked("h1")] == ["a", "c", "b"]
        assert any_ledger.newest_linked("x") == any_ledger.newest_linked("nobody") == []

    def test_are_read_back_in_their_order_page_by_page(self, any_ledger: Ledger) -> None:
        assert list(any_ledger.links()) == []
        links = [(f"{n}", f"{n + 1}", NOON + n) for n in range(1001)]
        any_ledger._insert(
            METADATA.tables["consentkit_links"],
            [{"handle_from": one, "handle_to": other, "at": at} for one, other, at in links],
        )
        any_ledger.link("0", "1", NOON + 5)
        assert list(any_ledger.links()) == links

    # XS-03: as many as a reader collects who goes from site to site every day
    def test_of_a_faithful_reader_reach_every_site(self, any_ledger: Ledger) -> None:
        threads = [
            threading.Thread(target=lambda n=n: any_ledger.link("a", f"{n}", NOON)) for n in range(1100)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        any_ledger.link("1099", "b", NOON)
        any_ledger.append(a_record(subject="b"))
        assert len(any_ledger.linked("b")) == 1102
        assert [record.subject for record in any_ledger.newest_linked("a")] == ["b"]

    def test_are_followed_so_far_and_no_further(
        self, any_ledger: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("consentkit.ledger.ledger.MOST_LINKED", 10)
        for n in range(20):
            any_ledger.link(f"{n}", f"{n + 1}", NOON)
        any_ledger.append(*(a_record(subject=f"{n}") for n in range(20)))
        assert any_ledger.linked("0") == {f"{n}" for n in range(10)}
        assert "More than 10 pseudonyms" in caplog.text
        assert [record.subject for record in any_ledger.newest_linked("0")] == [f"{n}" for n in range(1, 10)]


class TestText:
    @pytest.mark.parametrize(
        "text",
        ["'); DROP TABLE consentkit_records;--", "%(id)s %s :id ? $1", '"', "\\", "{}", "é\u202e🍪", " "],
    )
    def test_of_any_meaning_to_sql_is_inert(self, any_ledger: Ledger, text: str) -> None:  # LG-01
        record = a_record(subject=text, site=text, language=text, categories={text: True}, version=text)
        any_ledger.append(record)
        any_ledger.link(text, "other", NOON)
        assert [found.to_json() for found in any_ledger.history(text)] == [record.to_json()]
        assert any_ledger.linked("other") == {text, "other"}
        assert any_ledger.notice("' OR '1'='1") is None
        assert any_ledger.history("' OR '1'='1") == []

    def test_that_a_record_takes_comes_back_unchanged(self, any_ledger: Ledger) -> None:  # BD-10
        @settings(max_examples=40)
        @given(text=st.text(max_size=40), number=st.integers(-(2**63) + 1, 2**63 - 1))
        def check(text: str, number: int) -> None:
            try:
                record = a_record(subject=text, language=text, vendors={text: False}, changed_at=number)
            except InvalidDecisionError:
                assert re.search("[\x00\ud800-\udfff]", text)
                return
            any_ledger.append(record)
            found = any_ledger.newest(text)
            assert found is not None
            assert found.to_json() == record.to_json()

        check()

    def test_that_no_database_could_keep_is_refused_before(self, any_ledger: Ledger) -> None:
        for wrong in ("\x00", "\ud800", "x" * 257):
            with pytest.raises(InvalidDecisionError):
                any_ledger.link("a", wrong, NOON)
            with pytest.raises(InvalidDecisionError):
                any_ledger.use_once(wrong, NOON)
            with pytest.raises(InvalidDecisionError):
                any_ledger.store_notice(wrong, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "x"}, "UUID"),
        ({"id": "7C0B3F5E-0F3B-4B5C-9C0A-1F2E3D4C5B6A"}, "UUID"),
        ({"site": ""}, "site is empty"),
        ({"subject": 5}, "subject is a text, not int"),
        ({"language": None}, "language is a text, not NoneType"),
        ({"language": "n" * 257}, "longer than 256"),
        ({"at": 1.5}, "at is int, not float"),
        ({"at": True}, "at is int, not bool"),
        ({"gpc": 1}, "gpc is bool, not int"),
        ({"expires_at": 2**63}, "64 bits"),
        ({"categories": None}, "categories is a dict, not NoneType"),
        ({"categories": {"social": "yes"}}, "not with yes or no"),
        ({"vendors": {1: True}}, "vendors is a text, not int"),
        ({"notice": "a\x00"}, "NUL"),
        ({"notice": "a\udfff"}, "surrogate"),
    ],
)
def test_a_record_that_could_not_be_kept_is_refused(changes: dict[str, Any], message: str) -> None:  # BD-10
    with pytest.raises(InvalidDecisionError, match=message):
        a_record(**changes)


@pytest.mark.parametrize(
    "text", ["", "[]", "5", "{}", '{"at": 1}', '{"colour": 1}', "[" * 100_000, "\x00", b"\xff\xfe{"]
)
def test_only_a_record_is_read_as_one(text: str | bytes) -> None:
    with pytest.raises(InvalidDecisionError):
        Record.from_json(text)


def test_a_record_survives_json() -> None:
    record = a_record(seq=7)
    assert "seq" not in json.loads(record.to_json())
    assert Record.from_json(record.to_json()) == a_record(id=record.id)
    assert re.fullmatch(r"[0-9a-f-]{36}", record.id)
    assert a_record().id != record.id  # RC-02


class TestWhileAnotherProcessHoldsTheDatabase:
    def test_nothing_is_stored_and_reading_goes_on(self, url: str) -> None:  # LG-09
        ledger = Ledger(url, lock_timeout=SHORT)
        first, second = a_record(), a_record()
        eventually(lambda: ledger.append(first))
        with another_process_holds(url):
            with pytest.raises(LedgerUnavailableError) as caught:
                ledger.append(a_record(subject="secret"))
            assert "secret" not in str(caught.value)
            with pytest.raises(LedgerUnavailableError):
                ledger.link("a", "b", NOON)
            assert ledger.newest("A" * 22) is not None
            assert len(list(ledger.records())) == 1
        eventually(lambda: ledger.append(second))
        assert len(list(ledger.records())) == 2
        assert ledger.linked("a") == {"a"}
        ledger.close()

    def test_a_ledger_without_tables_waits_for_its_turn(self, url: str) -> None:
        ledger = Ledger(url, lock_timeout=SHORT)
        with another_process_holds(url):
            for use in (
                lambda: ledger.append(a_record()),
                lambda: ledger.newest("x"),
                lambda: ledger.changes(None),
                lambda: ledger.notices(),
            ):
                with pytest.raises(LedgerUnavailableError):
                    use()
        assert eventually(ledger.notices) == []
        ledger.close()


def ended(process: subprocess.Popen[bytes], *, within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


class TestTwoProcesses:
    APPEND = """
import sys
from concurrent.futures import ThreadPoolExecutor
from consentkit.ledger import Ledger
from tests.support.records import a_record
ledger = Ledger(sys.argv[1], lock_timeout=20)
with ThreadPoolExecutor(4) as threads:
    list(threads.map(lambda n: ledger.append(a_record(subject=f"{sys.argv[2]}-{n}")), range(40)))
ledger.close()
"""

    def test_see_each_others_records_and_miss_none(self, url: str, ledger: Ledger) -> None:
        commands = [[sys.executable, "-c", self.APPEND, url, name] for name in ("a", "b")]
        running = [subprocess.Popen(command) for command in commands]
        seen: set[str | None] = set()
        cursor = 0
        for process in running:
            while not ended(process, within=0.02):
                changed, cursor = ledger.changes(cursor)
                seen |= {record.subject for record in changed}
        changed, _ = ledger.changes(cursor)
        seen |= {record.subject for record in changed}
        assert [process.returncode for process in running] == [0, 0]
        assert seen == {f"{name}-{n}" for name in "ab" for n in range(40)}

    FORK = """
import os, sys, threading
from consentkit.ledger import Ledger, Spool
from tests.support.records import a_record
ledger = Ledger(sys.argv[1], lock_timeout=20)
outbox = Spool(ledger)
ledger.append(a_record(subject="before"))
over = threading.Event()
def busy():
    while not over.is_set():
        ledger.append(a_record(subject="meanwhile"))
threads = [threading.Thread(target=busy) for _ in range(4)]
for thread in threads:
    thread.start()
children = []
for n in range(3):
    child = os.fork()
    if not child:
        ledger.append(a_record(subject=f"child {n}"))
        found = ledger.newest(f"child {n}")
        assert outbox.pending() == ()
        sys.exit(0 if found and ledger.newest("before") else 1)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
over.set()
for thread in threads:
    thread.join()
assert all(ledger.newest(f"child {n}") for n in range(3))
ledger.close()
"""

    def test_one_forked_from_the_other_in_the_middle_of_work(self, url: str, ledger: Ledger) -> None:
        subprocess.run([sys.executable, "-W", "ignore", "-c", self.FORK, url], check=True, timeout=60)
        assert {record.subject for record in ledger.records()} == {
            "before", "meanwhile", "child 0", "child 1", "child 2"
        }  # fmt: skip


def test_nobody_connects_while_a_fork_is_under_way() -> None:
    ledger = Ledger("sqlite://", lock_timeout=SHORT)
    ledger.append(a_record())
    ledger._database.before_fork()
    with pytest.raises(LedgerUnavailableError, match="fork"):
        ledger.newest("A" * 22)
    ledger._database.after_fork_in_parent()
    assert ledger.newest("A" * 22) is not None
    ledger.close()


def test_a_memory_ledger_is_copied_by_a_fork_not_shared() -> None:
    program = """
import os, sys
from consentkit.ledger import Ledger
from tests.support.records import a_record
ledger = Ledger("sqlite://")
ledger.append(a_record())
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
else:
    ledger.append(a_record())
    sys.exit(len(list(ledger.records())) != 2)
assert len(list(ledger.records())) == 1
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


class TestPostgreSQL:
    def test_may_restart_while_connections_wait(self, postgres: Server) -> None:
        ledger = Ledger(postgres.address())
        ledger.append(a_record())
        postgres.restart()
        assert ledger.newest("A" * 22) is not None
        postgres.restart()
        ledger.append(a_record())
        assert len(list(ledger.records())) == 2
        ledger.close()

    def test_may_be_away_for_a_while(self, postgres: Server) -> None:
        ledger = Ledger(postgres.address())
        ledger.append(a_record())
        postgres.stop()
        try:
            for use in (
                lambda: ledger.append(a_record()),
                lambda: ledger.newest("x"),
                lambda: ledger.changes(0),
                lambda: ledger.notices(),
                lambda: ledger.linked("x"),
                lambda: ledger.newest_linked("x"),
                lambda: ledger.use_once("x", NOON),
            ):
                with pytest.raises(LedgerUnavailableError):
                    use()
        finally:
            postgres.start()
        assert ledger.use_once("x", NOON)
        assert len(list(ledger.records())) == 1
        ledger.close()

    def test_that_freezes_holds_nobody_up(self, postgres: Server) -> None:
        ledger = Ledger(postgres.address(), lock_timeout=SHORT)
        first, second = a_record(), a_record(subject="B" * 22)
        eventually(lambda: ledger.append(first))
        for use in (lambda: ledger.newest("A" * 22), lambda: ledger.append(second)):
            with postgres.frozen("consentkit"), pytest.raises(LedgerUnavailableError):
                use()
            assert eventually(lambda: ledger.newest("A" * 22)) is not None
        eventually(lambda: ledger.append(second))
        assert len(eventually(lambda: ledger.history("B" * 22))) == 1
        ledger.close()

    def test_is_reached_by_either_way_of_writing_its_address(self, postgres: Server) -> None:
        plain = postgres.address()
        for url in (
            plain,
            plain.replace("postgresql:", "postgresql+psycopg:"),
            plain.replace("postgresql:", "postgres:"),
        ):
            ledger = Ledger(sqlalchemy.make_url(url))
            ledger.append(a_record())
            ledger.close()
        assert query(plain, "SELECT count(*) FROM consentkit_records") == [(3,)]

    def test_is_asked_by_index_however_much_there_is(self, postgres: Server) -> None:
        engine = sqlalchemy.create_engine(postgres.address().replace("postgresql:", "postgresql+psycopg:"))
        statements: list[tuple[str, Any]] = []

        @sqlalchemy.event.listens_for(engine, "before_cursor_execute")
        def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
            statements.append((statement, parameters))

        ledger = Ledger(engine)
        ledger.append(*(a_record(subject=f"{n}") for n in range(2000)))
        for n in range(20):
            ledger.link(f"{n}", f"{n + 1}", NOON)
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
        statements.clear()
        ledger.newest("7")
        ledger.changes(1990)
        ledger.linked("7")
        ledger.newest_linked("7")
        asked = [each for each in statements if each[0].lstrip().startswith(("SELECT", "WITH"))]
        assert len(asked) == 4
        with engine.connect() as connection:
            connection.exec_driver_sql("SET enable_seqscan = off")
            for statement, parameters in asked:
                plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
                assert not [line for line in plan if "Seq Scan" in line], plan
        ledger.close()
        engine.dispose()


class TestSQLite:
    def test_keeps_its_files_for_their_owner(self, tmp_path: Path) -> None:
        ledger = Ledger(f"sqlite:///{tmp_path / 'consent.db'}?cached_statements=50")
        ledger.append(a_record())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        ledger.close()
        assert modes == {"consent.db": 0o600, "consent.db-wal": 0o600, "consent.db-shm": 0o600}

    def test_is_durable(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'consent.db'}"
        ledger = Ledger(url)
        ledger.append(a_record())
        with ledger._database.writing() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        ledger.close()
        assert query(url, "PRAGMA journal_mode") == [("wal",)]

    def test_stays_where_it_was_when_the_directory_changes(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.chdir(tmp_path)
        ledger = Ledger("sqlite:///consent.db")
        monkeypatch.chdir("/")
        ledger.append(a_record())
        ledger.close()
        assert (tmp_path / "consent.db").exists()

    def test_goes_on_with_a_new_file_when_the_old_one_was_taken_away(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger = Ledger(f"sqlite:///{tmp_path / 'consent.db'}")
        ledger.append(a_record())
        for path in list(tmp_path.iterdir()):
            path.unlink()
        ledger.append(a_record(subject="new"))
        (tmp_path / "consent.db").rename(tmp_path / "moved.db")
        assert ledger.newest("new") is None
        ledger.append(a_record())
        ledger.close()
        assert query(f"sqlite:///{tmp_path / 'consent.db'}", "SELECT count(*) FROM consentkit_records") == [
            (1,)
        ]
        assert "no longer the file" in caplog.text

    def test_waits_its_turn_to_change_the_journal(self, tmp_path: Path) -> None:
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'consent.db'}")
        refusals = [OperationalError("PRAGMA", {}, sqlite3.OperationalError("database is locked"))] * 2

        @sqlalchemy.event.listens_for(engine, "before_cursor_execute")
        def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("PRAGMA journal_mode") and refusals:
                raise refusals.pop()

        ledger = Ledger(engine)
        ledger.append(a_record())
        assert not refusals
        ledger.close()
        engine.dispose()

    def test_takes_the_address_of_a_uri(self, tmp_path: Path) -> None:
        ledger = Ledger(f"sqlite:///file:{tmp_path / 'consent.db'}?uri=true")
        ledger.append(a_record())
        ledger.close()
        assert (tmp_path / "consent.db").exists()

    def test_without_a_write_ahead_log_says_so(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "consent.db"
        ledger = Ledger(f"sqlite:///file:{path}?vfs=unix-dotfile&uri=true")
        ledger.append(a_record())
        ledger.close()
        assert "allows no write-ahead log" in caplog.text

    def test_that_is_no_database_is_not_available(self, tmp_path: Path) -> None:
        (tmp_path / "consent.db").write_text("not a database, but long enough to look at it" * 30)
        ledger = Ledger(f"sqlite:///{tmp_path / 'consent.db'}")
        with pytest.raises(LedgerUnavailableError):
            ledger.append(a_record())
        with pytest.raises(LedgerUnavailableError):
            ledger.notices()
        ledger.close()

    def test_is_asked_by_index_however_much_there_is(self, tmp_path: Path) -> None:
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'consent.db'}")
        plans: list[str] = []
        ledger = Ledger(engine)
        ledger.append(*(a_record(subject=f"{n}") for n in range(10)))

        @sqlalchemy.event.listens_for(engine, "before_cursor_execute")
        def explain(_connection: object, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
            if statement.lstrip().startswith(("SELECT", "WITH")):
                plans.extend(row[-1] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

        ledger.newest("7")
        ledger.changes(5)
        ledger.linked("7")
        ledger.newest_linked("7")
        assert len(plans) > 12
        assert not [plan for plan in plans if re.match(r"SCAN consentkit", plan)], plans
        ledger.close()
        engine.dispose()


def test_a_given_engine_is_used_and_left_open(url: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    ledger = Ledger(engine)
    ledger.append(a_record())
    ledger.close()
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT count(*) FROM consentkit_records")).scalar() == 1
    engine.dispose()


def test_a_closed_ledger_is_not_available(any_ledger: Ledger) -> None:
    any_ledger.append(a_record())
    any_ledger.close()
    any_ledger.close()
    with pytest.raises(LedgerUnavailableError, match="closed"):
        any_ledger.append(a_record())
    with pytest.raises(LedgerUnavailableError, match="closed"):
        any_ledger.newest("x")


def test_tables_of_a_newer_library_are_left_alone(url: str) -> None:
    ledger = Ledger(url)
    ledger.append(a_record())
    ledger.close()
    query(url, "INSERT INTO consentkit_schema VALUES (99)")
    ledger = Ledger(url)
    with pytest.raises(LedgerUnavailableError, match="version 99"):
        ledger.append(a_record())
    ledger.close()


@pytest.mark.parametrize(
    ("target", "remedy"),
    [
        ("consent.db", "sqlite:///consent.db"),
        ("mysql://localhost/consent", "postgresql://"),
        ("sqlite+aiosqlite:///consent.db", "sqlite:///"),
        ("postgresql+asyncpg://localhost/consent", "postgresql://"),
        ("sqlite:////no/such/place/consent.db", "create it"),
    ],
)
def test_an_address_that_cannot_be_a_ledger_is_a_mistake_of_the_developer(target: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(remedy)):
        Ledger(target)


def test_no_password_is_repeated_in_an_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Ledger("mysql://root:hunter2@localhost/consent")
    assert "hunter2" not in str(caught.value)


def test_no_time_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="lock_timeout = 0"):
        Ledger("sqlite://", lock_timeout=0)


def test_an_engine_of_another_database_is_refused() -> None:
    engine = sqlalchemy.create_engine("mysql+pymysql://", module=sqlite3)
    with pytest.raises(ConfigurationError, match="sqlite:///"):
        Ledger(engine)


def test_a_missing_driver_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=re.escape("consentkit[postgres]")):
        Ledger("postgresql://localhost/consent")


def test_a_ledger_that_nobody_holds_ends_its_thread() -> None:
    ledger = Ledger("sqlite://")
    ledger.append(a_record())
    thread = ledger._writer._thread
    assert thread is not None
    del ledger
    thread.join(20)
    assert not thread.is_alive()


def test_nothing_is_logged_about_visitors(
    any_ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:  # RC-08
    with caplog.at_level(logging.DEBUG, logger="consentkit"):
        any_ledger.append(a_record(subject="secret"))
        any_ledger.newest("secret")
    assert "secret" not in caplog.text
