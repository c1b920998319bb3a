import json
import logging
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from consentkit.errors import ConfigurationError, InvalidDecisionError, LedgerError, LedgerUnavailableError
from consentkit.ledger import Ledger, Record, SentWords, queries
from consentkit.ledger.tables import METADATA
from tests.support.postgres import Server
from tests.support.records import NOON, a_record, another_process_holds, eventually

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


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        result = connection.execute(sqlalchemy.text(statement))
        rows = [tuple(row) for row in result.all()] if result.returns_rows else []
    engine.dispose()
    return rows


def test_a_record_is_read_back_unchanged_with_its_seq(ledger: Ledger) -> None:  # RC-01
    record = a_record(expires_at=None, gpc=True, group="", vendors={}, language="日本語")
    ledger.append(record)
    found = ledger.newest("A" * 22)
    assert found is not None
    assert found.seq == 1
    assert found.to_json() == record.to_json()


def test_records_of_one_call_are_stored_in_order_and_read_back_page_by_page(ledger: Ledger) -> None:
    records = [a_record(at=NOON + n) for n in range(1100)]
    ledger.append(*records)
    ledger.append()
    assert [record.id for record in ledger.records()] == [record.id for record in records]
    assert [record.id for record in ledger.history("A" * 22)] == [record.id for record in records]


def test_a_record_that_is_appended_again_is_stored_once(ledger: Ledger) -> None:
    first, second = a_record(), a_record()
    ledger.append(first, first)
    ledger.append(first, second)
    assert [record.id for record in ledger.records()] == [first.id, second.id]


def test_a_different_record_with_a_stored_id_raises_and_changes_nothing(ledger: Ledger) -> None:  # RC-04
    first, other = a_record(), a_record()
    ledger.append(first)
    with pytest.raises(LedgerError, match=first.id):
        ledger.append(other, a_record(id=first.id, event="withdrawn"))
    assert [record.to_json() for record in ledger.records()] == [first.to_json(), other.to_json()]


def test_newest_goes_by_time_and_not_by_arrival(ledger: Ledger) -> None:
    narrow = {"analytical": True, "tracking": False, "social": False}
    second = a_record(changed_at=NOON + 5, revision=1)
    tied = a_record(changed_at=NOON + 5, revision=1, categories=narrow)
    ledger.append(second, tied, a_record(changed_at=NOON + 5), a_record(subject="B" * 22), a_record())
    found = ledger.newest("A" * 22)
    assert found is not None and found.id == tied.id, "of one moment the narrower"
    assert {record.id for record in ledger.newest_of(["A" * 22])["A" * 22]} == {second.id, tied.id}
    assert ledger.newest("C" * 22) is None and ledger.newest_of(["C" * 22]) == {"C" * 22: ()}


def test_record_that_withdraws_is_the_newest_whatever_follows(ledger: Ledger) -> None:
    ended = a_record(event="withdrawn", status="withdrawn", categories={}, changed_at=NOON)
    ledger.append(a_record(changed_at=NOON + 99), ended, a_record(changed_at=NOON + 100))
    found = ledger.newest("A" * 22)
    assert found is not None and found.id == ended.id


def test_a_withdrawal_leaves_the_row_of_the_grant_unchanged(url: str, ledger: Ledger) -> None:  # WD-07
    ledger.append(a_record())
    before = query(url, "SELECT * FROM consentkit_records")
    ledger.append(a_record(event="withdrawn", status="withdrawn", categories={}, expires_at=None))
    after = query(url, "SELECT * FROM consentkit_records ORDER BY seq")
    assert after[0] == before[0]
    assert [record.event for record in ledger.history("A" * 22)] == ["given", "withdrawn"]
    assert ledger.history("nobody") == []


def test_the_ledger_has_no_method_that_changes_records_and_a_single_one_that_removes_them() -> None:  # RC-04
    public = {name for name in dir(Ledger) if not name.startswith("_")}
    assert public == {
        "add_counts", "add_shown", "append", "begin_again", "carry_out", "changes", "check", "close", "counts",
        "default_spool", "epoch", "erasures", "health", "history", "is_in_memory", "is_writable", "lacking",
        "link", "linked", "links", "links_of", "lock_timeout", "newest", "newest_of", "notice", "notices",
        "outbox", "record_ids", "records", "removals", "remove", "remove_links", "rendering", "renderings",
        "store_notice", "store_renderings", "use_once",
    }  # fmt: skip


def test_no_table_has_a_column_for_address_user_agent_or_referrer() -> None:  # RC-08
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
    } - {"site_group", "precedence", "salt"}


class TestChanges:
    def test_without_a_cursor_return_only_the_end_of_the_ledger(self, ledger: Ledger) -> None:
        assert ledger.changes(None) == ((), 0)
        ledger.append(a_record(), a_record(subject=None))
        assert ledger.changes(None) == ((), 2)

    def test_return_the_newest_record_of_each_subject_after_the_cursor(self, ledger: Ledger) -> None:
        ledger.append(a_record(), a_record(subject="B" * 22))
        _, cursor = ledger.changes(None)
        ledger.append(a_record(event="changed"), a_record(event="withdrawn"), a_record(subject=None))
        changed, cursor = ledger.changes(cursor)
        assert {record.subject: record.event for record in changed} == {
            "A" * 22: "withdrawn",
            "B" * 22: "given",
        }
        assert cursor == ledger.changes(cursor)[1] == 5

    def test_repeat_only_the_last_records_before_the_cursor(self, ledger: Ledger) -> None:
        ledger.append(a_record(subject="first"), *(a_record(subject=f"{n}") for n in range(40)))
        changed, _ = ledger.changes(41)
        assert len(changed) == 32
        assert "first" not in {record.subject for record in changed}

    def test_are_read_along_the_key_without_sorting_what_comes_after_the_cursor(self, ledger: Ledger) -> None:
        ledger.append(*(a_record(subject=f"{n}") for n in range(100)))
        with ledger._database.transaction() as connection:
            given = {"after": 3, "most": 50}
            compiled = queries.CHANGES[connection.dialect.name].compile(connection.engine)
            plan, names = str(compiled), compiled.params
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("ANALYZE consentkit_records")
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
                found = connection.exec_driver_sql(f"EXPLAIN {plan}", {**names, **given}).all()
                steps = "\n".join(row[0] for row in found)
                assert (
                    steps.index("Sort")
                    < steps.index("Limit")
                    < steps.rindex("Index Scan using consentkit_records_pkey")
                )
            else:
                values = tuple(given.get(name, names[name]) for name in compiled.positiontup or ())
                steps = "\n".join(
                    row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {plan}", values)
                )
                assert "SEARCH consentkit_records USING INTEGER PRIMARY KEY (rowid>?)" in steps

    def test_that_have_no_subject_still_move_the_cursor(self, ledger: Ledger) -> None:
        ledger.append(a_record(subject=None))
        assert ledger.changes(0) == ((), 1)

    def test_come_in_pages_that_continue_where_the_last_one_ended(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("consentkit.ledger.queries.LARGEST_ANSWER", 100)
        ledger.append(*(a_record(subject=f"{n}") for n in range(150)))
        first, cursor = ledger.changes(0)
        assert (len(first), cursor) == (100, 100)
        rest, cursor = ledger.changes(cursor)
        assert cursor == ledger.changes(cursor)[1] == 150
        assert {record.subject for record in (*first, *rest)} == {f"{n}" for n in range(150)}

    def test_continue_from_the_end_of_a_ledger_restored_from_a_backup(
        self, ledger: Ledger, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger.append(a_record())
        changed, cursor = ledger.changes(1000)
        assert ([record.subject for record in changed], cursor) == (["A" * 22], 1)
        assert "ends at record 1, but its end was 1000 before" in caplog.text


class TestNotices:
    CONTENT: ClassVar = {"b": 1, "a": ["x", None, True, "\x00\ud800 ' \" \\ 🍪"]}

    def test_are_read_back_unchanged_in_the_order_of_storing(self, ledger: Ledger) -> None:  # VA-05
        ledger.store_notice("d1", self.CONTENT)
        ledger.store_notice("d0", {})
        ledger.store_notice("d1", {"never": "replaced"})
        assert ledger.notice("d1") == self.CONTENT
        assert list(ledger.notice("d1") or {}) == ["b", "a"]
        assert ledger.notice("d2") is None
        assert ledger.notices() == [("d1", self.CONTENT), ("d0", {})]

    def test_that_are_stored_already_are_not_written_again(self, url: str, ledger: Ledger) -> None:
        ledger.store_notice("d1", self.CONTENT)
        with another_process_holds(url):
            ledger.store_notice("d1", self.CONTENT)

    def test_keep_every_different_rendering(self, ledger: Ledger) -> None:
        def words(**changes: str) -> SentWords:
            common = {"notice": "d1", "site": "stride", "language": "nl", "surface": "banner", "version": "1"}
            return SentWords.of(**(common | {"html": "<p>Oude woorden\u00a0</p>"} | changes))

        old, new, english = words(), words(html="<p>Nieuw</p>"), words(language="en")
        assert len({each.id for each in (old, new, english)}) == 3 and len(old.id) == 16
        ledger.store_renderings([])
        ledger.store_renderings([old])
        ledger.store_renderings([new, words(), english])
        assert ledger.renderings("d1") == [old, new, english]
        assert [ledger.rendering(each.id) for each in (old, new, english)] == [old, new, english]
        assert ledger.renderings("d2") == [] and ledger.rendering("x" * 16) is None

    @pytest.mark.parametrize("name", ["notice", "site", "language", "surface", "version", "html"])
    def test_any_difference_between_renderings_is_another_id(self, name: str) -> None:
        values = dict.fromkeys(("notice", "site", "language", "surface", "version", "html"), "a")
        assert SentWords.of(**values).id != SentWords.of(**(values | {name: "b"})).id


class TestTokens:
    def test_are_accepted_once(self, ledger: Ledger) -> None:  # XS-06
        assert [ledger.use_once("a", NOON), ledger.use_once("b", NOON)] == [True, True]
        assert [ledger.use_once("a", NOON), ledger.use_once("a", NOON + 9)] == [False, False]

    def test_are_accepted_for_one_of_many_threads(self, ledger: Ledger) -> None:
        won: list[bool] = []
        threads = [threading.Thread(target=lambda: won.append(ledger.use_once("a", NOON))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False] * 7 + [True]

    def test_are_deleted_an_hour_after_they_expired(self, url: str, ledger: Ledger) -> None:
        ledger.use_once("old", NOON)
        ledger.use_once("recent", NOON + 3600)
        for n in range(254):
            ledger.use_once(f"{n}", NOON + 3601)
        assert query(url, "SELECT count(*) FROM consentkit_tokens WHERE token_id IN ('old', 'recent')") == [
            (1,)
        ]

    def test_that_cannot_be_deleted_do_not_stop_new_ones(
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
    def test_are_followed_in_both_directions_over_any_number_of_links(self, ledger: Ledger) -> None:
        for one, other in (("a", "b"), ("c", "b"), ("c", "d"), ("d", "a"), ("x", "y"), ("a", "b")):
            ledger.link(one, other, NOON)
        for handle in "abcd":
            assert ledger.linked(handle) == {"a", "b", "c", "d"}
        assert ledger.linked("y") == {"x", "y"}
        assert ledger.linked("nobody") == {"nobody"}

    def test_are_read_back_in_their_order_page_by_page(self, ledger: Ledger) -> None:
        assert list(ledger.links()) == []
        links = [(f"{n}", f"{n + 1}", NOON + n) for n in range(1001)]
        ledger._insert(
            METADATA.tables["consentkit_links"],
            [{"handle_from": one, "handle_to": other, "at": at} for one, other, at in links],
        )
        ledger.link("0", "1", NOON + 5)
        assert list(ledger.links()) == links

    # XS-03: as many as a reader collects who goes from site to site every day
    def test_of_a_daily_reader_reach_every_site(self, ledger: Ledger) -> None:
        ledger._insert(
            METADATA.tables["consentkit_links"],
            [{"handle_from": "a", "handle_to": f"{n}", "at": NOON} for n in range(1100)],
        )
        ledger.link("1099", "b", NOON)
        assert len(ledger.linked("b")) == 1102

    def test_are_followed_up_to_a_limit(
        self, ledger: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("consentkit.ledger.queries.MOST_LINKED", 10)
        for n in range(20):
            ledger.link(f"{n}", f"{n + 1}", NOON)
        assert ledger.linked("0") == {f"{n}" for n in range(10)}
        assert "More than 10 pseudonyms" in caplog.text


class TestText:
    @pytest.mark.parametrize(
        "text",
        ["'); DROP TABLE consentkit_records;--", "%(id)s %s :id ? $1", '"', "\\", "{}", "é\u202e🍪", " "],
    )
    def test_with_a_meaning_in_sql_is_stored_as_it_is(self, ledger: Ledger, text: str) -> None:  # LG-01
        record = a_record(subject=text, site=text, language=text, categories={text: True}, version=text)
        ledger.append(record)
        ledger.link(text, "other", NOON)
        assert [found.to_json() for found in ledger.history(text)] == [record.to_json()]
        assert ledger.linked("other") == {text, "other"}
        assert ledger.notice("' OR '1'='1") is None
        assert ledger.history("' OR '1'='1") == []

    def test_that_a_record_accepts_is_read_back_unchanged(self, ledger: Ledger) -> None:  # BD-10
        @settings(max_examples=20)
        @given(text=st.text(max_size=40), number=st.integers(-(2**63) + 1, 2**63 - 1))
        def check(text: str, number: int) -> None:
            try:
                record = a_record(
                    subject=text,
                    site=f"s{text}"[:40],
                    language=text,
                    vendors={text: False},
                    changed_at=number,
                )
            except InvalidDecisionError:
                assert re.search("[\x00\ud800-\udfff]", text)
                return
            ledger.append(record)
            assert record.to_json() in [found.to_json() for found in ledger.history(text)]

        check()

    def test_that_no_database_could_store_raises_before_it_gets_there(self, ledger: Ledger) -> None:
        for wrong in ("\x00", "\ud800", "x" * 257):
            with pytest.raises(InvalidDecisionError):
                ledger.link("a", wrong, NOON)
            with pytest.raises(InvalidDecisionError):
                ledger.use_once(wrong, NOON)
            with pytest.raises(InvalidDecisionError):
                ledger.store_notice(wrong, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "x"}, "UUID"),
        ({"id": "7C0B3F5E-0F3B-4B5C-9C0A-1F2E3D4C5B6A"}, "UUID"),
        ({"site": ""}, "site is empty"),
        ({"subject": 5}, "subject: expected str, found int"),
        ({"language": None}, "language: expected str, found NoneType"),
        ({"language": "n" * 257}, "257 characters; at most 256"),
        ({"at": 1.5}, "at: expected int, found float"),
        ({"at": True}, "at: expected int, found bool"),
        ({"gpc": 1}, "gpc: expected bool, found int"),
        ({"expires_at": 2**63}, "64 bits"),
        ({"categories": None}, "categories: expected dict, found NoneType"),
        ({"categories": {"social": "yes"}}, "expected True or False for 'social', found 'yes'"),
        ({"vendors": {1: True}}, "vendors: expected str, found int"),
        ({"began": {"categories": []}}, "began: expected lists of categories and vendors"),
        ({"ended": []}, "ended: expected lists of categories and vendors"),
        ({"ended": {"categories": "social", "vendors": []}}, "ended: expected list, found str"),
        ({"began": {"categories": [], "vendors": [1]}}, "began: expected str, found int"),
        ({"notice": "a\x00"}, "NUL"),
        ({"notice": "a\udfff"}, "surrogate"),
    ],
)
def test_a_record_that_no_database_could_store_raises(changes: dict[str, Any], message: str) -> None:  # BD-10
    with pytest.raises(InvalidDecisionError, match=message):
        a_record(**changes)


@pytest.mark.parametrize(
    "text", ["", "[]", "5", "{}", '{"at": 1}', '{"colour": 1}', "[" * 100_000, "\x00", b"\xff\xfe{"]
)
def test_json_of_anything_else_is_no_record(text: str | bytes) -> None:
    with pytest.raises(InvalidDecisionError):
        Record.from_json(text)


def test_a_record_is_written_as_json_without_its_seq() -> None:
    record = a_record(seq=7)
    assert "seq" not in json.loads(record.to_json())
    assert Record.from_json(record.to_json()) == a_record(id=record.id)
    assert re.fullmatch(r"[0-9a-f-]{36}", record.id)
    assert a_record().id != record.id  # RC-02


class TestWhileAnotherProcessHoldsTheDatabase:
    def test_writing_raises_stores_nothing_and_reading_continues(self, url: str) -> None:  # LG-09
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

    def test_a_ledger_without_tables_raises_until_it_can_create_them(self, url: str) -> None:
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
    list(threads.map(lambda n: ledger.append(a_record(subject=f"{sys.argv[2]}-{n}")), range(30)))
ledger.close()
"""

    def test_append_at_once_and_a_reader_misses_no_record(self, url: str, ledger: Ledger) -> None:
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
        assert seen == {f"{name}-{n}" for name in "ab" for n in range(30)}

    FORK = """
import os, sys, threading
from consentkit.ledger import Ledger, Spool
from tests.support.records import a_record
ledger = Ledger(sys.argv[1], lock_timeout=20)
spool = Spool(ledger)
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
        assert spool.pending() == ()
        sys.exit(0 if found and ledger.newest("before") else 1)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
over.set()
for thread in threads:
    thread.join()
assert all(ledger.newest(f"child {n}") for n in range(3))
ledger.close()
"""

    def test_work_on_when_one_was_forked_while_the_other_was_writing(self, url: str, ledger: Ledger) -> None:
        subprocess.run([sys.executable, "-W", "ignore", "-c", self.FORK, url], check=True, timeout=60)
        assert {record.subject for record in ledger.records()} == {
            "before", "meanwhile", "child 0", "child 1", "child 2"
        }  # fmt: skip


def test_a_query_during_a_fork_waits_and_then_raises() -> None:
    ledger = Ledger("sqlite://", lock_timeout=SHORT)
    ledger.append(a_record())
    ledger._database.before_fork()
    with pytest.raises(LedgerUnavailableError, match="forking"):
        ledger.newest("A" * 22)
    ledger._database.after_fork_in_parent()
    assert ledger.newest("A" * 22) is not None
    ledger.close()


def test_a_ledger_in_memory_serves_all_threads_from_one_connection() -> None:
    ledger = Ledger("sqlite://", lock_timeout=PATIENT)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: ledger.append(a_record(subject=f"{n}")), range(16)))
        found = list(threads.map(lambda n: ledger.newest(f"{n}"), range(16)))
    assert all(found)
    assert ledger.changes(None) == ((), 16)
    ledger.close()


def test_a_fork_copies_a_ledger_in_memory() -> None:
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
    def test_may_restart_while_connections_are_pooled(self, postgres: Server) -> None:
        ledger = Ledger(postgres.address())
        ledger.append(a_record())
        postgres.restart()
        assert ledger.newest("A" * 22) is not None
        postgres.restart()
        ledger.append(a_record())
        assert len(list(ledger.records())) == 2
        ledger.close()

    def test_that_is_down_makes_every_method_raise_until_it_is_back(self, postgres: Server) -> None:
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
                lambda: ledger.use_once("x", NOON),
            ):
                with pytest.raises(LedgerUnavailableError):
                    use()
        finally:
            postgres.start()
        assert ledger.use_once("x", NOON)
        assert len(list(ledger.records())) == 1
        ledger.close()

    def test_that_freezes_makes_calls_raise_in_time(self, postgres: Server) -> None:
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

    def test_is_reached_by_every_spelling_of_its_url(self, postgres: Server) -> None:
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

    def test_answers_every_query_by_an_index(self, postgres: Server) -> None:
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
        ledger.history("7")
        ledger.upkeep.page(0, 500)
        ledger.upkeep.linked_records(["7", "8"], ["stride"])
        ledger.links_of(["7", "8"])
        ledger.outbox.due("stride", ["crm"])
        asked = [each for each in statements if each[0].lstrip().startswith(("SELECT", "WITH"))]
        assert len(asked) == 10
        with engine.connect() as connection:
            connection.exec_driver_sql("SET enable_seqscan = off")
            for statement, parameters in asked:
                plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
                # The removals are a row for each reason.
                scans = [line for line in plan if "Seq Scan" in line and "consentkit_removals" not in line]
                assert not scans, plan
        ledger.close()
        engine.dispose()


class TestSQLite:
    def test_creates_files_that_only_their_owner_can_read(self, tmp_path: Path) -> None:
        ledger = Ledger(f"sqlite:///{tmp_path / 'consent.db'}?cached_statements=50")
        ledger.append(a_record())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        ledger.close()
        assert modes == {"consent.db": 0o600, "consent.db-wal": 0o600, "consent.db-shm": 0o600}

    def test_synchronises_every_commit_to_disk(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'consent.db'}"
        ledger = Ledger(url)
        ledger.append(a_record())
        with ledger._database.transaction() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        ledger.close()
        assert query(url, "PRAGMA journal_mode") == [("wal",)]

    def test_keeps_its_path_when_the_working_directory_changes(
        self, tmp_path: Path, monkeypatch: Any
    ) -> None:
        monkeypatch.chdir(tmp_path)
        ledger = Ledger("sqlite:///consent.db")
        monkeypatch.chdir("/")
        ledger.append(a_record())
        ledger.close()
        assert (tmp_path / "consent.db").exists()

    def test_continues_with_a_new_file_when_the_old_one_was_deleted_or_moved(
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
        assert "was deleted or replaced while in use" in caplog.text

    def test_tries_again_while_another_process_changes_the_journal_mode(self, tmp_path: Path) -> None:
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

    def test_accepts_a_file_uri(self, tmp_path: Path) -> None:
        ledger = Ledger(f"sqlite:///file:{tmp_path / 'consent.db'}?uri=true")
        ledger.append(a_record())
        ledger.close()
        assert (tmp_path / "consent.db").exists()

    def test_warns_where_no_write_ahead_log_is_possible(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "consent.db"
        ledger = Ledger(f"sqlite:///file:{path}?vfs=unix-dotfile&uri=true")
        ledger.append(a_record())
        ledger.close()
        assert "does not support a write-ahead log" in caplog.text

    def test_raises_for_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "consent.db").write_text("not a database, but long enough to look at it" * 30)
        ledger = Ledger(f"sqlite:///{tmp_path / 'consent.db'}")
        with pytest.raises(LedgerUnavailableError):
            ledger.append(a_record())
        with pytest.raises(LedgerUnavailableError):
            ledger.notices()
        ledger.close()

    def test_answers_every_query_by_an_index(self, tmp_path: Path) -> None:
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
        ledger.history("7")
        ledger.links_of(["7", "8"])
        ledger.upkeep.page(5, 500)
        ledger.upkeep.linked_records(["7", "8"], ["stride"])
        ledger.outbox.claim("stride", ["crm"], NOON, 60)
        ledger.outbox.due("stride", ["crm"])
        assert len(plans) > 20
        assert not [plan for plan in plans if re.match(r"SCAN consentkit", plan)], plans
        ledger.close()
        engine.dispose()


def test_an_engine_of_the_application_is_used_and_left_open(url: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    ledger = Ledger(engine)
    ledger.append(a_record())
    ledger.close()
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT count(*) FROM consentkit_records")).scalar() == 1
    engine.dispose()


def test_a_closed_ledger_raises(ledger: Ledger) -> None:
    ledger.append(a_record())
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerUnavailableError, match="closed"):
        ledger.append(a_record())
    with pytest.raises(LedgerUnavailableError, match="closed"):
        ledger.newest("x")


def test_tables_of_a_newer_version_raise(url: str) -> None:
    ledger = Ledger(url)
    ledger.append(a_record())
    ledger.close()
    query(url, "INSERT INTO consentkit_schema VALUES (99, 5)")
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
        ("sqlite:////no/such/place/consent.db", "Create it"),
    ],
)
def test_an_unsupported_url_raises_with_the_remedy(target: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(remedy)):
        Ledger(target)


def test_an_error_does_not_repeat_the_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Ledger("mysql://root:hunter2@localhost/consent")
    assert "hunter2" not in str(caught.value)


def test_a_lock_timeout_of_zero_raises() -> None:
    with pytest.raises(ConfigurationError, match="lock_timeout = 0"):
        Ledger("sqlite://", lock_timeout=0)


def test_an_engine_with_another_driver_raises() -> None:
    engine = sqlalchemy.create_engine("mysql+pymysql://", module=sqlite3)
    with pytest.raises(ConfigurationError, match="sqlite:///"):
        Ledger(engine)


def test_a_missing_driver_raises_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=re.escape("consentkit[postgres]")):
        Ledger("postgresql://localhost/consent")


def test_a_garbage_collected_ledger_stops_its_thread() -> None:
    ledger = Ledger("sqlite://")
    ledger.append(a_record())
    thread = ledger._writer._thread
    assert thread is not None
    del ledger
    thread.join(20)
    assert not thread.is_alive()


def test_no_pseudonym_is_logged(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:  # RC-08
    with caplog.at_level(logging.DEBUG, logger="consentkit"):
        ledger.append(a_record(subject="secret"))
        ledger.newest("secret")
    assert "secret" not in caplog.text


def test_error_of_a_server_does_not_show_the_row(postgres: Server) -> None:
    ledger = Ledger(postgres.address())
    ledger.append(a_record())
    with ledger._database.connection() as connection:
        connection.exec_driver_sql("ALTER TABLE consentkit_records ADD CHECK (language <> 'xx')")
    with pytest.raises(LedgerUnavailableError, match="check constraint") as raised:
        ledger.append(a_record(subject="secret", language="xx"))
    assert "secret" not in str(raised.value)
    ledger.close()
